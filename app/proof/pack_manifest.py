"""The manifest: what a pack says of itself, word for word, and whose signature stands under it."""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import quote

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta, Struct, field

from app.domain.moment import parse_instant, to_micros
from app.events.canonical import canonical
from app.events.envelope import instant
from app.events.merkle import HASH_SIZE
from app.proof.note import Checkpoint, NoteRefused, key_id_of, read_note
from app.proof.pack_layout import ALGORITHM, FORMAT, FORMAT_VERSION, LIMITS, MANIFEST, REQUIRED, SIGNATURE
from app.proof.pack_layout import problem_of_name as why_not_called
from app.proof.retired import is_retired
from app.proof.verdict import NotIntact, unusable, wrong

_AT = re.compile(r" - at `\$(.*?)`")
_MISSING = re.compile(r"missing required field `(\w+)`")
_UNKNOWN = re.compile(r"unknown field `(.{0,60}?)`")
_BYTE = re.compile(r"byte (\d+)")

Size = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Text = Annotated[str, Meta(min_length=1, max_length=1000)]


class Key(Struct, frozen=True):
    key_id: Text
    algorithm: Text
    public_key: Text


class SaidCheckpoint(Struct, frozen=True):
    origin: Text
    size: Size
    root: Text
    key_id: Text
    signed_note: Annotated[str, Meta(max_length=10_000)]


class Previous(Struct, frozen=True):
    """The pack before this one, by its checkpoint."""

    pack_id: Text
    size: Size
    root: Text


class Period(Struct, frozen=True):
    since: str = field(name="from")
    until: str = field(name="to")


class Lines(Struct, frozen=True):
    """Digests of a member's beginnings: `app.proof.pack_marks`."""

    count: Size
    every: Annotated[int, Meta(ge=1)]
    marks: list[Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]]


class Member(Struct, frozen=True):
    name: Text
    size: Size
    sha256: Digest
    packed_size: Size
    packed_sha256: Digest
    lines: Lines | None = None


class Manifest(Struct, frozen=True):
    """manifest.json. A field that this version does not know is let be: it is signed like the others."""

    format: str
    format_version: int
    organisation: Text
    pack_id: Text
    made_at: str
    period: Period
    audience: Text
    as_of_sequence: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    checkpoint: SaidCheckpoint
    key: Key
    members: list[Member]
    includes: list[str] = field(default_factory=list[str])
    services: list[str] | None = None
    previous: Previous | None = None

    @property
    def root(self) -> bytes:
        return bytes_of(self.checkpoint.root, "checkpoint.root")

    @property
    def public_key(self) -> bytes:
        return bytes_of(self.key.public_key, "key.public_key")


class _Told(Struct, frozen=True, forbid_unknown_fields=True):
    algorithm: str
    key_id: str
    signature: str


class _Named(Struct, frozen=True):
    format: str = ""
    format_version: object = None


def read_manifest(data: bytes) -> Manifest:
    """The manifest, well-formed and consistent in itself. Nobody has answered for it yet."""
    _check_format(data)
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
        is_canonical = canonical(msgspec.json.decode(data)).encode() == data
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise _bad(_sentence(_plainly(error))) from None
    if not is_canonical:
        raise _bad("The manifest is not RFC 8785 canonical JSON, so another reader could read it in another way.")
    _check_key(manifest.key)
    for name, text in (("made_at", manifest.made_at), ("from", manifest.period.since), ("to", manifest.period.until)):
        if micros_of(text) is None:
            raise _bad(f"The manifest's {name} is no instant as forewarn writes it.")
    if not 1980 <= int(manifest.made_at[:4]) <= 2107:
        raise _bad("The manifest was made in a year that a zip cannot tell.")
    _check_members(manifest.members)
    return manifest


def check_signature(data: bytes, manifest: Manifest, told: bytes, trusted: Sequence[bytes]) -> None:
    """The manifest's key has signed these bytes, and it is one of the trusted ones if any are given."""
    try:
        signature = msgspec.json.decode(told, type=_Told)
        is_canonical = canonical(msgspec.json.decode(told)).encode() == told
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise wrong("signature", _sentence(_plainly(error, SIGNATURE)), SIGNATURE) from None
    if not is_canonical or signature.algorithm != ALGORITHM or signature.key_id != manifest.key.key_id:
        raise wrong(
            "signature", "manifest.sig is not the canonical JSON of a signature by the manifest's key.", SIGNATURE
        )
    try:
        raw = bytes_of(signature.signature, "signature", 64)
        Ed25519PublicKey.from_public_bytes(manifest.public_key).verify(raw, data)
    except (InvalidSignature, ValueError, NotIntact):
        detail = f"The manifest is not what key {manifest.key.key_id} signed: it, or its signature, was changed."
        raise wrong("signature", detail, MANIFEST) from None
    if trusted and manifest.public_key not in trusted:
        known = ", ".join(key_id_of(key) for key in trusted[:5])
        detail = f"The pack is signed by key {manifest.key.key_id}, which is none that you trust ({known})."
        raise wrong("untrusted-key", detail, SIGNATURE)


