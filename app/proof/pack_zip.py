"""A zip read by somebody who trusts none of it: nothing is unpacked to disk, and nothing before all of it adds up.

Whatever two programs could read in two ways is refused: a name given twice, a header that says something else than the
directory, bytes that belong to no entry, entries that share bytes. Sizes are held against the limits before a byte is
inflated, and while it is.
"""

import os
import struct
import zlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import IO

from app.proof.pack_layout import DEFLATED, DIRECTORY, END, LIMITS, LOCAL, STORED, Entry, Limits, problem_of_name
from app.proof.verdict import NotIntact, unusable, wrong

PIECE = 1 << 16
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13
_HINTS = 1 << 1 | 1 << 2 | 1 << 11
"""How hard it was packed and how names are spelled: nothing hangs on them."""
_WHOLE = 0xFFFFFFFF
_HARMLESS_EXTRAS = frozenset({0x000A, 0x5455, 0x5855, 0x7855, 0x7875})
"""Times and owners of files. Every other extra field could give an entry another size or name."""
_LINK, _FILE, _KIND = 0o120000, 0o100000, 0o170000


@dataclass(frozen=True, slots=True)
class Zip:
    """A zip that adds up: its entries in the order of the file, and where the directory begins."""

    file: IO[bytes]
    size: int
    entries: tuple[Entry, ...]
    directory_at: int

    def pieces(self, entry: Entry, taken: Callable[[bytes], object] = bool) -> Generator[bytes]:
        """A member's bytes, some thousands at a time; `taken` hears the packed ones. NotIntact: it does not unpack."""
        if entry.method == STORED:
            for piece in self._packed(entry):
                taken(piece)
                yield piece
            return
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        left = entry.size
        try:
            for packed in self._packed(entry):
                taken(packed)
                rest = packed
                while rest and not inflater.eof:
                    piece = inflater.decompress(rest, PIECE)
                    rest = inflater.unconsumed_tail
                    left -= len(piece)
                    if left < 0:
                        raise wrong(
                            "size", f"{entry.name} unpacks to more than the {entry.size} bytes said.", entry.name
                        )
                    yield piece
                if inflater.eof and (inflater.unused_data or rest):
                    break
            while left > 0 and not inflater.eof and (piece := inflater.decompress(inflater.unconsumed_tail, PIECE)):
                left -= len(piece)
                yield piece
        except zlib.error:
            raise wrong(
                "damaged", f"{entry.name} cannot be unpacked: its packed bytes were damaged.", entry.name
            ) from None
        if left or not inflater.eof or inflater.unused_data:
            raise wrong("damaged", f"{entry.name} ends elsewhere than its headers say.", entry.name)

    def _packed(self, entry: Entry) -> Generator[bytes]:
        at, left = entry.offset, entry.packed
        self.file.seek(at)
        local = LOCAL.unpack(self.file.read(LOCAL.size))
        at += LOCAL.size + local[9] + local[10]
        while left:
            self.file.seek(at)  # Whoever takes the pieces may read elsewhere between two of them.
            piece = self.file.read(min(left, PIECE))
            if not piece:
                raise wrong("cut-off", f"The file ends within {entry.name}.", entry.name)
            at += len(piece)
            left -= len(piece)
            yield piece


@dataclass(frozen=True, slots=True)
class _Record:
    """An entry with what only the directory says of it."""

    entry: Entry
    shared: tuple[int, ...]
    attributes: int
    made_by: int


def read_zip(file: IO[bytes], limits: Limits = LIMITS) -> Zip:
    """The zip in the file. NotIntact: it is none, it is damaged, or it was made to do harm."""
    size = file.seek(0, os.SEEK_END)
    if size > limits.packed:
        raise unusable("too-large", f"The file has {size} bytes; no pack has more than {limits.packed}.")
    count, directory_size, directory_at = _end(file, size)
    records = _directory(file, directory_at, directory_size, count)
    ordered = sorted(records, key=lambda record: record.entry.offset)
    _check_layout(file, ordered, directory_at)
    for record in ordered:
        _check_kind(record)
    _check_sizes(ordered, limits)
    return Zip(file, size, tuple(record.entry for record in ordered), directory_at)


