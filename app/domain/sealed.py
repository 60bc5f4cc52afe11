"""What the domain may hold of a person: a sealed value that it passes on and can never read.

Personal data is sealed before it enters an event, so that destroying one key erases it everywhere while every hash
of the ledger stays true. Rules compare people by token only.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Reference:
    """A member of staff, a person who uses the service, or the holder of a role.

    `sealed` is base64 of the AES-256-GCM nonce, ciphertext and tag; `key` the id of the subject's own key; `token`
    HMAC-SHA256(organisation pepper, kind ‖ ref), hex. Sealing the same reference twice gives two blobs, therefore
    equality asks for the same token under the same key, never for the same blob.
    """

    sealed: str = field(compare=False)
    key: str
    token: str


@dataclass(frozen=True, slots=True)
class SealedText:
    """Free text under the key of its record: `sealed` as in `Reference`, `key` the id of the record's key."""

    sealed: str
    key: str
