"""The commands of a governance review: opened on what the service saw, worked through, closed by leadership (S12–S15).

The snapshot is computed on a reader before the head is locked, as of a sequence, and stored with that sequence; so a
large one keeps nobody else waiting. Whatever comes later, an escalation of the period above all, is asked for again
when the review is to be closed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import select

from app.database.tables import events
from app.domain import action, governance
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.governance import Matter, Opened, Review
from app.domain.moment import from_micros
from app.domain.sealed import Reference, SealedText
from app.events.store import Cause, Draft
from app.operations import acting
from app.operations.configuration import Configuration
from app.operations.desk import Desk
from app.operations.governance_carrying import carried_over
from app.operations.governance_period import Period, escalations_in, matter, period_of, standings
from app.operations.governance_snapshot import unanswered
from app.operations.job import PreconditionFailed
from app.operations.known_places import unknown
from app.operations.reporting import Sealer, sealed_before
from app.operations.show import Reader

NO_SUCH_REVIEW = "No governance review of that id belongs to this organisation: GET /v1/governance-reviews lists them."
STALE = "It has changed since: read it again and repeat the request with its new ETag."
EARLIEST = 2000
"""No period begins before this year, as no occurrence does."""

_STREAMS = {"nm": "near_miss", "esc": "escalation", "rev": "review", "act": "action", "sig": "signal"}
"""What an id that begins so is of, among what a decision can cite."""


@dataclass(frozen=True, slots=True)
class Case:
    """A governance review under the lock."""

    desk: Desk
    review_id: str
    opened: Opened
    state: Review
    version: int

    @property
    def now(self) -> datetime:
        """The instant at which things are being recorded."""
        return from_micros(self.desk.micros)

    def draft(self, command: governance.Command) -> Draft:
        """What it says to a command."""
        return Draft(
            f"governance_review/{self.review_id}", self.version, governance.decide(command, self.state, self.now)
        )

    def text(self, words: str) -> SealedText:
        """Words sealed under the review's key; as they were sealed before, if the same were said before."""
        said = list(governance.words_said(self.state))
        known = sealed_before(self.desk, words, said)
        return known or Sealer(self.desk, said[0].key if said else None).text(words)

    def person(self, ref: str) -> Reference:
        """A person, sealed."""
        return Sealer(self.desk).reference("staff", ref)


def load(desk: Desk, review_id: str, if_match: int | None = None) -> Case:
    """The review, or `NotFound`; `PreconditionFailed` when it is at another version."""
    state, version = desk.fold(f"governance_review/{review_id}", governance.UNOPENED, governance.evolve)
    if state.opened is None:
        raise NotFound(NO_SUCH_REVIEW)
    if if_match is not None and if_match != version:
        raise PreconditionFailed(STALE)
    return Case(desk, review_id, state.opened, state, version)


# Opening


def asked_for(settled: Configuration, document: Mapping[str, Any]) -> Period:
    """The period and the services that a request names; `Invalid` where there is no such period.

    Dates are days of the organisation's time zone; a service may be named by any of its names.
    """
    since, until = (_instant(settled, document[name], f"/{name}") for name in ("from", "to"))
    services = (settled.service_of(one)[0] or one for one in document.get("services") or ())
    period = Period(
        since, until, tuple(dict.fromkeys(services)), tuple(dict.fromkeys(document.get("localities") or ()))
    )
    if until <= since:
        raise Invalid(Fault("/to", "out-of-order", "Give an end of the period that comes after its start."))
    return period


def must_be_known(reader: Reader, settled: Configuration, document: Mapping[str, Any]) -> None:
    """`Invalid` names every service and locality that nobody knows: a review of nothing finds nothing."""
    services, localities = (
        [(f"/{name}/{n}", one) for n, one in enumerate(document.get(name) or ())] for name in ("services", "localities")
    )
    if faults := list(unknown(reader, settled, services, localities)):
        raise Invalid(*faults)


def _instant(settled: Configuration, moment: str, pointer: str) -> datetime:
    at = acting.instant_of(settled, moment, pointer)
    if at.year < EARLIEST:
        raise Invalid(Fault(pointer, "out-of-range", f"Give a time from the year {EARLIEST} on."))
    return at


def open_review(
    desk: Desk, cause: Cause, review_id: str, document: Mapping[str, Any], period: Period, snapshot: dict[str, Any]
) -> None:
    """Begin the review of a period, with what was seen of it."""
    opened = Opened(
        document["title"],
        document["from"],
        document["to"],
        period.since,
        period.until,
        Sealer(desk).reference("staff", document["chair"]),
        snapshot,
        period.services,
        period.localities,
    )
    state, version = desk.fold(f"governance_review/{review_id}", governance.UNOPENED, governance.evolve)
    decided = governance.decide(governance.Open(opened), state, from_micros(desk.micros))
    desk.append(cause, [Draft(f"governance_review/{review_id}", version, decided)])


