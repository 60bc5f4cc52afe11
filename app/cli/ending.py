"""How `audit` and `verify` end: one table of exit codes for scripts, whichever of the two they run."""

WELL, NOT_INTACT, UNUSABLE, EXCEPTIONS = 0, 1, 2, 3
"""All that is not confirmed is inside its deadline, or there is nothing to confirm; the ledger or the pack is not what
was recorded; the question cannot be answered at all; it is intact, and shows something that is missing or undecided.
"""
