"""How often a test repeats what only shows under repetition: in `make test` a few times, in `make soak` in full."""

import os

FEW = 5
LIMIT = int(os.environ.get("FOREWARN_ROUNDS") or FEW)


def rounds(stated: int) -> int:
    """As many rounds as the requirement states, but no more than `FOREWARN_ROUNDS` allows."""
    return min(stated, LIMIT)
