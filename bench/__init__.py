"""How fast it is, as ratios against yardsticks that are measured in the same run."""
