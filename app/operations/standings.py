"""Escalations as this process last saw them, so that a busy key does not fold its whole stream for every report.

What is remembered holds for one version of the stream; whoever finds another version in the database folds anew.
"""

from typing import NamedTuple

from app.domain.escalation import Escalation, Raised

_REMEMBERED = 2000


class Known(NamedTuple):
    """An escalation at a version of its stream, and how it was raised."""

    version: int
    raised: Raised
    state: Escalation


class Standings:
    """What the writer remembers; only it asks, under the head's lock."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Known] = {}

    def at(self, organisation: str, escalation_id: str, version: int) -> Known | None:
        """The escalation at that version, if it is remembered."""
        known = self._known.get((organisation, escalation_id))
        return known if known is not None and known.version == version else None

    def keep(self, organisation: str, escalation_id: str, known: Known) -> None:
        """Remember where it stands."""
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[organisation, escalation_id] = known

    def forget(self) -> None:
        """After a rollback nothing remembered can be trusted."""
        self._known.clear()
