"""Personal data sealed before it is hashed, and the keys that it is sealed with.

Every subject and every record has a data key of its own, stored wrapped by the master key: destroy the data key and
the text is gone, while the sealed bytes, and with them every leaf and proof, stay as they were. What rules compare
is a token, never the reference.

Nonces are 96 random bits drawn afresh for each message. That is safe for about 2³² messages under one key
(NIST SP 800-38D §8.3). A data key seals one subject's few thousand; the master key wraps one data key per subject and
record, which is beyond a thousand million near misses. Random bytes are drawn ahead, some thousands at once and for
each thread alone, for a system call hands the interpreter to another thread; a forked process begins anew.
"""

import hmac
import os
import threading
from binascii import a2b_base64, b2a_base64
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal, assert_never
from uuid import uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

KEY_SIZE = 32
NONCE_SIZE = 12

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_KEY_ID_LETTERS = (b"abcdefghijklmnopqrstuvwxyz234567" * 8)[:256]
_KEY_ID_LENGTH = 26


class _Drawn(threading.local):
    """Random bytes of the system, each given out once."""

    def __init__(self) -> None:
        self._bytes = b""
        self._given = 0

    def __call__(self, size: int) -> bytes:
        """The next bytes."""
        start = self._given
        if start + size > len(self._bytes):
            self._bytes, start = os.urandom(_DRAWN_AT_ONCE), 0
        self._given = start + size
        return self._bytes[start : self._given]


_DRAWN_AT_ONCE = 8192
_random_bytes = _Drawn()


def _draw_anew() -> None:
    """A child of a fork must not give out what its parent gives out."""
    global _random_bytes  # noqa: PLW0603
    _random_bytes = _Drawn()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_draw_anew)


class SealBroken(Exception):
    """What was sealed does not open: it was changed, moved from its place, or sealed with another key."""


def new_key() -> tuple[str, bytes]:
    """A data key and the id that it goes by: `k_` and 26 letters of base 32, 130 random bits."""
    drawn = _random_bytes(_KEY_ID_LENGTH + KEY_SIZE)
    return "k_" + drawn[:_KEY_ID_LENGTH].translate(_KEY_ID_LETTERS).decode(), drawn[_KEY_ID_LENGTH:]


def seal(data_key: bytes, key_id: str, text: str, context: str) -> str:
    """Text sealed by AES-256-GCM: base64 of nonce ‖ ciphertext ‖ tag, bound to the key's id and to its place.

    `context` names the place, the organisation for example; the same text must be given to open it.
    """
    nonce = _random_bytes(NONCE_SIZE)
    # The cipher is not remembered between calls, for an erased key must not live on in a cache.
    ciphertext = AESGCM(data_key).encrypt(nonce, text.encode(), _place(key_id, context))
    return b2a_base64(nonce + ciphertext, newline=False).decode()


def open_sealed(data_key: bytes, key_id: str, sealed: str, context: str) -> str:
    """The text that `seal` sealed. SealBroken: the text, the key, its id or the context is not the one of then."""
    try:
        data = a2b_base64(sealed, strict_mode=True)
    except ValueError as problem:  # A base64 error, or text beyond ASCII.
        raise SealBroken("The sealed text is not base64 any more.") from problem
    return _open(AESGCM(data_key), data, _place(key_id, context)).decode()


def token(pepper: bytes, kind: str, ref: str) -> str:
    """What rules compare in place of a reference: HMAC-SHA256(pepper, kind ‖ 0x00 ‖ ref), base64url, 43 letters.

    `kind` is `staff` or `person`, so that one reference in two roles makes two tokens.
    """
    return _mac(pepper, f"{kind}\0{ref}".encode())


def fingerprint(pepper: bytes, text: str) -> str:
    """What says whether two requests are the same without keeping either; no kind of token begins with 0x00."""
    return _mac(pepper, f"\0fingerprint\0{text}".encode())


