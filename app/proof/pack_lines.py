"""Members of lines, read line by line in bounded memory."""

from collections.abc import Generator, Iterable
from hashlib import sha256

from app.proof.pack_layout import LIMITS
from app.proof.pack_manifest import Lines
from app.proof.pack_marks import MARK_SIZE
from app.proof.verdict import NotIntact, wrong


def lines_of(pieces: Iterable[bytes], name: str) -> Generator[bytes]:
    """The lines without their ends. NotIntact: one is over-long, or the last has no end."""
    parts: list[bytes] = []
    size = number = 0
    for piece in pieces:
        first, *others = piece.split(b"\n")
        parts.append(first)
        size += len(first)
        if size > LIMITS.line:
            raise wrong(
                "line", f"Line {number + 1} of {name} is longer than {LIMITS.line} bytes.", name, line=number + 1
            )
        if others:
            yield b"".join(parts)
            *whole, last = others
            yield from whole
            number += len(others)
            parts, size = [last], len(last)
    if size:
        raise wrong("line", f"The last line of {name} has no end: the file was cut off there.", name, line=number + 1)


def first_changed_line(pieces: Iterable[bytes], lines: Lines, name: str) -> tuple[int, int]:
    """Between which two lines, both counted in, the member was changed; `pieces` may end in NotIntact."""
    hashed = sha256()
    number = 0
    good = 0
    marks = iter(lines.marks)
    try:
        for line in lines_of(pieces, name):
            number += 1
            hashed.update(line + b"\n")
            if number % lines.every == 0:
                if hashed.copy().digest()[:MARK_SIZE].hex() != next(marks, None):
                    return good + 1, number
                good = number
    except NotIntact:
        pass
    return good + 1, max(good + 1, min(good + lines.every, lines.count))
