"""The commands of an escalation: acknowledged, handed over, escalated by hand, snoozed, merged, moved to a policy.

What is due runs first: a timer that is due at the instant of a command, or before it, is answered before the command
is decided, in the same transaction, under its own name and id.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from app.domain import escalation
from app.domain.decider import NotFound
from app.domain.escalation import Escalation, Raised
from app.domain.ladder import Reach
from app.domain.moment import from_micros, to_micros
from app.events.store import Cause, Draft
from app.operations import breaches
from app.operations.asking import addressed, reach_of, terms_in
from app.operations.configuration import policy_at
from app.operations.desk import Desk
from app.operations.job import PreconditionFailed, Unavailable
from app.operations.standings import Known
from app.operations.timing import timer_cause
from app.projections.timers import ESCALATION

NO_SUCH_ESCALATION = "No escalation of that id belongs to this organisation: GET /v1/escalations lists them."
MOST_RUNS = 4
"""Of what is due, before a command is asked to wait: some thousand events, as a ladder of seconds makes in an hour."""

STALE = "It has changed since: read it again and repeat the request with its new ETag."


@dataclass(frozen=True, slots=True)
class Standing:
    """An escalation under the lock, nothing of it being due any more."""

    desk: Desk
    escalation_id: str
    raised: Raised
    state: Escalation
    version: int

    @property
    def stream(self) -> str:
        """Its stream in the ledger."""
        return f"escalation/{self.escalation_id}"

    @property
    def now(self) -> datetime:
        """The instant at which things are being recorded."""
        return from_micros(self.desk.micros)

    def reach(self) -> Reach:
        """Who holds which role for its service."""
        return reach_of(self.desk, self.raised.service_id)

    def draft(self, *commands: escalation.Command) -> Draft:
        """What it says to commands, one after the other."""
        state = self.state
        events: list[escalation.Event] = []
        for command in commands:
            decided = escalation.decide(command, state, self.now)
            for event in decided:
                state = escalation.evolve(state, event)
            events += decided
        return Draft(self.stream, self.version, events)


def load(desk: Desk, escalation_id: str, if_match: int | None = None) -> Standing:
    """The escalation with all answered that is due, or `NotFound`; `PreconditionFailed` when it is at another version
    than the one that was seen.
    """
    standing = read(desk, escalation_id)
    for _ in range(MOST_RUNS):
        if escalation.due(standing.state, standing.now) is None:
            break
        standing = run_due(standing)
    else:
        raise Unavailable("So much was due here that it is still being worked off: send the request again in a moment.")
    if if_match is not None and if_match != standing.version:
        raise PreconditionFailed(STALE)
    return standing


def read(desk: Desk, escalation_id: str) -> Standing:
    """The escalation as it stands, or `NotFound`."""
    known = desk.escalation(escalation_id)
    if known is None:
        raise NotFound(NO_SUCH_ESCALATION)
    return Standing(desk, escalation_id, known.raised, known.state, known.version)


def run_due(standing: Standing) -> Standing:
    """Answer what is due, as much as is answered at once; where it stands after that."""
    desk = standing.desk
    deadline = escalation.due(standing.state, standing.now)
    if deadline is None:
        return standing
    after, events = escalation.run_due(standing.state, standing.now, standing.reach())
    due_at = to_micros(deadline.due_at)
    cause = timer_cause(desk.organisation, ESCALATION, standing.escalation_id, due_at, standing.version)
    desk.context.seed(standing.stream, standing.version, standing.state, escalation.evolve)
    desk.append(cause, [Draft(standing.stream, standing.version, events)])
    version = standing.version + len(events)
    desk.standings.keep(desk.organisation, standing.escalation_id, Known(version, standing.raised, after))
    desk.memory.forget()
    breaches.record(desk, cause, standing.escalation_id, standing.raised, events)
    return replace(standing, state=after, version=version)


def fire(desk: Desk, escalation_id: str) -> None:
    """A timer asks; what is due by the facts answers."""
    run_due(read(desk, escalation_id))


def acknowledge(desk: Desk, cause: Cause, standing: Standing) -> None:
    """Take it on, or stand by the one who did."""
    desk.append(cause, [standing.draft(escalation.Acknowledge(cause.actor))])


def hand_over(desk: Desk, cause: Cause, standing: Standing, to: str) -> None:
    """Ask a role or a person to take it on; it waits for their acknowledgement."""
    command = escalation.HandOver(addressed(desk, to) if to else to, cause.actor, standing.reach())
    desk.append(cause, [standing.draft(command)])


def escalate(desk: Desk, cause: Cause, standing: Standing, if_epoch: int) -> None:
    """Ask the next level now."""
    command = escalation.EscalateManually(if_epoch, cause.actor, standing.reach())
    desk.append(cause, [standing.draft(command)])


def snooze(desk: Desk, cause: Cause, standing: Standing, until: datetime) -> None:
    """Let it rest until an instant; its review's deadline runs on."""
    desk.append(cause, [standing.draft(escalation.Snooze(until, cause.actor))])


def move_to_policy(desk: Desk, cause: Cause, standing: Standing, version: int) -> None:
    """Climb the ladder that another version of the policy has for its rule."""
    policy = policy_at(desk.connection, desk.organisation, version)
    rule = policy.rule(standing.raised.rule_id) if policy is not None else None
    if policy is None or rule is None:
        raise NotFound("No version of the policy of that number has this rule: GET /v1/policy/versions lists them.")
    command = escalation.ReassignPolicy(version, terms_in(desk, rule, policy), cause.actor, standing.reach())
    desk.append(cause, [standing.draft(command)])