class MasterKey:
    """The key that wraps data keys; it lives outside the database (32 bytes, AES-256-GCM)."""

    __slots__ = ("_cipher", "key")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_SIZE:
            raise ValueError(f"A master key has {KEY_SIZE} bytes, this one has {len(key)}.")
        self.key = key
        self._cipher = AESGCM(key)

    @classmethod
    def from_base64(cls, text: str, origin: str = "FOREWARN_MASTER_KEY") -> "MasterKey":
        """The key written as base64. ValueError: a sentence that names `origin` and never the text."""
        try:
            return cls(a2b_base64(text.strip(), strict_mode=True))
        except ValueError as problem:
            raise ValueError(
                f"{origin} must hold the base64 of {KEY_SIZE} bytes, as `openssl rand -base64 {KEY_SIZE}` writes it."
            ) from problem

    def wrap(self, data_key: bytes, organisation: str, key_id: str) -> bytes:
        """A data key as it is stored: nonce ‖ ciphertext ‖ tag, 60 bytes, bound to the organisation and its id."""
        nonce = _random_bytes(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, data_key, _place(key_id, organisation))

    def unwrap(self, wrapped: bytes, organisation: str, key_id: str) -> bytes:
        """The data key that `wrap` wrapped. SealBroken: changed, or of another organisation, id or master key."""
        return _open(self._cipher, wrapped, _place(key_id, organisation))


def check_value(master: MasterKey) -> str:
    """What the database keeps to know its master key again at every start; it gives nothing of the key away."""
    return b2a_base64(hmac.digest(master.key, b"forewarn master key check 1", "sha256"), newline=False).decode()


def master_key_for(
    setting: str | None,
    dialect: Literal["sqlite", "postgresql"],
    sqlite_path: Path | None,
    environment: str,
    working_directory: Path,
) -> MasterKey:
    """The master key of this installation: the setting, else a key file that the first start makes.

    SQLite keeps `<database>.key` beside its file, and a fresh key for a database in memory (`sqlite_path` None);
    PostgreSQL keeps `forewarn.key` in the working directory, in development only. A key file is on disk, synced,
    before this returns. ValueError: a sentence for whoever starts the service.
    """
    if setting is not None:
        return MasterKey.from_base64(setting)
    match dialect:
        case "sqlite":
            if sqlite_path is None:
                return MasterKey(os.urandom(KEY_SIZE))
            return _kept_in(sqlite_path.with_name(f"{sqlite_path.name}.key"))
        case "postgresql":
            if environment == "development":
                return _kept_in(working_directory / "forewarn.key")
            raise ValueError(
                "Set FOREWARN_MASTER_KEY to the base64 of 32 bytes and keep a copy of it apart from the database: "
                "without it no name and no narrative can be read again. Only in development a key file is made."
            )
        case _:
            assert_never(dialect)


def _kept_in(path: Path) -> MasterKey:
    if not os.path.lexists(path):
        _lay_down(path)
    try:
        text = path.read_bytes().decode("ascii", "replace")
    except OSError as problem:
        raise ValueError(
            f"The master key file {path} cannot be read ({problem.strerror}). Restore it, or set FOREWARN_MASTER_KEY."
        ) from problem
    master = MasterKey.from_base64(text, f"The master key file {path}")
    with suppress(OSError):  # Another process may have made it just now; a key mounted read-only needs no sync.
        _sync(path.parent)
    return master


def _lay_down(path: Path) -> None:
    """Give the path a new key unless another process was first; whole or not at all, and never over another key.

    The key is written and synced under a name of its own, then linked: a link, unlike a rename, refuses to replace.
    """
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(b2a_base64(os.urandom(KEY_SIZE)))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
        _sync(path.parent)
    except OSError as problem:
        raise ValueError(
            f"No master key file can be made at {path} ({problem.strerror}). Make its directory writable, or set "
            "FOREWARN_MASTER_KEY."
        ) from problem


def _sync(directory: Path) -> None:
    """Make the directory's names durable (fsync of the directory itself)."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _place(key_id: str, context: str) -> bytes:
    return f"{key_id}\0{context}".encode()


def _open(cipher: AESGCM, data: bytes, place: bytes) -> bytes:
    try:
        return cipher.decrypt(data[:NONCE_SIZE], data[NONCE_SIZE:], place)
    except (InvalidTag, ValueError) as problem:  # A ValueError: not even a nonce is left.
        raise SealBroken("What was sealed was changed, moved, or sealed with another key.") from problem


def _mac(key: bytes, message: bytes) -> str:
    mac = _keyed(key).copy()
    mac.update(message)
    return b2a_base64(mac.finalize(), newline=False).translate(_URL_SAFE, b"=").decode()


@lru_cache(maxsize=1024)
def _keyed(key: bytes) -> HMAC:
    """A pepper's HMAC ready to copy: setting the key up costs more than the message does."""
    return HMAC(key, SHA256())
