"""The commands of a manager review: what they change in the review, its escalation, its actions and its near misses.

Closing a review consumes its members and closes their records, in one transaction; reopening it undoes both. What is
due of the escalation runs first: it has climbed before any command of its review is decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Row, select

from app.database.tables import escalations
from app.domain import action, episodes, escalation, near_miss, review
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.episodes import Hearing
from app.domain.escalation import Escalation
from app.domain.moment import parse_instant, to_micros
from app.domain.near_miss import (
    NearMiss,
)
from app.domain.report import (
    stage_is_identified,
    unmapped,
)
from app.domain.review import Review
from app.events.store import Cause, Draft
from app.operations import acting, climbing, cooling, revise
from app.operations.climbing import Standing
from app.operations.desk import Desk
from app.operations.job import PreconditionFailed
from app.operations.judging import drafts_of
from app.operations.reporting import Sealer
from app.operations.revise import Record

NO_SUCH_REVIEW = "No review of that id belongs to this organisation: GET /v1/reviews lists them."


@dataclass(frozen=True, slots=True)
class Case:
    """A review under the lock, with the escalation it is about, nothing of that being due any more."""

    desk: Desk
    review_id: str
    state: Review
    version: int
    standing: Standing

    @property
    def about(self) -> Escalation:
        """The escalation."""
        return self.standing.state

    @property
    def now(self) -> datetime:
        """The instant at which things are being recorded."""
        return self.standing.now

    @property
    def members(self) -> list[str]:
        """The near misses that closing consumes."""
        return [one for one, kind in self.about.members.items() if kind == "member"]

    def decide(self, command: review.Command) -> list[review.Event]:
        """What the review says to a command."""
        return review.decide(command, self.state, self.now)

    def drafts(self, events: Sequence[review.Event], *commands: escalation.Command) -> list[Draft]:
        """The review's events, and what its escalation says to commands that follow from them."""
        followed = self.standing.draft(*commands if events else ())
        return [Draft(f"review/{self.review_id}", self.version, events), followed]


def load(desk: Desk, review_id: str, if_match: int | None = None) -> Case:
    """The review and its escalation, or `NotFound`; `PreconditionFailed` when it is at another version."""
    state, version = desk.fold(f"review/{review_id}", review.UNOPENED, review.evolve)
    if version == 0:
        raise NotFound(NO_SUCH_REVIEW)
    if if_match is not None and if_match != version:
        raise PreconditionFailed("It has changed since: read it again and repeat the request with its new ETag.")
    opened: review.Opened = desk.read(f"review/{review_id}")[0].event
    return Case(desk, review_id, state, version, climbing.load(desk, opened.escalation_id))


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
    review.must_not_be_merged(case.state)
    strangers = [
        Fault(f"/near_miss_ids/{index}", "not-a-member", "Name near misses of this review's escalation.")
        for index, one in enumerate(ids)
        if case.about.members.get(one, "withdrawn") == "withdrawn"
    ]
    if strangers:
        raise Invalid(*strangers)
    records = {one: revise.load(desk, one) for one in ids}
    ended = [
        Fault(f"/near_miss_ids/{index}", "not-open", "It is closed, or counts no more: leave it out.")
        for index, one in enumerate(ids)
        if (records[one].state.closed or not records[one].state.counts) and not revise.says(records[one], link)
    ]
    if ended:
        raise Invalid(*ended)
    for record in records.values():
        revise.check_link(record, link, cause)
    for record in records.values():
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
            acting.instant_of(desk.configuration, document["due"], "/due"),
            terms=case.about.terms,
        ),
        action.UNAGREED,
        case.now,
    )
    drafts = case.drafts(decided, escalation.AgreeAction(action_id))
    desk.append(cause, [*drafts, Draft(f"action/{action_id}", 0, agreed)])


def countersign(desk: Desk, cause: Cause, case: Case, rationale: str) -> None:
    """Leadership stands for closing without a system cause (S4)."""
    command = review.Countersign(cause.actor, _sealer(case).text(rationale))
    desk.append(cause, case.drafts(case.decide(command)))


