"""The commands of an action: told how it goes, completed, cancelled, looked at again; and its deadline, which climbs.

What is due runs first: an action that is overdue at the instant of a command, or before it, has climbed before the
command is decided, in the same transaction. When the last open action of a review that is closed has ended, its
escalation is closed too; and once the last one of any review has, what came of them is followed up.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from app.domain import action, escalation, review
from app.domain.action import Action, Agreed, Method
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.escalation import Raised
from app.domain.ladder import Reach
from app.domain.moment import from_micros, parse_moment, to_micros
from app.domain.sealed import SealedText
from app.events.store import Cause, Draft
from app.operations import outcomes
from app.operations.asking import reach_of
from app.operations.configuration import Configuration
from app.operations.desk import Desk
from app.operations.job import PreconditionFailed
from app.operations.reporting import Sealer, sealed_before
from app.operations.timing import timer_cause
from app.projections.timers import ACTION

NO_SUCH_ACTION = "No action of that id belongs to this organisation: GET /v1/actions lists them."
STALE = "It has changed since: read it again and repeat the request with its new ETag."


@dataclass(frozen=True, slots=True)
class Undertaking:
    """An action under the lock, nothing of it being due any more."""

    desk: Desk
    action_id: str
    agreed: Agreed
    state: Action
    version: int

    @property
    def stream(self) -> str:
        """Its stream in the ledger."""
        return f"action/{self.action_id}"

    @property
    def now(self) -> datetime:
        """The instant at which things are being recorded."""
        return from_micros(self.desk.micros)

    @property
    def escalation_id(self) -> str | None:
        """The escalation whose review agreed on it; None where leadership did."""
        if self.agreed.governance_review_id is not None:
            return None
        opened: review.Opened = self.desk.read(f"review/{self.agreed.review_id}")[0].event
        return opened.escalation_id

    def reach(self) -> Reach:
        """Who holds which role for the service that its review is about."""
        if self.escalation_id is None:
            return reach_of(self.desk, None)
        raised: Raised = self.desk.read(f"escalation/{self.escalation_id}")[0].event
        return reach_of(self.desk, raised.service_id)

    def draft(self, command: action.Command) -> Draft:
        """What it says to a command."""
        return Draft(self.stream, self.version, action.decide(command, self.state, self.now))

    def text(self, words: str, *formerly: SealedText | None) -> SealedText:
        """Words sealed under the action's key; as they were sealed formerly, if they are the same."""
        said = sealed_before(self.desk, words, [one for one in formerly if one is not None])
        return said or Sealer(self.desk, self.agreed.description.key).text(words)


def load(desk: Desk, action_id: str, if_match: int | None = None) -> Undertaking:
    """The action with all answered that is due, or `NotFound`; `PreconditionFailed` when it is at another version
    than the one that was seen.
    """
    undertaking = read(desk, action_id)
    while _is_due(undertaking):
        undertaking = run_due(undertaking)
    if if_match is not None and if_match != undertaking.version:
        raise PreconditionFailed(STALE)
    return undertaking


def read(desk: Desk, action_id: str) -> Undertaking:
    """The action as it stands, or `NotFound`."""
    told = desk.read(f"action/{action_id}")
    if not told:
        raise NotFound(NO_SUCH_ACTION)
    state = action.UNAGREED
    for one in told:
        state = action.evolve(state, one.event)
    return Undertaking(desk, action_id, told[0].event, state, len(told))


def run_due(undertaking: Undertaking) -> Undertaking:
    """Answer what is due, as much as is answered at once; where it stands after that."""
    desk, due_at = undertaking.desk, undertaking.state.due_at
    if due_at is None or not _is_due(undertaking):
        return undertaking
    after, events = action.run_due(undertaking.state, undertaking.now, undertaking.reach())
    cause = timer_cause(desk.organisation, ACTION, undertaking.action_id, to_micros(due_at), undertaking.version)
    desk.append(cause, [Draft(undertaking.stream, undertaking.version, events)])
    return replace(undertaking, state=after, version=undertaking.version + len(events))


