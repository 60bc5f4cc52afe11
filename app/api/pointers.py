"""Where in a body a fault lies: JSON pointers (RFC 6901) that repeat no more of the body than the names of fields.

A name that does not look like a field's could be anything that a person typed, so the pointer then ends at the object
that holds it.
"""

import re
from collections.abc import Iterable

MOST_FAULTS = 50
"""No answer names more faults than this; the rest show once these are corrected."""

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def pointer(path: Iterable[int | str]) -> str:
    """The pointer to the value at the end of the path, the empty one for the whole body."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, str) and _FIELD_NAME.fullmatch(part) is None:
            break
        parts.append(f"/{part}")
    return "".join(parts)
