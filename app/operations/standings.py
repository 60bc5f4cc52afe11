"""Escalations as this process last saw them, so that a busy key does not fold its whole stream for every report.

What is remembered holds for one version of the stream; whoever finds another version in the database folds anew.
"""

from app.domain.escalation import Escalation

_REMEMBERED = 2000


class Standings:
    """What the writer remembers; only it asks, under the head's lock."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[int, Escalation]] = {}

    def at(self, organisation: str, escalation_id: str, version: int) -> Escalation | None:
        """The escalation at that version, if it is remembered."""
        known = self._known.get((organisation, escalation_id))
        return known[1] if known is not None and known[0] == version else None

    def keep(self, organisation: str, escalation_id: str, version: int, state: Escalation) -> None:
        """Remember where it stands."""
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[organisation, escalation_id] = (version, state)

    def forget(self) -> None:
        """After a rollback nothing remembered can be trusted."""
        self._known.clear()
