"""A signal: something rises below the threshold, or falls silent."""
