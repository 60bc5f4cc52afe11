"""Signed checkpoints: what a ledger was at one size, in words that an outside witness can keep and check.

A checkpoint is the three lines of C2SP tlog-checkpoint (origin, size, base64 of the root); signed it is a C2SP
signed-note: a blank line, then `— NAME base64(4 bytes of key hash ‖ Ed25519 signature)`. The origin is the key's
name, so a note of one organisation never passes for another's. One ledger at one size has one text, byte for byte:
what could be written in two ways is refused.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.events.merkle import HASH_SIZE

_ED25519 = b"\x01"
_KEY_HASH = 4
_MOST_SIGNATURES = 64
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNED = "— "


class NoteRefused(Exception):
    """No note that can be relied on; `str()` is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The root of one ledger at one size."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64_of(self.root)}\n"


def key_id_of(public_key: bytes) -> str:
    """What a signing key goes by: the first 16 bytes of the SHA-256 of its 32, in hex."""
    return sha256(public_key).hexdigest()[:32]


def key_hash(name: str, public_key: bytes) -> bytes:
    """The four bytes that say which key of which name signed: SHA-256(NAME ‖ newline ‖ 0x01 ‖ public key)[:4]."""
    return sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:_KEY_HASH]


def sign_note(checkpoint: Checkpoint, name: str, sign: Callable[[bytes], bytes], public_key: bytes) -> str:
    """The checkpoint as a signed note. ValueError: a name or an origin that a note cannot hold."""
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(checkpoint.origin):
        raise ValueError("The name of a signed note has no spaces and no plus.")
    text = checkpoint.text()
    return f"{text}\n{_SIGNED}{name} {base64_of(key_hash(name, public_key) + sign(text.encode()))}\n"


def read_note(text: str, public_keys: Iterable[bytes]) -> Checkpoint:
    """The checkpoint of a note that one of the keys signed in the origin's name; other signatures are let be.

    NoteRefused: it is malformed, none of the keys signed it, or what claims to be a signature by one of them is none.
    """
    checkpoint, signatures = _parsed(text)
    keys = {key_hash(checkpoint.origin, key): key for key in public_keys}
    signed = checkpoint.text().encode()
    verified = False
    for name, signature in signatures:
        key = keys.get(signature[:_KEY_HASH])
        if name != checkpoint.origin or key is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature[_KEY_HASH:], signed)
        except (InvalidSignature, ValueError):
            raise NoteRefused(f"The signature {key_id_of(key)} of the note of {checkpoint.origin} is wrong.") from None
        verified = True
    if not verified:
        raise NoteRefused(f"None of the known keys signed the note of {checkpoint.origin} at size {checkpoint.size}.")
    return checkpoint


def unsigned(text: str) -> Checkpoint:
    """What a note says, whoever signed it. NoteRefused: it is malformed."""
    return _parsed(text)[0]


def notes_in(text: str) -> list[str]:
    """The notes that stand one after another in a text, with or without blank lines between them.

    A rest without a signature is returned too, for whoever reads it to refuse.
    """
    notes: list[str] = []
    lines: list[str] = []
    signed = False
    for line in text.split("\n"):
        if signed and not line.startswith(_SIGNED):
            notes.append("\n".join(lines) + "\n")
            lines, signed = [], False
        if line or lines:
            lines.append(line)
            signed = line.startswith(_SIGNED)
    if lines:
        notes.append("\n".join(lines) + "\n")
    return notes


def base64_of(data: bytes) -> str:
    """As a note has it: one line."""
    return b2a_base64(data, newline=False).decode()


def _parsed(text: str) -> tuple[Checkpoint, list[tuple[str, bytes]]]:
    body, blank, tail = text.partition("\n\n")
    lines = body.split("\n")
    if not blank or len(lines) != 3 or not tail.endswith("\n"):
        raise NoteRefused("A note has three lines (origin, size, root), a blank one and its signatures.")
    origin, size, root = lines
    if not _NAME.fullmatch(origin) or not _SIZE.fullmatch(size):
        raise NoteRefused("A note begins with an origin without spaces and the ledger's size in digits.")
    signatures = tail[:-1].split("\n")
    if len(signatures) > _MOST_SIGNATURES:
        raise NoteRefused(f"A note has at most {_MOST_SIGNATURES} signatures.")
    hashed = _bytes_of(root)
    if len(hashed) != HASH_SIZE:
        raise NoteRefused(f"The root in the note of {origin} is not the base64 of {HASH_SIZE} bytes.")
    return Checkpoint(origin, int(size), hashed), [_signature(line) for line in signatures]


def _signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_SIGNED).partition(" ")
    signature = _bytes_of(encoded)
    if not line.startswith(_SIGNED) or not space or not _NAME.fullmatch(name) or len(signature) <= _KEY_HASH:
        raise NoteRefused("A signature of a note reads like `— NAME base64`.")
    return name, signature


def _bytes_of(text: str) -> bytes:
    """What the base64 says; nothing unless it is the one way to write that."""
    try:
        data = a2b_base64(text, strict_mode=True)
    except ValueError:
        return b""
    return data if base64_of(data) == text else b""
