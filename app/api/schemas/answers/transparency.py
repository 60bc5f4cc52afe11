"""Signed checkpoints, proofs, and the keys to check them with."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, showing

KEY_ID = "e6a05cbbafd81e8eb1ad3ff4bfe5f1de"
_ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
_SIGNATURE = "n2gVJjnUnR8nFuqoZ/e3VFu+0kNEEFF0wPUKQv0GNRhnt0KvYFXUUiwCxZ2X0p/ZWHXtKHOrIsyHRR9EGHgBwCxZ2Q4="
_ORIGIN = "forewarn/organisations/default"
CHECKPOINT_EXAMPLE: dict[str, Any] = {
    "origin": _ORIGIN,
    "size": 41,
    "root": _ROOT,
    "key_id": KEY_ID,
    "signed_note": f"{_ORIGIN}\n41\n{_ROOT}\n\n— {_ORIGIN} {_SIGNATURE}\n",
}
_BASE64 = "Base64 of 32 bytes."


class Checkpoint(Answered):
    """What the ledger was at a size, signed."""

    model_config: ClassVar[ConfigDict] = showing(CHECKPOINT_EXAMPLE)

    origin: str = Field(description="Which ledger: `NAME/organisations/ID`, also the name that the key signs in.")
    size: int = Field(description="So many events, from the first one on.")
    root: str = Field(description="The root of the RFC 9162 Merkle tree over their leaves. " + _BASE64)
    key_id: str = Field(description="Of `/.well-known/forewarn-keys.json`.")
    signed_note: str = Field(description="The first three in the words of C2SP tlog-checkpoint, with the signature.")


class RecordedCheckpoint(Checkpoint):
    """One that the ledger holds as an event."""

    model_config: ClassVar[ConfigDict] = showing(
        {**CHECKPOINT_EXAMPLE, "sequence": 42, "recorded_at": "2026-03-02T10:20:00.000000Z"}
    )

    sequence: int = Field(description="The place of its own event: right behind the last one that it signed.")
    recorded_at: Instant


class CheckpointList(Answered):
    """Recorded checkpoints, the newest first."""

    items: list[RecordedCheckpoint]
    next_cursor: str | None


class InclusionProof(Answered):
    """That an event is in the ledger of a size (RFC 9162 §2.1.3)."""

    model_config: ClassVar[ConfigDict] = showing({"sequence": 2, "size": 3, "leaf_hash": _ROOT, "path": [_ROOT, _ROOT]})

    sequence: int
    size: int
    leaf_hash: str = Field(description="The event's `leafhash`, in base64.")
    path: list[str] = Field(description="The nodes from the leaf to the root. Each is the base64 of 32 bytes.")


class ConsistencyProof(Answered):
    """That the ledger of one size is the beginning of the ledger of another (RFC 9162 §2.1.4)."""

    model_config: ClassVar[ConfigDict] = showing({"from": 2, "to": 3, "path": [_ROOT]})

    first: int = Field(alias="from")
    to: int
    path: list[str] = Field(description="The nodes of the proof. Each is the base64 of 32 bytes.")


class PublicKey(Answered):
    """A key that signs, or signed until it was retired."""

    key_id: str = Field(description="The first 16 bytes of the SHA-256 of the public key, in hex.")
    algorithm: Literal["Ed25519"]
    public_key: str = Field(description=_BASE64)
    created_at: Instant
    retired_at: Instant | None = Field(None, description="From then on another one signs; not on the current one.")


class SigningKeys(Answered):
    """Every public key of this service, the first one first."""

    model_config: ClassVar[ConfigDict] = showing(
        {
            "keys": [
                {
                    "key_id": KEY_ID,
                    "algorithm": "Ed25519",
                    "public_key": _ROOT,
                    "created_at": "2026-03-02T10:00:00.000000Z",
                }
            ]
        }
    )

    keys: list[PublicKey]
