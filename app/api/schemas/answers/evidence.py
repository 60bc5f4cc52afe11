"""An evidence pack: what it is made of, how far its building has come, and what is in it."""

from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from app.api.schemas.answers.common import Answered, Instant, InstantOrDay, NextCursor, showing

EVIDENCE_PACK_EXAMPLE: dict[str, Any] = {
    "id": "pack_1f2e3d4c5b6a79880716253443526170",
    "sequence": 812,
    "status": "ready",
    "from": "2026-02-01",
    "to": "2026-03-01",
    "from_at": "2026-02-01T00:00:00.000000Z",
    "to_at": "2026-03-01T00:00:00.000000Z",
    "services": ["willow-house"],
    "audience": "regulator",
    "include": ["narratives", "small_cells"],
    "as_of_sequence": 811,
    "made_at": "2026-03-02T10:00:00.000000Z",
    "requested_by": "key/6f1d2c3b",
    "progress": {"done": 1, "of": 1, "what": "built"},
    "links": {
        "self": "/v1/evidence-packs/pack_1f2e3d4c5b6a79880716253443526170",
        "download": "/v1/evidence-packs/pack_1f2e3d4c5b6a79880716253443526170/download",
    },
    "size": 48211,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "members": [
        {
            "name": "assurance.json",
            "size": 1874,
            "sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        }
    ],
    "ready_at": "2026-03-02T10:00:04.118402Z",
    "version": 2,
}


class PackProgress(Answered):
    """What is being made, how much of it is done, and of how much."""

    done: int
    of: int
    what: str


class PackLinks(Answered):
    """Where the pack is read, and once it is ready, where its bytes are."""

    self: str
    download: str | None = None


class PackedMember(Answered):
    """A file in the pack."""

    name: str
    size: int = Field(description="Bytes.")
    sha256: str = Field(description="Of its bytes, in hex.")


class EvidencePackListed(Answered):
    """A pack as lists show it."""

    id: str
    sequence: int
    status: Literal["pending", "ready", "failed"]
    since: InstantOrDay = Field(alias="from")
    until: InstantOrDay = Field(alias="to")
    from_at: Instant
    to_at: Instant
    services: list[str] = Field(description="Empty: all of them.")
    audience: Literal["regulator", "commissioner", "internal"]
    include: list[Literal["narratives", "small_cells"]] = Field(description="What is not left out.")
    as_of_sequence: int = Field(description="It is made of the ledger up to this event.")
    made_at: Instant = Field(description="When it was asked for; deadlines are judged as of then.")
    requested_by: str
    previous: str | None = Field(None, description="The pack that this one is proven to follow.")
    progress: PackProgress
    links: PackLinks
    size: int | None = Field(None, description="Bytes of the zip.")
    sha256: str | None = Field(None, description="Of the zip, in hex.")
    ready_at: Instant | None = None
    problem: str | None = Field(None, description="Why it could not be built.")
    version: int


class EvidencePack(EvidencePackListed):
    """A pack with its members."""

    model_config: ClassVar[ConfigDict] = showing(EVIDENCE_PACK_EXAMPLE)

    members: list[PackedMember] | None = None


class EvidencePackList(Answered):
    """A page of packs, the newest first."""

    items: list[EvidencePackListed]
    next_cursor: NextCursor