def fire(desk: Desk, action_id: str) -> None:
    """A timer asks; what is due by the facts answers."""
    run_due(read(desk, action_id))


def progress(desk: Desk, cause: Cause, undertaking: Undertaking, note: str) -> None:
    """Tell how it goes; its deadline stays."""
    said = undertaking.state.progress
    sealed = undertaking.text(note, said.note if said else None)
    desk.append(cause, [undertaking.draft(action.Progress(sealed, cause.actor))])


def complete(desk: Desk, cause: Cause, undertaking: Undertaking, effective_from: str, evidence: str) -> None:
    """It is done, and works from a date or an instant on, which may have passed."""
    effective_at = instant_of(desk.configuration, effective_from, "/effective_from")
    ended = undertaking.state.ended
    sealed = undertaking.text(evidence, ended.evidence if isinstance(ended, action.Completed) else None)
    _end(desk, cause, undertaking, action.Complete(effective_from, effective_at, sealed, cause.actor))


def cancel(desk: Desk, cause: Cause, undertaking: Undertaking, reason: str) -> None:
    """It is not going to be done, and why."""
    ended = undertaking.state.ended
    sealed = undertaking.text(reason, ended.reason if isinstance(ended, action.Cancelled) else None)
    _end(desk, cause, undertaking, action.Cancel(sealed, cause.actor))


def check_effectiveness(
    desk: Desk, cause: Cause, undertaking: Undertaking, method: Method, result: str, by: str, at: str
) -> None:
    """Say whether it works: how that was looked at, what was found, by whom and when."""
    checks = undertaking.state.checks
    command = action.CheckEffectiveness(
        method,
        undertaking.text(result, *(one.result for one in checks)),
        sealed_before(desk, by, [one.by for one in checks]) or Sealer(desk).reference("staff", by),
        instant_of(desk.configuration, at, "/at"),
    )
    desk.append(cause, [undertaking.draft(command)])


def open_among(desk: Desk, action_ids: Iterable[str]) -> list[str]:
    """Those of these actions that nobody has completed or cancelled."""
    return [one for one in action_ids if read(desk, one).state.ended is None]


def instant_of(settled: Configuration, moment: str, pointer: str) -> datetime:
    """The instant that a date or an instant stands for: a date is the start of that day in the organisation's zone."""
    try:
        return from_micros(parse_moment(moment, settled.zone).at)
    except ValueError as error:  # Midnight of the first or last day that there is, elsewhere than in Greenwich.
        raise Invalid(Fault(pointer, "not-a-moment", str(error))) from None


def _end(desk: Desk, cause: Cause, undertaking: Undertaking, command: action.Complete | action.Cancel) -> None:
    drafts = [undertaking.draft(command)]
    if drafts[0].events:
        drafts += _monitoring_ended(undertaking)
    desk.append(cause, drafts)
    if drafts[0].events and undertaking.escalation_id is not None:
        outcomes.follow_up(desk, cause, undertaking.agreed.review_id)


def _monitoring_ended(undertaking: Undertaking) -> list[Draft]:
    """What its escalation says to that, once no other action of the review is open."""
    desk = undertaking.desk
    if undertaking.escalation_id is None:
        return []
    agreed_on, _ = desk.fold(f"review/{undertaking.agreed.review_id}", review.UNOPENED, review.evolve)
    if open_among(desk, (one for one in agreed_on.actions if one != undertaking.action_id)):
        return []
    stream = f"escalation/{undertaking.escalation_id}"
    state, version = desk.fold(stream, escalation.UNRAISED, escalation.evolve)
    return [Draft(stream, version, escalation.decide(escalation.EndMonitoring(), state, undertaking.now))]


def _is_due(undertaking: Undertaking) -> bool:
    due_at = undertaking.state.due_at
    return due_at is not None and due_at <= undertaking.now
