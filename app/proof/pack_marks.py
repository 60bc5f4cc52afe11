"""Where a member of lines was changed: digests of its beginnings, which the manifest holds."""

from dataclasses import dataclass
from hashlib import sha256

MOST_MARKS = 4096
MARK_SIZE = 8


@dataclass(frozen=True, slots=True)
class Marks:
    """Where a member of lines changes, told to the line while it has few and nearly so when it has many.

    After every `every` lines stand the first bytes of the SHA-256 of everything so far.
    """

    count: int
    every: int
    marks: tuple[str, ...]


class Marking:
    """Makes `Marks` of bytes that pass by, never more than twice `MOST_MARKS` of them."""

    def __init__(self) -> None:
        self._hash = sha256()
        self._count = 0
        self._every = 1
        self._marks: list[str] = []

    def take(self, data: bytes) -> None:
        """Further bytes of the member."""
        start = 0
        while (end := data.find(b"\n", start) + 1) > 0:
            self._count += 1
            self._hash.update(data[start:end])
            start = end
            if self._count % self._every == 0:
                self._marks.append(self._hash.copy().digest()[:MARK_SIZE].hex())
                if len(self._marks) > MOST_MARKS:
                    self._marks = self._marks[1::2]
                    self._every *= 2
        self._hash.update(data[start:])

    def marks(self) -> Marks:
        return Marks(self._count, self._every, tuple(self._marks))
