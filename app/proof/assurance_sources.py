"""Sources that were expected to speak: which fell silent in a period, and have not been heard since (S5, S17).

A source is heard when a record or an intake of its own comes in. A silence that nobody told of counts too.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from app.domain import source
from app.domain.moment import from_micros, to_micros
from app.domain.source import Source
from app.events.catalogue import CATALOGUE
from app.proof.assurance_escalations import GRACE
from app.proof.assurance_report import Question
from app.proof.events import Event


class Sources:
    """Every source whose rhythm was declared, and when it was heard last."""

    def __init__(self) -> None:
        self._declared: dict[str, Source] = {}
        self._heard: dict[str, datetime] = {}

    def follow(self, event: Event) -> None:
        """Take in the next event."""
        if event.kind == "source" and (entry := CATALOGUE.get(event.type)) is not None:
            state = self._declared.get(event.subject, source.UNDECLARED)
            self._declared[event.subject] = source.evolve(state, msgspec.convert(event.data, entry.event))
        elif (name := _speaker(event)) is not None and name in self._declared:
            self._heard[name] = from_micros(event.recorded_at)

    def silent(self, question: Question) -> Iterator[tuple[str, int]]:
        """Those that fell silent before the period was over and have not spoken since; with since when."""
        for name, state in sorted(self._declared.items()):
            since = self._silent_since(name, state, question.at)
            if since is not None and since < question.high and question.is_about([state.service_id]):
                yield name, since

    def _silent_since(self, name: str, state: Source, at: int) -> int | None:
        heard, since = self._heard.get(name), state.silent_since or state.since
        if state.expected_every is None or since is None:
            return None
        if heard is not None and heard > since:
            since = heard
        elif state.silent_since is not None:
            return to_micros(since)
        due = state.due_at if since == state.since else source.due_from(state, since)
        return to_micros(since) if due is not None and to_micros(due + GRACE) <= at else None


def _speaker(event: Event) -> str | None:
    data: dict[str, Any] = event.data
    if event.type == "intake.received":
        return data.get("source")
    by_itself = event.actor.startswith("key/") and event.causation_id is None and not data.get("as_history")
    if event.type == "near_miss.recorded" and by_itself and "source" in data:
        return data["source"]["source"]
    return None
