"""What strangers sent, what became of it, and the rounds that belong together."""