def close(desk: Desk, cause: Cause, case: Case, code: str, summary: str) -> None:
    """Conclude the review, once every gate is met; its members are consumed and their records closed."""
    # A report may be withdrawn while another policy keys it elsewhere: it stays a member, and nobody can link it.
    held = [one for one in _held(case) if one.state.counts]
    consumed = set(case.members)
    members = [one for one in held if one.near_miss_id in consumed]
    command = review.Close(
        code,
        _sealer(case).text(summary),
        tuple(one.near_miss_id for one in members if not stage_is_identified(one.state.workflow_link)),
        tuple(one.near_miss_id for one in members if _is_unmapped(one.state)),
        tuple(one.near_miss_id for one in members),
        cause.actor,
        frozenset(staff.ref.token for one in held for staff in one.report.staff_involved),
        desk.configuration.taxonomy.codes("closure_codes"),
    )
    decided = case.decide(command)
    is_left_open = bool(acting.open_among(desk, case.state.actions))
    ending = escalation.BeginMonitoring if is_left_open else escalation.Close
    dismissed = _dismissed_before(case) if code in review.COUNTERSIGNED_CODES else 0
    drafts = case.drafts(decided, ending(code, dismissed, case.standing.reach()))
    for member in members if decided else ():
        closed = near_miss.decide(near_miss.CloseWithReview(case.review_id), member.state, case.now)
        drafts.append(Draft(member.stream, member.version, closed))
    desk.append(cause, drafts)


def reopen(desk: Desk, cause: Cause, case: Case, reason: str) -> None:
    """Go on with it: its escalation asks again from the foot of the ladder, what was closed with it is open again."""
    newer = next((one.escalation_id for one in _others(case) if one.is_open), None)
    decided = case.decide(review.Reopen(_sealer(case).text(reason), newer))
    drafts = case.drafts(decided, escalation.Reopen(case.standing.reach()))
    for record in _held(case) if decided else ():
        reopened = near_miss.decide(near_miss.ReopenWithReview(case.review_id), record.state, case.now)
        drafts.append(Draft(record.stream, record.version, reopened))
    desk.append(cause, drafts)
    if decided:
        desk.append(cause, _taken_up(case, cause))


def merge(desk: Desk, standing: Standing, into_review_id: str) -> Draft | None:
    """What the review of an escalation says when that goes on in another one, whose review this is."""
    if (review_id := standing.raised.review_id) is None:
        return None
    state, version = desk.fold(f"review/{review_id}", review.UNOPENED, review.evolve)
    merged = review.decide(review.MergeInto(into_review_id), state, standing.now)
    return Draft(f"review/{review_id}", version, merged)


def _taken_up(case: Case, cause: Cause) -> list[Draft]:
    """What came to its key while it was closed, also what its cool-down put off, joins what was reopened (S3)."""
    desk, raised = case.desk, case.standing.raised
    desk.memory.forget()
    settled, key = desk.configuration, tuple(value for _, value in raised.key)
    rule = settled.policy.rule(raised.rule_id)
    if rule is None or rule.mode != "active":
        return []
    since = desk.read(case.standing.stream)[0].envelope.sequence
    hearing = Hearing(settled.policy, rule, desk.memory, desk.micros, settled.zone)
    effects = episodes.reopened(hearing, key, since, cooling.deferred_on(desk, rule.id, key, since))
    return drafts_of(desk, effects, cause.command_id)


def _held(case: Case) -> list[Record]:
    """Every near miss that the escalation holds, members and related ones."""
    return [revise.load(case.desk, one) for one, kind in case.about.members.items() if kind != "withdrawn"]


def _others(case: Case) -> Sequence[Row[str, bool, int | None]]:
    """The other escalations of the same rule and key, the latest first."""
    raised, row = case.standing.raised, escalations.c
    chosen = select(row.escalation_id, row.is_open, row.closed_at).where(
        row.organisation == case.desk.organisation,
        row.rule_id == raised.rule_id,
        row.key_text == raised.key_text,
        row.escalation_id != case.standing.escalation_id,
    )
    return case.desk.connection.execute(chosen.order_by(row.sequence.desc())).all()


def _dismissed_before(case: Case) -> int:
    """How many other episodes of the key were closed as no pattern of late (S4)."""
    since = to_micros(case.now - review.DISMISSALS_REMEMBERED)
    recent = [one.escalation_id for one in _others(case) if one.closed_at is not None and one.closed_at >= since]
    ended = [climbing.read(case.desk, one).state.closed_as for one in recent]
    return sum(code in review.COUNTERSIGNED_CODES for code in ended)


def _is_unmapped(state: NearMiss) -> bool:
    report, link = state.report, state.workflow_link
    return report is not None and stage_is_identified(link) and bool(unmapped(report, link))


def _sealer(case: Case) -> Sealer:
    found = (case.state.system_risk.rationale if case.state.system_risk else None,)
    return Sealer(case.desk, next((text.key for text in found if text is not None), None))
