"""The members of a pack, held against the manifest: each is there, nothing else is, and every byte is as signed."""

import zlib
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import IO, NamedTuple

from app.proof.pack_layout import (
    DEFLATED,
    DIRECTORY,
    END,
    LEDGER,
    LIMITS,
    MANIFEST,
    PROOFS,
    SIGNATURE,
    STORED,
    Entry,
    directory,
    dos_time,
    local_header,
)
from app.proof.pack_ledger import Walk
from app.proof.pack_lines import first_changed_line, lines_of
from app.proof.pack_manifest import Manifest, Member, check_checkpoint, check_signature, read_manifest
from app.proof.pack_proofs import Proofs
from app.proof.pack_zip import Zip, read_zip
from app.proof.verdict import NotIntact, unusable, wrong

AS_WRITTEN = "as written"
PACKED_ANEW = "packed anew"


class Opened(NamedTuple):
    """A zip that adds up and its entries by name."""

    zipped: Zip
    entries: dict[str, Entry]

    def read(self, name: str, most: int) -> bytes:
        """A member as a whole. NotIntact: it does not unpack, or is larger than that."""
        entry = self.entries[name]
        if entry.size > most:
            raise unusable("too-large", f"{name} has {entry.size} bytes; no pack's has more than {most}.", name)
        return b"".join(self.zipped.pieces(entry))


def read_head(file: IO[bytes], trusted: Sequence[bytes]) -> tuple[Opened, Manifest]:
    """The manifest, once its signature and its checkpoint's hold; the members are not looked at yet."""
    zipped = read_zip(file)
    opened = Opened(zipped, {entry.name: entry for entry in zipped.entries})
    missing = [name for name in (MANIFEST, SIGNATURE) if name not in opened.entries]
    if len(missing) == 2:
        raise unusable("no-pack", "This zip is no evidence pack: it has no manifest.json.")
    if missing:
        raise wrong("missing", f"{missing[0]} is missing.", missing[0])
    data = opened.read(MANIFEST, LIMITS.manifest)
    told = opened.read(SIGNATURE, LIMITS.signature)
    manifest = read_manifest(data)
    check_signature(data, manifest, told, trusted)
    check_checkpoint(manifest)
    return opened, manifest


def check_members(opened: Opened, manifest: Manifest, heard: Callable[[int], None]) -> str:
    """Every member is as signed; returns how the zip around them is. `heard` is told the bytes of each piece.

    The first that is wrong by name is told, and where in it as far as its lines or its events tell.
    """
    listed = {member.name: member for member in manifest.members}
    for name in sorted({*listed, *opened.entries} - {MANIFEST, SIGNATURE}):
        if name not in opened.entries:
            raise wrong("missing", f"{name} is missing: the manifest lists it.", name)
        if name not in listed:
            raise wrong("extra", f"{name} does not belong to the pack: the manifest does not list it.", name)
    packed = {MANIFEST: b"", SIGNATURE: b""}
    crcs: dict[str, int] = {}
    for name, member in listed.items():
        packed[name], crcs[name] = _check(opened, manifest, member, heard)
    for name in (MANIFEST, SIGNATURE):
        crcs[name] = zlib.crc32(opened.read(name, LIMITS.manifest))
    for name, crc in crcs.items():
        if crc != opened.entries[name].crc:
            raise wrong("checksum", f"The zip's checksum of {name} is wrong.", name)
    return _form(opened, manifest, crcs, packed)


def _check(opened: Opened, manifest: Manifest, member: Member, heard: Callable[[int], None]) -> tuple[bytes, int]:
    """The digest of the packed bytes and the checksum of the others."""
    hashed, packed, crc, size = sha256(), sha256(), 0, 0
    try:
        for piece in opened.zipped.pieces(opened.entries[member.name], packed.update):
            hashed.update(piece)
            crc = zlib.crc32(piece, crc)
            size += len(piece)
            heard(len(piece))
        why = "its bytes are not those that were signed"
        if size != member.size:
            why = f"it has {size} bytes, {member.size} were signed"
    except NotIntact as damage:
        why = damage.problem.detail.removeprefix(f"{member.name} ").rstrip(".")
    else:
        if hashed.hexdigest() == member.sha256 and size == member.size:
            return packed.digest(), crc
    raise _placed(opened, manifest, member, f"{member.name} was changed: {why}.")


