"""How a message proves whom it comes from: Standard Webhooks 1.0.0, symmetric (v1) and asymmetric (v1a).

What is signed is `id.timestamp.body`, the body's bytes as they are sent. Each secret that is still valid signs, the
newest first, so that a receiver may change over within a day; the Ed25519 key lets a receiver check without being able
to sign. Pure: the time is the one of the attempt, and keys come from outside.
"""

import hmac
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SECRET_SIZE = 32
SECRET, SIGNING_KEY, PUBLIC_KEY = "whsec_", "whsk_", "whpk_"


class BadSecret(ValueError):
    """A secret or a key that is not written as Standard Webhooks writes it."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A symmetric secret; `valid_until` (microseconds) is when it stops to sign, None for the newest."""

    key: bytes
    valid_until: int | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an endpoint's messages are signed with: its secrets, the newest first, and its Ed25519 key."""

    symmetric: tuple[Secret, ...]
    signing_key: Ed25519PrivateKey | None = None


def headers(secrets: Secrets, delivery_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """The three headers of a delivery that is tried at `timestamp`, in seconds."""
    content = _content(delivery_id, timestamp, body)
    micros = timestamp * 1_000_000
    signatures = [
        "v1," + _text(hmac.digest(secret.key, content, "sha256"))
        for secret in secrets.symmetric
        if secret.valid_until is None or micros < secret.valid_until
    ]
    if secrets.signing_key is not None:
        signatures.append("v1a," + _text(secrets.signing_key.sign(content)))
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def verify(keys: Sequence[str], delivery_id: str, timestamp: int, body: bytes, signature: str) -> bool:
    """Whether any signature of the header is by one of the keys (whsec_… or whpk_…); a malformed header is by none."""
    content = _content(delivery_id, timestamp, body)
    return any(
        _is_by(key, version, signed, content)
        for version, _, signed in (one.partition(",") for one in signature.split(" "))
        for key in keys
    )


def secret_of(random: bytes) -> str:
    """`whsec_` and the base64 of 32 random bytes: how a receiver is given a secret."""
    return SECRET + _text(random)


def signing_key_of(seed: bytes) -> tuple[str, str]:
    """An Ed25519 key pair made of 32 random bytes: `whsk_…`, which is kept, and `whpk_…`, which anybody may know."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    return SIGNING_KEY + _text(seed), PUBLIC_KEY + _text(public)


def symmetric(secret: str) -> bytes:
    """The bytes of `whsec_…`."""
    return _bytes(secret, SECRET)


def signing(key: str) -> Ed25519PrivateKey:
    """The key of `whsk_…`."""
    return Ed25519PrivateKey.from_private_bytes(_bytes(key, SIGNING_KEY))


def _is_by(key: str, version: str, signed: str, content: bytes) -> bool:
    try:
        signature = a2b_base64(signed, strict_mode=True)
    except ValueError:
        return False
    if version == "v1" and key.startswith(SECRET):
        return hmac.compare_digest(hmac.digest(symmetric(key), content, "sha256"), signature)
    if version == "v1a" and key.startswith(PUBLIC_KEY):
        try:
            Ed25519PublicKey.from_public_bytes(_bytes(key, PUBLIC_KEY)).verify(signature, content)
        except InvalidSignature:
            return False
        return True
    return False


def _content(delivery_id: str, timestamp: int, body: bytes) -> bytes:
    return f"{delivery_id}.{timestamp}.".encode() + body


def _text(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode()


def _bytes(text: str, prefix: str) -> bytes:
    if not text.startswith(prefix):
        raise BadSecret(f"It begins with {prefix}.")
    try:
        return a2b_base64(text.removeprefix(prefix), strict_mode=True)
    except ValueError:
        raise BadSecret(f"After {prefix} it is base64.") from None
