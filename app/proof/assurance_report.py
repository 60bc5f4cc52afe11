"""How a validation is told: who it is about, what is still inside its deadline, and what is missing, by name.

It is confirmed when there is something to confirm, and nothing pending or missing; of nothing it confirms nothing, but
what is missing is told all the same. The lists are bounded, their totals are not.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.events.envelope import instant
from app.proof.assurance_scratch import Scratch

MOST_LISTED = 1_000
"""Of each list; how many there are in all is said beside it."""


@dataclass(frozen=True, slots=True)
class Question:
    """The period [since, until), the instant at which deadlines are judged, and the services asked about; instants in
    microseconds. `sees_governance`: whether what leadership did about them is there to be read, all of it.
    """

    since: int | None
    until: int | None
    at: int
    services: frozenset[str] | None
    sees_governance: bool = True

    @property
    def low(self) -> int:
        """The first instant of the period."""
        return -(2**62) if self.since is None else self.since

    @property
    def high(self) -> int:
        """The first instant after the period; what lies ahead of `at` is not asked about where no end is named."""
        return 2**62 if self.until is None else self.until

    def holds(self, at: int | None) -> bool:
        """Whether an instant lies in the period."""
        return at is not None and self.low <= at < self.high

    def is_about(self, services: Iterable[str | None]) -> bool:
        """Whether any of these services is asked about."""
        return self.services is None or not self.services.isdisjoint(services)


@dataclass(slots=True)
class Validation:
    """What was found of one validation."""

    id: str
    population: int = 0
    pending: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    exceptions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pending_total: int = 0
    exceptions_total: int = 0
    why_unsure: str | None = None
    """Why nothing can be confirmed, however well what is seen may be."""

    def wait(self, ids: Iterable[str], due: int) -> None:
        """It is inside its deadline."""
        self.pending_total += 1
        if len(self.pending) < MOST_LISTED:
            self.pending.append({"ids": list(ids), "due": instant(due)})

    def fail(self, ids: Iterable[str], reason: str, **detail: Any) -> None:
        """It is past its deadline, or missing."""
        self.exceptions_total += 1
        if len(self.exceptions) < MOST_LISTED:
            self.exceptions.append({"ids": list(ids), "reason": reason, **({"detail": detail} if detail else {})})

    def document(self, **more: Any) -> dict[str, Any]:
        """As it is told."""
        well = not (self.pending_total or self.exceptions_total)
        unsure = well and (self.population == 0 or self.why_unsure is not None)
        more |= {} if self.why_unsure is None else {"why": self.why_unsure}
        return {
            "id": self.id,
            "confirmed": None if unsure else well,
            "population": self.population,
            "pending": self.pending,
            "pending_total": self.pending_total,
            "exceptions": self.exceptions,
            "exceptions_total": self.exceptions_total,
            **more,
        }


def services_of(scratch: Scratch, escalation_id: str, service: str | None) -> Iterator[str | None]:
    """The services that an escalation is about: its key's, or else those of its near misses."""
    yield service
    if service is None:
        for row in scratch.each(_SERVICES, escalation_id):
            yield row[0]


def texts(document: str | None) -> list[str]:
    """A list of texts as the scratch keeps it."""
    return [] if document is None else json.loads(document)


_SERVICES = """
SELECT DISTINCT r.service FROM members AS m JOIN records AS r ON r.id = m.id WHERE m.escalation = ?
"""
