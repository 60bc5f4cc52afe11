"""The three validations (S5, S11, S15), recomputed from events alone: what was to be shown, and what is missing.

Nothing here has seen the service: one pass over the events, in ledger order, into a notebook that is thrown away. What
was known when the period ended is told beside what is known now, so that late reports, and late answers, show.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import msgspec

from app.domain.decider import Refused
from app.events.catalogue import CATALOGUE
from app.events.envelope import instant
from app.events.upcasts import UPCASTS
from app.proof import assurance_linked, assurance_repeated
from app.proof.assurance_counting import TooMuchToCount
from app.proof.assurance_crossings import Crossings
from app.proof.assurance_escalations import Escalations
from app.proof.assurance_governance import Governance
from app.proof.assurance_report import Question
from app.proof.assurance_scratch import Scratch, opened
from app.proof.assurance_sources import Sources
from app.proof.events import Event

RULES = 1
"""By which rules a report is made: one more with every change of what the same events report, for packs are kept."""


def assure(
    events: Iterable[Event],
    *,
    since: int | None,
    until: int | None,
    at: int,
    services: frozenset[str] | None = None,
    sees_governance: bool = True,
    heard: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """The report over events in ledger order, which may be a part of a ledger. Instants in microseconds.

    The period is [since, until); deadlines are judged as of `at`. `sees_governance`: whether all governance reviews
    are among the events; else what leadership left undone is not judged. `heard` is told each sequence that was taken.
    ValueError: an event is not as forewarn writes it, or there is too much to count (`TooMuchToCount`).
    """
    question = Question(since, until, at, services, sees_governance)
    earlier = replace(question, at=at if until is None else min(until, at))
    with opened() as scratch:
        told = _Told(scratch)
        then: dict[str, Any] | None = None
        for event in events:
            if then is None and until is not None and event.recorded_at >= until:
                then = told.report(earlier)
            told.follow(event)
            if heard is not None:
                heard(event.sequence)
        now = told.report(question)
        then = then or told.report(earlier)
    period = {name: instant(one) for name, one in (("from", since), ("to", until)) if one is not None}
    return {"rules": RULES, "as_of_sequence": now["as_of_sequence"], **period, **now, "as_known_then": then}


class _Told:
    """All that was told so far."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._position = 0
        self._escalations = Escalations(scratch)
        self._crossings = Crossings(scratch, self._escalations)
        self._governance = Governance(scratch, self._crossings.policy)
        self._sources = Sources()

    def follow(self, event: Event) -> None:
        """Take in the next event."""
        entry = CATALOGUE.get(event.type)
        for version in range(event.schema_version, entry.schema_version if entry is not None else 0):
            event = event._replace(data=UPCASTS[event.type, version](event.data))
        try:
            self._crossings.follow(event)
            if event.kind in ("escalation", "review"):
                self._escalations.follow(event)
            self._governance.follow(event, self._crossings.policy)
            self._sources.follow(event)
        except TooMuchToCount:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError, Refused, msgspec.MsgspecError) as wrong:
            raise ValueError(f"Event {event.sequence} ({event.type}) is not as forewarn writes it: {wrong}") from wrong
        self._position = event.sequence

    def report(self, question: Question) -> dict[str, Any]:
        """The validations as of what was taken in."""
        self._crossings.settle()
        return {
            "as_of_sequence": self._position,
            "at": instant(question.at),
            "validations": [
                assurance_repeated.validate(self._scratch, self._sources, question),
                assurance_linked.validate(self._scratch, question),
                self._governance.validate(question),
            ],
        }