def check_retired(manifest: Manifest, retired: Mapping[bytes, int]) -> None:
    """The key that signed had not been retired when the pack was made."""
    if is_retired(manifest.public_key, retired, micros_of(manifest.made_at) or 0):
        detail = f"The pack was made at {manifest.made_at}, and key {manifest.key.key_id} was retired before that."
        raise wrong("retired-key", detail, MANIFEST)


def check_checkpoint(manifest: Manifest) -> None:
    """The checkpoint is this organisation's, at this size, and its note is signed by the same key."""
    said = manifest.checkpoint
    if not said.origin.endswith(f"/organisations/{quote(manifest.organisation, safe='')}"):
        raise _bad(f"The checkpoint is of {said.origin}, not of organisation {manifest.organisation}.", "checkpoint")
    if said.size != manifest.as_of_sequence or said.key_id != manifest.key.key_id:
        raise _bad("The checkpoint has another size or key than the manifest.", "checkpoint")
    try:
        note = read_note(said.signed_note, [manifest.public_key])
    except NoteRefused as refusal:
        raise _bad(f"The checkpoint's signed note does not hold. {refusal}", "checkpoint") from None
    if note != Checkpoint(said.origin, said.size, manifest.root):
        raise _bad("The checkpoint's signed note says something else than the manifest.", "checkpoint")


def micros_of(text: str) -> int | None:
    """An instant as the ledger writes it, in microseconds; None when it is written otherwise."""
    try:
        micros = to_micros(parse_instant(text))
        return micros if instant(micros) == text else None
    except (ValueError, OverflowError):
        return None


def bytes_of(text: str, what: str, size: int = HASH_SIZE) -> bytes:
    """What base64 says, in the one way in which it can be written."""
    try:
        data = a2b_base64(text, strict_mode=True)
    except ValueError:
        data = b""
    if len(data) != size or b2a_base64(data, newline=False).decode() != text:
        raise _bad(f"{what} is not the base64 of {size} bytes.")
    return data


def _check_format(data: bytes) -> None:
    try:
        named = msgspec.json.decode(data, type=_Named)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _bad(_sentence(_plainly(error))) from None
    if named.format != FORMAT:
        raise unusable("format", f"The manifest is of no {FORMAT}, but of {named.format[:100]!r}.", MANIFEST)
    if named.format_version != FORMAT_VERSION:
        detail = (
            f"The pack has format version {named.format_version!r:.20}, this program reads {FORMAT_VERSION}: update it."
        )
        raise unusable("format-version", detail, MANIFEST)


def _check_key(key: Key) -> None:
    if key.algorithm != ALGORITHM or key.key_id != key_id_of(bytes_of(key.public_key, "key.public_key")):
        raise _bad("The manifest's key is no Ed25519 key of the id that it has there.")


def _check_members(members: Sequence[Member]) -> None:
    names = [member.name for member in members]
    for name in names:
        if reason := why_not_called(name):
            raise unusable("name", f"The manifest lists a member {name!r:.250}: {reason}.", MANIFEST)
    if names != sorted(set(names)) or len({name.lower() for name in names}) != len(names):
        raise _bad("The manifest's members are not sorted by name, or one is listed twice.")
    if {MANIFEST, SIGNATURE}.intersection(names):
        raise _bad("The manifest lists itself or its signature.")
    if missing := [name for name in REQUIRED if name not in names]:
        raise _bad(f"The manifest lists no {', '.join(missing)}.")
    if len(names) > LIMITS.members:
        raise unusable("too-many", f"The manifest lists {len(names)} members; no pack has so many.", MANIFEST)


def _bad(detail: str, code: str = "manifest") -> NotIntact:
    return wrong(code, detail, MANIFEST)


def _plainly(error: Exception, file: str = "the manifest") -> str:
    """What msgspec says, in words for people: which field it is, and whether it is there at all."""
    if isinstance(error, RecursionError):
        return f"{file} nests too deeply."
    text = str(error)
    field_at = _AT.search(text)
    place = field_at[1].strip(".") if field_at else ""
    named = f"`{place}` of {file}" if place else file
    if missing := _MISSING.search(text):
        return f"{named} lacks `{missing[1]}`."
    if unknown := _UNKNOWN.search(text):
        return f"{named} has a field `{unknown[1]}` that it does not have in this format."
    if isinstance(error, msgspec.ValidationError):
        return f"{named} is not in the form that it has in this format."
    byte = _BYTE.search(text)
    return f"{file} is no JSON{f' from byte {byte[1]} on' if byte else ''}."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith("the ") else text