def _end(file: IO[bytes], size: int) -> tuple[int, int, int]:
    """How many entries, and where their directory stands."""
    file.seek(0)
    start = file.read(4)
    tail_at = max(0, size - END.size - 0xFFFF)
    file.seek(tail_at)
    tail = file.read(size - tail_at)
    place = tail.rfind(b"PK\5\6")
    if place < 0:
        if start != b"PK\3\4":
            raise unusable("no-zip", "This is no zip file, so it is no evidence pack.")
        raise wrong(
            "cut-off", f"The file is cut off: it ends {_where(file, size)} and has no directory.", _member(file)
        )
    if len(tail) - place < END.size:
        raise wrong("cut-off", "The file is cut off within its last bytes, behind the directory.")
    _, disk, start_disk, here, count, directory_size, directory_at, comment = END.unpack_from(tail, place)
    if tail_at + place + END.size != size:
        raise wrong("trailing", f"{size - tail_at - place - END.size} bytes stand behind the end of the zip.")
    if comment or disk or start_disk or here != count:
        raise wrong("end-record", "The zip's last record is damaged, or speaks of several disks.")
    if count == 0xFFFF or _WHOLE in (directory_size, directory_at):
        raise unusable("zip64", "The zip claims 64-bit sizes, which no pack has.")
    if directory_at + directory_size != tail_at + place:
        raise wrong(
            "end-record", "The zip's directory is not where its last record says, or bytes stand before the zip."
        )
    return count, directory_size, directory_at


def _directory(file: IO[bytes], at: int, size: int, count: int) -> list[_Record]:
    if count > LIMITS.members + 2 or size > count * (DIRECTORY.size + 1024):
        raise unusable("too-many", f"The zip lists {count} entries in {size} bytes; no pack has so many.")
    file.seek(at)
    data = file.read(size)
    records: list[_Record] = []
    place = 0
    while place < len(data):
        try:
            (magic, made_by, *fields) = DIRECTORY.unpack_from(data, place)
        except struct.error:
            raise _bad_directory(records) from None
        version, flags, method, time, date, crc, packed, unpacked, name_size, extra_size, comment = fields[:11]
        disk, _, attributes, offset = fields[11:]
        start = place + DIRECTORY.size
        place = start + name_size + extra_size + comment
        if magic != b"PK\1\2" or disk or comment or place > len(data):
            raise _bad_directory(records)
        name = _name(data[start : start + name_size], records)
        _check_extra(data[start + name_size : place], name)
        entry = Entry(name, method, crc, packed, unpacked, offset)
        shared = (version, flags, method, time, date, crc, packed, unpacked)
        records.append(_Record(entry, shared, attributes, made_by))
    if len(records) != count:
        raise wrong("directory", f"The zip's directory lists {len(records)} entries, its last record says {count}.")
    if not records:
        raise unusable("empty", "The zip is empty.")
    return records


def _check_layout(file: IO[bytes], ordered: list[_Record], directory_at: int) -> None:
    """Each local header says what the directory says, and one entry ends where the next begins."""
    at = 0
    for record in ordered:
        entry = record.entry
        if entry.offset != at:
            what = "shares bytes with the entry before it" if entry.offset < at else "has unexplained bytes before it"
            raise unusable("layout", f"{entry.name} {what}, at byte {entry.offset} of the file.", entry.name)
        file.seek(at)
        header = file.read(LOCAL.size)
        if len(header) < LOCAL.size or header[:4] != b"PK\3\4":
            raise wrong("header", f"The header of {entry.name} at byte {at} of the file is damaged.", entry.name)
        (_, *shared, name_size, extra_size) = LOCAL.unpack(header)
        rest = file.read(name_size + extra_size)
        if tuple(shared) != record.shared or rest[:name_size] != entry.name.encode():
            raise wrong("header", f"The header of {entry.name} says something else than the directory.", entry.name)
        _check_extra(rest[name_size:], entry.name)
        at += LOCAL.size + name_size + extra_size + entry.packed
    if at != directory_at:
        last = ordered[-1].entry.name
        raise unusable("layout", f"Between {last} and the zip's directory stand bytes of no entry, or some lack.", last)


