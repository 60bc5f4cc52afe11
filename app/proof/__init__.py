"""What proves: trees, notes, packs and assurance, from events alone. Nothing here reads a projection or a setting."""
