"""Pairs of records that look like one occurrence, and the rule that they are found by, as they stand."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.answers.common import Answered, Duration, Instant, NextCursor, Number, showing

PROPOSAL_EXAMPLE: dict[str, Any] = {
    "id": "dup_5b0b6c2f3a6d5f0e9a7c4d2b1e0f8a6c",
    "status": "proposed",
    "near_miss_id": "nm_01a20677048172ec81013c2fbfc79392",
    "other_id": "nm_01a20676a1b072ec8f3b5a2d4c1e0f9b",
    "service_id": "rowan-homecare",
    "sources": [
        {"near_miss_id": "nm_01a20677048172ec81013c2fbfc79392", "source": "rota", "source_event_id": "v-2201"},
        {"near_miss_id": "nm_01a20676a1b072ec8f3b5a2d4c1e0f9b", "source": "emar", "source_event_id": "a-9913"},
    ],
    "score": 0.8417,
    "reasons": [{"code": "same_person", "points": 0.3, "of": 0.3, "says": "Both name the same person."}],
    "proposed_at": "2026-03-02T20:52:11.402713Z",
    "version": 1,
}


class DuplicateRule(Answered):
    """When two records look like one occurrence."""

    version: int
    within: Duration
    propose_at: Number
    confirm_at: Number | None = Field(description="Null: only people confirm.")


class LikenessReason(Answered):
    """One thing that speaks for it."""

    code: str
    points: Number = Field(description="What it adds to the score.")
    of: Number = Field(description="What it could add at most.")
    says: str


class ProposalSource(Answered):
    """Under which name the source knows a record."""

    near_miss_id: str
    source: str | None = None
    source_event_id: str | None = None


class DuplicateDecision(Answered):
    """Who said the last thing of the two, and when."""

    by: str
    at: Instant


class DuplicateProposal(Answered):
    """Two records that look like one occurrence, and what was said of them."""

    model_config = showing(PROPOSAL_EXAMPLE)

    id: str
    status: Literal["proposed", "confirmed", "dismissed", "undone"]
    near_miss_id: str = Field(description="The record that came in later.")
    other_id: str = Field(description="The one that came in earlier.")
    service_id: str | None = None
    sources: list[ProposalSource]
    score: Number = Field(description="From 0 to 1: the sum of the reasons' points.")
    reasons: list[LikenessReason]
    proposed_at: Instant | None = None
    master: str | None = Field(None, description="Of a confirmed pair: the record that stays.")
    decided: DuplicateDecision | None = None
    version: int


class DuplicateProposalList(Answered):
    """A page of pairs; what changed last comes first."""

    items: list[DuplicateProposal]
    next_cursor: NextCursor
