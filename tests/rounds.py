"""How often a test repeats what only shows under repetition: in `make test` a few times, in `make soak` in full."""

import os

FEW = 5
LIMIT = int(os.environ.get("FOREWARN_ROUNDS") or FEW)
IN_FULL = LIMIT > FEW


def rounds(stated: int, few: int = FEW) -> int:
    """As many rounds as the requirement states, but no more than `FOREWARN_ROUNDS` allows.

    `few` of them in `make test`: fewer than other tests where a round is dear, more where it is cheap.
    """
    return min(stated, max(1, LIMIT * few // FEW))
