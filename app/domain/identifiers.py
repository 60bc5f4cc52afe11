"""What names a thing: an identifier that a reader can see, of 1 to 128 characters.

Two names that look alike on the screen but differ in an invisible character would split one pattern into two, and a
name of blanks could not be asked for. The pattern means the same to Python, Rust and ECMA-262, so one line serves the
domain, the schemas and the published document.
"""

import re

LONGEST = 128

_CONTROL = r"\x00-\x1f\x7f-\x9f"
_BLANK = r"\s\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f"
_FILLER = r"\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
_TAGS = "\U000e0000-\U000e0fff"  # Written out: the three dialects share no escape beyond the basic plane.

VISIBLE = f"^[^{_CONTROL}]*[^{_CONTROL}{_BLANK}{_FILLER}{_TAGS}][^{_CONTROL}]*$"
_VISIBLE = re.compile(VISIBLE)


def is_identifier(text: str) -> bool:
    """Whether the text may name something: visible, without control characters, 1 to 128 characters."""
    return 0 < len(text) <= LONGEST and _VISIBLE.fullmatch(text) is not None
