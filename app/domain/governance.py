"""A governance review of leadership."""
