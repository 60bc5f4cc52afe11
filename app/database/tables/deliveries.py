"""Who is told, and what they are owed."""
