"""One stream for the organisation's policy: each version as it was adopted. A report is judged by the version
in force when it is recorded, so versions are never changed, only followed by another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.decider import Fault, Invalid
from app.domain.moment import Span
from app.domain.policy import DEFAULT_POLICY, Policy, parse_policy, policy_document
from app.domain.sensitivity import LessSensitive


@dataclass(frozen=True, slots=True)
class Adopt:
    """Put a policy document in force as the next version."""

    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Adopted:
    """The policy in force from here on, complete with the defaults that were filled in.

    `less_sensitive`: the reviews that it would not have opened in the time before, adopted with a reason.
    """

    policy_version: int
    policy: dict[str, Any]
    less_sensitive: LessSensitive | None = None


def decide(command: Adopt, policy: Policy) -> list[Adopted]:
    """The next version, or nothing when the document says what is in force already; raises `Invalid`."""
    adopted = parse_policy(command.document, policy.version + 1)
    document = policy_document(adopted)
    if document == policy_document(policy):
        return []
    _refuse_too_short(adopted)
    return [Adopted(adopted.version, document)]


def candidate(command: Adopt) -> Policy:
    """The policy of a document that is to be tried, whatever is in force; raises `Invalid` as adopting it would."""
    policy = parse_policy(command.document, 1)
    _refuse_too_short(policy)
    return policy


def _refuse_too_short(policy: Policy) -> None:
    if faults := list(_too_short(policy)):
        raise Invalid(*faults)


def _too_short(policy: Policy) -> Iterator[Fault]:
    """Deadlines that nobody could meet, but that would fill the ledger with levels while a service is down."""
    detail = "Give whoever is asked at least a second (PT1S)."
    for n, rule in enumerate(policy.rules):
        steps = {f"ladder/steps/{m}/timeout": step.timeout for m, step in enumerate(rule.ladder.steps)}
        reminders = {"ladder/ack_remind": rule.ladder.ack_remind, "ladder/ack_confirm": rule.ladder.ack_confirm}
        for name, span in {**steps, **reminders, "review_due": rule.review_due}.items():
            if span is not None and _is_shorter_than_a_second(span):
                yield Fault(f"/rules/{n}/{name}", "out-of-range", detail)
    for name, span in (("details_due", policy.details_due), ("workflow_link_due", policy.workflow_link_due)):
        if _is_shorter_than_a_second(span):
            yield Fault(f"/{name}", "out-of-range", detail)


def _is_shorter_than_a_second(span: Span) -> bool:
    return not span.months and not span.days and span.microseconds < 1_000_000


def evolve(_: Policy, event: Adopted) -> Policy:
    """The policy after one was adopted."""
    return parse_policy(event.policy, event.policy_version)


INITIAL = DEFAULT_POLICY
