"""What may have been meant by a word that is not known: said with every refusal of one."""

from collections.abc import Iterable
from difflib import get_close_matches


def instead_of(said: str, known: Iterable[str]) -> str:
    """The known words that are spelt most like it, then all of them, as the end of a sentence."""
    names = list(known)
    near = get_close_matches(said, names, n=3)
    told = f"the nearest: {', '.join(near)}; " if near else ""
    return f"{told}use one of {', '.join(names)}."
