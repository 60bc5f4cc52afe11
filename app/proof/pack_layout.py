"""An evidence pack as bytes: a plain zip of which the manifest decides every byte, so that nothing can hide in it.

docs/evidence.md is this page for strangers. Every header, directory record and the end record are computed from the
manifest and from what is packed; whoever reads computes them again and compares. So there is one form only: no extra
fields, comments, data descriptors, zip64 records, gaps, or bytes before or behind.
"""

import re
import struct
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime

FORMAT = "forewarn-evidence-pack"
FORMAT_VERSION = 1
ALGORITHM = "Ed25519"
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
LEDGER = "ledger.jsonl"
PROOFS = "proofs.json"
ASSURANCE = "assurance.json"
REQUIRED = (ASSURANCE, LEDGER, PROOFS)
"""Members without which a pack proves nothing."""

STORED, DEFLATED = 0, 8
LOCAL = struct.Struct("<4s5H3I2H")
DIRECTORY = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
_VERSION = 20
_MADE_BY = 3 << 8 | _VERSION
_REGULAR_FILE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What no pack exceeds, so that no reader needs more: a writer stops there too. Sizes are bytes."""

    members: int = 10_000
    name: int = 200
    manifest: int = 16 << 20
    signature: int = 1 << 10
    document: int = 64 << 20
    """assurance.json and proofs.json are held in memory as a whole."""
    member: int = (1 << 32) - 2
    total: int = 1 << 34
    packed: int = (1 << 32) - 2
    line: int = 16 << 20
    ratio: int = 250
    ratio_from: int = 1 << 20
    """Below this size a member may be packed as densely as it likes."""

    def is_bomb(self, size: int, packed: int) -> bool:
        """Whether so few bytes unpack to so many that it was made for that."""
        return size > self.ratio_from and size > self.ratio * packed


LIMITS = Limits()


class PackTooLarge(ValueError):
    """A pack would exceed a limit; the sentence names it and says what to leave out."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member as the zip has it: `offset` of its local header, `crc` of its bytes, `packed` bytes in the file."""

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int

    @property
    def data_offset(self) -> int:
        return self.offset + LOCAL.size + len(self.name)


def problem_of_name(name: str) -> str | None:
    """Why a member must not be called so: a sentence, or None. What passes can be unpacked on any system."""
    if len(name) > LIMITS.name:
        return f"its name is longer than {LIMITS.name} characters"
    if "\\" in name:
        return "its name holds a backslash"
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return "its name is an absolute path"
    parts = name.split("/")
    if ".." in parts:
        return "its name climbs out of the folder (“..”)"
    if not all(_PART.fullmatch(part) and part.split(".")[0].lower() not in _DEVICES for part in parts):
        return "its name has other characters than letters, digits, “_”, “-” and “.”, or is reserved on some systems"
    return None


_PART = re.compile(r"[A-Za-z0-9_-](?:[A-Za-z0-9._-]*[A-Za-z0-9_-])?")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


def dos_time(made_at: str) -> tuple[int, int]:
    """Time and date as a zip has them (two seconds fine, here UTC) of an instant's text."""
    at = datetime.fromisoformat(made_at.removesuffix("Z"))
    return at.hour << 11 | at.minute << 5 | at.second // 2, (at.year - 1980) << 9 | at.month << 5 | at.day


def local_header(entry: Entry, time: tuple[int, int]) -> bytes:
    """What stands before a member's bytes."""
    name = entry.name.encode()
    return (
        LOCAL.pack(b"PK\3\4", _VERSION, 0, entry.method, *time, entry.crc, entry.packed, entry.size, len(name), 0)
        + name
    )


def directory(entries: Sequence[Entry], time: tuple[int, int]) -> Generator[bytes]:
    """The central directory, record by record, and the end of the file."""
    size = 0
    for entry in entries:
        name = entry.name.encode()
        fields = (entry.method, *time, entry.crc, entry.packed, entry.size, len(name), 0, 0, 0, 0)
        record = DIRECTORY.pack(b"PK\1\2", _MADE_BY, _VERSION, 0, *fields, _REGULAR_FILE, entry.offset) + name
        size += len(record)
        yield record
    last = entries[-1]
    yield END.pack(b"PK\5\6", 0, 0, len(entries), len(entries), size, last.data_offset + last.packed, 0)
