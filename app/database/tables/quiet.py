"""How much there was to do each day, and which sources are expected to speak."""
