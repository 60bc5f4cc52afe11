"""Statistics, on numpy and scipy: pure functions of counts, exposures and times. No clock, no database."""