# Working through it


def recommend(desk: Desk, cause: Cause, case: Case, document: Mapping[str, Any]) -> None:
    """Recommend an action, or say that there is none. One with an owner and a due date is followed up."""
    if document.get("none") is not None:
        desk.append(cause, [case.draft(governance.RecommendNone(case.text(document["none"])))])
        return
    owner, due = document.get("owner"), document.get("due")
    action_id = "act_" + uuid5(UUID(cause.command_id), "action").hex if owner and due else None
    recommended = governance.ActionRecommended(
        case.text(document["description"]),
        case.person(owner) if owner else None,
        due,
        acting.instant_of(desk.configuration, due, "/due") if due else None,
        action_id,
    )
    drafts = [case.draft(governance.RecommendAction(recommended))]
    if drafts[0].events and recommended.owner and recommended.due and recommended.due_at:
        agree = action.Agree(
            "",
            recommended.description,
            recommended.owner,
            recommended.due,
            recommended.due_at,
            governance.TERMS,
            case.review_id,
        )
        drafts.append(Draft(f"action/{action_id}", 0, action.decide(agree, action.UNAGREED, case.now)))
    desk.append(cause, drafts)


def decide(desk: Desk, cause: Cause, case: Case, text: str, cites: Sequence[str]) -> None:
    """Record a decision with what it rests on, which has to exist."""
    named = tuple(dict.fromkeys(cites))
    desk.append(cause, [case.draft(governance.Decide(case.text(text), named, known_among(desk, named)))])


def assess(desk: Desk, cause: Cause, case: Case, document: Mapping[str, Any]) -> None:
    """Say whether the patterns indicate an emerging risk that requires intervention, and why."""
    command = governance.Assess(
        document["determination"], document["intervention_required"], case.text(document["rationale"])
    )
    desk.append(cause, [case.draft(command)])


def minute(desk: Desk, cause: Cause, case: Case, text: str, present: Sequence[str]) -> None:
    """Record the minutes, and who was there."""
    there = tuple(case.person(one) for one in dict.fromkeys(present))
    desk.append(cause, [case.draft(governance.Minute(case.text(text), there))])


def close(desk: Desk, cause: Cause, case: Case, summary: str) -> None:
    """Conclude the review, once every gate is met."""
    reader = Reader(desk.connection, desk.vault, desk.organisation)
    signals = still_unanswered(reader, case.opened)
    matters = matters_of(reader, case.opened)
    close_it = governance.Close(case.text(summary), matters, signals, _cancelled(reader, case.state))
    desk.append(cause, [case.draft(close_it)])


def _cancelled(reader: Reader, state: Review) -> frozenset[str]:
    """Those of the recommended actions that were cancelled since."""
    told = reader.told([f"action/{one.action_id}" for one in state.recommended if one.action_id is not None])
    return frozenset(
        stream.removeprefix("action/")
        for stream, its in told.items()
        if any(isinstance(one.event, action.Cancelled) for one in its)
    )


# What it has to consider


def matters_of(reader: Reader, opened: Opened) -> tuple[Matter, ...]:
    """The escalations of the review's period and services, and those carried into it: those it saw when it was opened,
    and those since.
    """
    period = period_of(opened)
    since = {one.escalation_id: one for one in (*escalations_in(reader, period), *carried_over(reader, period))}
    seen_first = [one["id"] for one in opened.snapshot["escalations"]]
    found = {one.escalation_id: one for one in standings(reader, seen_first)} | since
    merged_into = {one.state.merged_into for one in found.values() if one.state.merged_into} - found.keys()
    others = found | {one.escalation_id: one for one in standings(reader, sorted(merged_into))}
    return tuple(matter(one, others) for one in found.values())


def still_unanswered(reader: Reader, opened: Opened) -> tuple[str, ...]:
    """The signals of the snapshot that nobody has answered since; those that it had no room for among them."""
    seen, is_all = (
        {one["id"] for one in opened.snapshot["signals"]},
        "signals" not in opened.snapshot.get("left_out", {}),
    )
    return tuple(
        one["id"]
        for one in unanswered(reader, period_of(opened))
        if one["id"] in seen or not (is_all or one["raised_at"] > opened.snapshot["computed_at"])
    )


def known_among(desk: Desk, cites: Sequence[str]) -> frozenset[str]:
    """Those of the ids that a decision may cite, and that are of this organisation."""
    streams = {f"{kind}/{one}": one for one in cites if (kind := _STREAMS.get(one.partition("_")[0])) is not None}
    event, names = events.c, list(streams)
    found: list[str] = []
    for start in range(0, len(names), 500):
        chosen = select(event.stream).where(
            event.organisation == desk.organisation,
            event.stream.in_(names[start : start + 500]),
            event.version == 1,
        )
        found += desk.connection.execute(chosen).scalars()
    return frozenset(streams[one] for one in found)
