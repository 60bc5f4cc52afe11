"""Which occurrences may be told of twice."""
