"""Writes evidence packs: the same members and fields make the same bytes, in bounded memory."""

import tempfile
import zlib
from binascii import b2a_base64
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import IO, Any

from app.events.canonical import canonical
from app.proof.pack_layout import (
    ALGORITHM,
    DEFLATED,
    FORMAT,
    FORMAT_VERSION,
    LIMITS,
    MANIFEST,
    REQUIRED,
    SIGNATURE,
    STORED,
    Entry,
    Limits,
    PackTooLarge,
    directory,
    dos_time,
    local_header,
    problem_of_name,
)
from app.proof.pack_marks import Marking

LEVEL = 6
_PIECE = 1 << 16


class MemberWriter:
    """A member while it is written: bytes or text (UTF-8), so that `csv.writer` writes into it as into any file."""

    def __init__(self, name: str, spool: IO[bytes], limits: Limits) -> None:
        self.name = name
        self.size = 0
        self.packed = 0
        self.crc = 0
        self.hash = sha256()
        self.packed_hash = sha256()
        self.marking = Marking() if name.endswith(".jsonl") else None
        self.start = spool.tell()
        self._spool = spool
        self._limits = limits
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._is_done = False

    def write(self, data: bytes | str, /) -> int:
        """Further bytes, or text."""
        if self._is_done:
            raise ValueError(f"{self.name} was written to after its end.")
        data = data.encode() if isinstance(data, str) else data
        self.size += len(data)
        if self.size > self._limits.member:
            raise PackTooLarge(f"{self.name} would exceed {self._limits.member} bytes; ask for a shorter period.")
        self.hash.update(data)
        self.crc = zlib.crc32(data, self.crc)
        if self.marking is not None:
            self.marking.take(data)
        self._lay(self._packer.compress(data))
        return len(data)

    def end(self) -> None:
        """Nothing more comes."""
        self._lay(self._packer.flush())
        self._is_done = True

    def described(self) -> dict[str, Any]:
        """The member as the manifest lists it."""
        document: dict[str, Any] = {
            "name": self.name,
            "size": self.size,
            "sha256": self.hash.hexdigest(),
            "packed_size": self.packed,
            "packed_sha256": self.packed_hash.hexdigest(),
        }
        if self.marking is not None:
            marks = self.marking.marks()
            document["lines"] = {"count": marks.count, "every": marks.every, "marks": list(marks.marks)}
        return document

    def _lay(self, packed: bytes) -> None:
        self.packed += len(packed)
        self.packed_hash.update(packed)
        self._spool.write(packed)


class PackWriter:
    """Writes a pack into `file`; the same members and fields make the same bytes.

    Members may come in any order and are packed into a spool on disk, for the manifest, which comes first, needs
    their hashes. Memory holds one piece of one member. Use it as a context: at its end the spool is gone.
    """

    def __init__(self, file: IO[bytes], *, folder: str | None = None, limits: Limits = LIMITS) -> None:
        self._file = file
        self._limits = limits
        self._spool = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed with this writer
        self._members: dict[str, MemberWriter] = {}
        self._is_open = False

    def __enter__(self) -> "PackWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    @property
    def names(self) -> list[str]:
        """The members that are written."""
        return list(self._members)

    @contextmanager
    def member(self, name: str) -> Generator[MemberWriter]:
        """A member to write into, one at a time. ValueError: its name is unsafe or taken."""
        if self._is_open:
            raise ValueError("One member is written after the other.")
        if reason := problem_of_name(name):
            raise ValueError(f"No member can be called {name!r}: {reason}.")
        if name.lower() in {MANIFEST, SIGNATURE, *map(str.lower, self._members)}:
            raise ValueError(f"A member {name!r} is there already.")
        self._is_open = True  # It stays so when the body fails: what is half written is never finished.
        writer = MemberWriter(name, self._spool, self._limits)
        yield writer
        writer.end()
        if self._limits.is_bomb(writer.size, writer.packed):
            raise PackTooLarge(f"{name} repeats itself more than {self._limits.ratio} times: no reader would open it.")
        self._members[name] = writer
        self._is_open = False

    def add(self, name: str, data: bytes) -> None:
        """A member that is at hand as a whole."""
        with self.member(name) as writer:
            writer.write(data)

    def finish(self, fields: Mapping[str, Any], sign: Callable[[bytes], bytes]) -> bytes:
        """Write the whole pack; returns the manifest's bytes. `fields`: all of it but format, version and members.

        `sign` makes the Ed25519 signature, by the key that `fields["key"]` names.
        """
        if self._is_open:
            raise ValueError("A member was not written to its end.")
        if missing := [name for name in REQUIRED if name not in self._members]:
            raise ValueError(f"A pack without {', '.join(missing)} proves nothing.")
        ordered = [self._members[name] for name in sorted(self._members)]
        head = {**fields, "format": FORMAT, "format_version": FORMAT_VERSION}
        manifest = canonical({**head, "members": [member.described() for member in ordered]}).encode()
        signature = b2a_base64(sign(manifest), newline=False).decode()
        told = {"algorithm": ALGORITHM, "key_id": fields["key"]["key_id"], "signature": signature}
        self._check(manifest, ordered)
        self._lay_out({MANIFEST: manifest, SIGNATURE: canonical(told).encode()}, ordered, dos_time(fields["made_at"]))
        return manifest

    def _check(self, manifest: bytes, members: Sequence[MemberWriter]) -> None:
        limits = self._limits
        for what, found, most in (
            ("members", len(members), limits.members),
            ("bytes of manifest", len(manifest), limits.manifest),
            ("bytes unpacked", sum(member.size for member in members), limits.total),
            ("bytes packed", sum(member.packed + 1024 for member in members) + len(manifest), limits.packed),
        ):
            if found > most:
                raise PackTooLarge(f"The pack would have {found} {what}, {most} at most; ask for a shorter period.")

    def _lay_out(self, heads: Mapping[str, bytes], members: Sequence[MemberWriter], time: tuple[int, int]) -> None:
        entries: list[Entry] = []
        offset = 0
        for name, data in heads.items():
            entries.append(Entry(name, STORED, zlib.crc32(data), len(data), len(data), offset))
            self._file.write(local_header(entries[-1], time) + data)
            offset = entries[-1].data_offset + len(data)
        for member in members:
            entries.append(Entry(member.name, DEFLATED, member.crc, member.packed, member.size, offset))
            self._file.write(local_header(entries[-1], time))
            self._spool.seek(member.start)
            left = member.packed
            while left and (piece := self._spool.read(min(left, _PIECE))):
                self._file.write(piece)
                left -= len(piece)
            offset = entries[-1].data_offset + member.packed
        for record in directory(entries, time):
            self._file.write(record)
