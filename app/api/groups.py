"""Groups: what belonged to a locality when it happened, wherever its service belongs today.

Each record carries the locality that its service belonged to at its own time. An escalation, its review and its actions
are of every locality that one of its near misses is of.
"""

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import Select, select

from app.database.tables import FOR_EVER, actions, escalation_members, escalations, near_misses, reviews

ServiceId = Annotated[str | None, Query(max_length=128)]
Locality = Annotated[
    str | None, Query(max_length=128, description="What belonged there when it happened, by the register.")
]

Names = Collection[str] | None
"""All that records may call one service."""


def escalations_of(organisation: str, names: Names, locality: str | None) -> "Select[tuple[str]] | None":
    """The ids of the escalations of a service, of a locality, or of both; None when neither is asked for."""
    if names is None and locality is None:
        return None
    row = escalations.c
    chosen = select(row.escalation_id).where(row.organisation == organisation)
    if names is not None:
        chosen = chosen.where(row.service_id.in_(names))
    if locality is not None:
        chosen = chosen.where(row.escalation_id.in_(_holding(organisation, locality)))
    return chosen


def reviews_of(organisation: str, names: Names, locality: str | None) -> "Select[tuple[str]] | None":
    """The ids of the reviews of those escalations; None when no group is asked for."""
    of_escalations = escalations_of(organisation, names, locality)
    if of_escalations is None:
        return None
    row = reviews.c
    return select(row.review_id).where(row.organisation == organisation, row.escalation_id.in_(of_escalations))


def actions_of(organisation: str, names: Names, locality: str | None) -> "Select[tuple[str]] | None":
    """The ids of the actions of those reviews; None when no group is asked for."""
    of_reviews = reviews_of(organisation, names, locality)
    if of_reviews is None:
        return None
    row = actions.c
    return select(row.action_id).where(row.organisation == organisation, row.review_id.in_(of_reviews))


def _holding(organisation: str, locality: str) -> "Select[Any]":
    member, record = escalation_members.c, near_misses.c
    return (
        select(member.escalation_id)
        .join(
            near_misses,
            (record.organisation == member.organisation) & (record.near_miss_id == member.near_miss_id),
        )
        .where(
            member.organisation == organisation,
            member.valid_to == FOR_EVER,
            member.kind != "withdrawn",
            record.locality == locality,
        )
    )
