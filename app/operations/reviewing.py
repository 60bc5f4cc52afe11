"""The commands of a manager review: what they change in the review, its escalation, its actions and its near misses.

Closing a review consumes its members and closes their records, in one transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from app.domain import action, escalation, near_miss, review
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.escalation import Escalation
from app.domain.moment import from_micros, parse_instant, parse_moment
from app.domain.near_miss import (
    NearMiss,
)
from app.domain.report import (
    stage_is_identified,
    unmapped,
)
from app.domain.review import Review
from app.events.store import Cause, Draft
from app.operations import revise
from app.operations.desk import Desk
from app.operations.job import PreconditionFailed
from app.operations.reporting import Sealer

NO_SUCH_REVIEW = "No review of that id belongs to this organisation: GET /v1/reviews lists them."


@dataclass(slots=True)
class Case:
    """A review under the lock, with the escalation it is about."""

    desk: Desk
    review_id: str
    state: Review
    version: int
    escalation_id: str
    about: Escalation
    about_version: int

    @property
    def members(self) -> list[str]:
        """The near misses that closing consumes."""
        return [one for one, standing in self.about.members.items() if standing == "member"]

    def decide(self, command: review.Command) -> list[review.Event]:
        """What the review says to a command."""
        return review.decide(command, self.state, self.desk.now)

    def drafts(self, events: Sequence[review.Event], *commands: escalation.Command) -> list[Draft]:
        """The review's events, and what its escalation says to commands that follow from them."""
        state = self.about
        followed: list[escalation.Event] = []
        for command in commands if events else ():
            decided = escalation.decide(command, state, self.desk.now)
            for event in decided:
                state = escalation.evolve(state, event)
            followed += decided
        return [
            Draft(f"review/{self.review_id}", self.version, events),
            Draft(f"escalation/{self.escalation_id}", self.about_version, followed),
        ]


def load(desk: Desk, review_id: str, if_match: int | None = None) -> Case:
    """The review and its escalation, or `NotFound`; `PreconditionFailed` when it is at another version."""
    state, version = desk.fold(f"review/{review_id}", review.UNOPENED, review.evolve)
    if version == 0:
        raise NotFound(NO_SUCH_REVIEW)
    if if_match is not None and if_match != version:
        raise PreconditionFailed("It has changed since: read it again and repeat the request with its new ETag.")
    opened: review.Opened = desk.read(f"review/{review_id}")[0].event
    about, about_version = desk.fold(f"escalation/{opened.escalation_id}", escalation.UNRAISED, escalation.evolve)
    return Case(desk, review_id, state, version, opened.escalation_id, about, about_version)


def start(desk: Desk, cause: Cause, case: Case) -> None:
    """Take the review on; that acknowledges its escalation."""
    decided = case.decide(review.Start(cause.actor))
    desk.append(cause, case.drafts(decided, escalation.BeginReview(cause.actor)))


def identify_causes(desk: Desk, cause: Cause, case: Case, causes: Sequence[Mapping[str, Any]]) -> None:
    """Say what allowed the near misses to repeat (S4)."""
    sealer = _sealer(case)
    command = review.IdentifyCauses(
        tuple(
            review.Cause(one["code"], one["kind"], sealer.text(one["note"]) if one.get("note") else None)
            for one in causes
        ),
        desk.configuration.taxonomy.codes("cause_codes"),
    )
    desk.append(cause, case.drafts(case.decide(command)))


def determine_system_risk(desk: Desk, cause: Cause, case: Case, determination: Any, rationale: str) -> None:
    """Say whether it is a system risk, and why."""
    command = review.DetermineSystemRisk(determination, _sealer(case).text(rationale))
    desk.append(cause, case.drafts(case.decide(command)))


def consider_safeguarding(desk: Desk, cause: Cause, case: Case, document: Mapping[str, Any]) -> None:
    """Say whether safeguarding was considered, and whether a concern was raised."""
    sealer = _sealer(case)
    raised = document.get("concern_raised")
    note = document.get("note")
    command = review.ConsiderSafeguarding(
        document["considered"],
        review.Concern(sealer.text(raised["to"]), sealer.text(raised["reference"]), parse_instant(raised["at"]))
        if raised
        else None,
        sealer.text(note) if note else None,
    )
    desk.append(cause, case.drafts(case.decide(command)))


def link_members(desk: Desk, cause: Cause, case: Case, ids: Sequence[str], link: Mapping[str, Any]) -> None:
    """Lay one workflow link over several of the escalation's near misses: one event each."""
    strangers = [
        Fault(f"/near_miss_ids/{index}", "not-a-member", "Name near misses of this review's escalation.")
        for index, one in enumerate(ids)
        if case.about.members.get(one, "withdrawn") == "withdrawn"
    ]
    if strangers:
        raise Invalid(*strangers)
    records = [revise.load(desk, one) for one in dict.fromkeys(ids)]
    for record in records:
        revise.check_link(record, link)
    for record in records:
        revise.link(desk, cause, record, link)


def agree_action(desk: Desk, cause: Cause, case: Case, document: Mapping[str, Any]) -> None:
    """Agree on an action with an owner and a due date."""
    action_id = "act_" + uuid5(UUID(cause.command_id), "action").hex
    decided = case.decide(review.AgreeAction(action_id))
    sealer = _sealer(case)
    agreed = action.decide(
        action.Agree(
            case.review_id,
            sealer.text(document["description"]),
            sealer.reference("staff", document["owner"]),
            document["due"],
            _due_at(desk, document["due"]),
        ),
        action.UNAGREED,
        desk.now,
    )
    drafts = case.drafts(decided, escalation.AgreeAction(action_id))
    desk.append(cause, [*drafts, Draft(f"action/{action_id}", 0, agreed)])


def countersign(desk: Desk, cause: Cause, case: Case, rationale: str) -> None:
    """Leadership stands for closing without a system cause (S4)."""
    command = review.Countersign(cause.actor, _sealer(case).text(rationale))
    desk.append(cause, case.drafts(case.decide(command)))


def close(desk: Desk, cause: Cause, case: Case, code: str, summary: str) -> None:
    """Conclude the review, once every gate is met; its members are consumed and their records closed."""
    loaded = [revise.load(desk, one) for one in case.members]
    # A report may be withdrawn while another policy keys it elsewhere: it stays a member, and nobody can link it.
    members = [one for one in loaded if one.state.counts]
    command = review.Close(
        code,
        _sealer(case).text(summary),
        tuple(one.near_miss_id for one in members if not stage_is_identified(one.state.workflow_link)),
        tuple(one.near_miss_id for one in members if _is_unmapped(one.state)),
        tuple(one.near_miss_id for one in members),
        desk.configuration.taxonomy.codes("closure_codes"),
    )
    decided = case.decide(command)
    follows = escalation.BeginMonitoring(code) if case.state.actions else escalation.Close(code)
    drafts = case.drafts(decided, follows)
    for member in members if decided else ():
        closed = near_miss.decide(near_miss.CloseWithReview(case.review_id), member.state, desk.now)
        drafts.append(Draft(member.stream, member.version, closed))
    desk.append(cause, drafts)


def _is_unmapped(state: NearMiss) -> bool:
    report, link = state.report, state.workflow_link
    return report is not None and stage_is_identified(link) and bool(unmapped(report, link))


def _sealer(case: Case) -> Sealer:
    found = (case.state.system_risk.rationale if case.state.system_risk else None,)
    return Sealer(case.desk, next((text.key for text in found if text is not None), None))


def _due_at(desk: Desk, due: str) -> datetime:
    return from_micros(parse_moment(due, desk.configuration.zone).at)
