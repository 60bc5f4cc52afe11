"""One stream for the organisation's policy: each version as it was adopted. A report is judged by the version
in force when it is recorded, so versions are never changed, only followed by another.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.domain.policy import DEFAULT_POLICY, Policy, parse_policy, policy_document


@dataclass(frozen=True, slots=True)
class Adopt:
    """Put a policy document in force as the next version."""

    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Adopted:
    """The policy in force from here on, complete with the defaults that were filled in."""

    policy_version: int
    policy: dict[str, Any]


def decide(command: Adopt, policy: Policy) -> list[Adopted]:
    """The next version, or nothing when the document says what is in force already; raises `Invalid`."""
    adopted = parse_policy(command.document, policy.version + 1)
    document = policy_document(adopted)
    if document == policy_document(policy):
        return []
    return [Adopted(adopted.version, document)]


def evolve(_: Policy, event: Adopted) -> Policy:
    """The policy after one was adopted."""
    return parse_policy(event.policy, event.policy_version)


INITIAL = DEFAULT_POLICY