def _placed(opened: Opened, manifest: Manifest, member: Member, detail: str) -> NotIntact:
    """The change in a member, at its line and event when these can be told."""
    if member.lines is None:
        return wrong("changed", detail, member.name)
    entry = opened.entries[member.name]
    first, last = first_changed_line(opened.zipped.pieces(entry), member.lines, member.name)
    if member.name != LEDGER:
        return wrong("changed", f"{detail} The change begins in {_lines(first, last)}.", member.name, line=first)
    sequences: list[int] = []
    try:
        proofs = Proofs(opened.zipped.pieces(opened.entries[PROOFS]), manifest.as_of_sequence, manifest.root)
        walk = Walk(manifest, lines_of(opened.zipped.pieces(entry), LEDGER), proofs.runs(), ())
        for event in walk.events():
            if walk.line >= first:
                sequences.append(event.sequence)
            if walk.line >= last:
                break
    except NotIntact as found:
        problem = found.problem
        if problem.sequence is not None and problem.until is None:
            said = f"{detail} {problem.detail}"
            return wrong("changed", said, LEDGER, line=problem.line, sequence=problem.sequence)
    sequence, until = (sequences[0], sequences[-1]) if sequences else (None, None)
    detail = f"{detail} The change begins in {_lines(first, last)}"
    if sequence is not None:
        detail += f", event {sequence}" if sequence == until else f", events {sequence} to {until}"
    return wrong("changed", f"{detail}.", LEDGER, line=first, sequence=sequence, until=until)


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def _form(opened: Opened, manifest: Manifest, crcs: dict[str, int], packed: dict[str, bytes]) -> str:
    """Whether the zip is the one that was written, byte for byte, or another around the same members.

    A zip that has one header as it was written claims to be that zip: then a single other bit is damage, though every
    member is intact. One that has none was packed anew by another program, and its members are what counts.
    """
    time = dos_time(manifest.made_at)
    expected, offset = list[Entry](), 0
    for name in (MANIFEST, SIGNATURE, *(member.name for member in manifest.members)):
        entry = opened.entries[name]
        method, size = (STORED, entry.size) if name in (MANIFEST, SIGNATURE) else (DEFLATED, entry.packed)
        expected.append(Entry(name, method, crcs[name], size, entry.size, offset))
        offset = expected[-1].data_offset + size
    listed = {member.name: member for member in manifest.members}
    differing = None
    is_same_somewhere = False
    for entry in expected:
        header = local_header(entry, time)
        opened.zipped.file.seek(opened.entries[entry.name].offset)
        member = listed.get(entry.name)
        is_same = opened.zipped.file.read(len(header)) == header
        is_same_somewhere |= is_same
        is_packed_so = member is None or (entry.packed, packed[entry.name].hex()) == (
            member.packed_size,
            member.packed_sha256,
        )
        if not (is_same and is_packed_so and opened.entries[entry.name].offset == entry.offset):
            differing = differing or entry.name
    if differing is None:
        opened.zipped.file.seek(opened.zipped.directory_at)
        left = opened.zipped.size - opened.zipped.directory_at
        tail = opened.zipped.file.read(min(left, len(expected) * (DIRECTORY.size + LIMITS.name) + END.size))
        if left == len(tail) and b"".join(directory(expected, time)) == tail:
            return AS_WRITTEN
        raise wrong(
            "form", "Every member is as signed, but the zip's directory is not as it was written: it was damaged."
        )
    if is_same_somewhere:
        detail = f"Every member is as signed, but the zip is not as it was written: {differing} is packed otherwise."
        raise wrong("form", detail, differing)
    return PACKED_ANEW