def _check_kind(record: _Record) -> None:
    entry, flags = record.entry, record.shared[1]
    name = entry.name
    if flags & _ENCRYPTED:
        raise unusable("encrypted", f"{name} is encrypted; no member of a pack is.", name)
    if flags & ~_HINTS or entry.method not in (STORED, DEFLATED):
        raise unusable(
            "method", f"{name} is packed in a way that no pack is (method {entry.method}, {flags:#x}).", name
        )
    kind = record.attributes >> 16 & _KIND if record.made_by >> 8 == 3 else 0
    if kind == _LINK:
        raise unusable("link", f"{name} is a symbolic link.", name)
    if kind not in (0, _FILE) or record.attributes & 0x10:
        raise unusable("no-file", f"{name} is no regular file.", name)
    if reason := problem_of_name(name):
        raise unusable("name", f"An entry is called {name!r}: {reason}.", name)


def _check_sizes(records: list[_Record], limits: Limits) -> None:
    seen: set[str] = set()
    total = 0
    for entry in (record.entry for record in records):
        name = entry.name
        if name.lower() in seen:
            raise unusable("twice", f"{name} is in the zip twice.", name)
        seen.add(name.lower())
        if _WHOLE in (entry.size, entry.packed):
            raise unusable("zip64", f"{name} claims a 64-bit size, which no member has.", name)
        total += entry.size
        if entry.size > limits.member or total > limits.total or limits.is_bomb(entry.size, entry.packed):
            raise unusable("bomb", f"{name} would unpack from {entry.packed} to {entry.size} bytes: refused.", name)
        if entry.method == STORED and entry.size != entry.packed:
            raise wrong("header", f"{name} is stored as it is, yet has two sizes.", name)


def _name(raw: bytes, before: list[_Record]) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise _bad_directory(before, "a name there is not ASCII") from None


def _check_extra(extra: bytes, name: str) -> None:
    place = 0
    while place < len(extra):
        kind = int.from_bytes(extra[place : place + 2], "little")
        size = int.from_bytes(extra[place + 2 : place + 4], "little")
        place += 4 + size
        if kind not in _HARMLESS_EXTRAS or place > len(extra):
            raise unusable("extra", f"{name} has an extra field {kind:#06x}, as no member of a pack has.", name)


def _bad_directory(before: list[_Record], why: str = "it is damaged") -> NotIntact:
    place = f"behind {before[-1].entry.name}" if before else "at its beginning"
    return wrong("directory", f"The zip's directory cannot be read {place}: {why}.")


def _walk(file: IO[bytes]) -> tuple[str | None, int]:
    """The entry in which a file without a directory ends, told by the headers alone, and where that one begins."""
    at, name = 0, None
    file.seek(0)
    while len(header := file.read(LOCAL.size)) == LOCAL.size and header[:4] == b"PK\3\4":
        fields = LOCAL.unpack(header)
        name = file.read(fields[9]).decode("ascii", "replace")
        begins, at = at, at + LOCAL.size + fields[9] + fields[10] + fields[7]
        if file.seek(0, os.SEEK_END) < at:
            return name, begins
        file.seek(at)
    return None, at


def _member(file: IO[bytes]) -> str | None:
    return _walk(file)[0]


def _where(file: IO[bytes], size: int) -> str:
    name, _ = _walk(file)
    return f"at byte {size}, within {name}" if name else f"at byte {size}, behind the members"
