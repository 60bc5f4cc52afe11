"""How often leadership was to close a governance review, counted once more from the closings alone (S12)."""

from collections.abc import Iterator
from typing import NamedTuple

from app.domain.governance_cadence import due_from
from app.domain.moment import Span, from_micros, to_micros
from app.domain.policy import Policy


class Missed(NamedTuple):
    """A deadline by which no governance review was closed; `closed_at`: when one was, after it."""

    due: int
    closed_at: int | None


class Cadence:
    """The deadlines, one after the other. Nothing is due before it is known when the organisation began."""

    def __init__(self, policy: Policy) -> None:
        self._span, self._zone = policy.governance_cadence, policy.time_zone
        self._since: int | None = None
        self._due: int | None = None
        self._missed: list[Missed] = []

    def begin(self, at: int) -> None:
        """The organisation's ledger begins."""
        self._count_from(at)

    def close(self, at: int) -> None:
        """A review was closed."""
        self._missed = [one if one.closed_at is not None else one._replace(closed_at=at) for one in self._missed]
        if self._due is not None and self._due <= at:
            self._missed.append(Missed(self._due, at))
        self._count_from(at)

    def change(self, policy: Policy, at: int) -> None:
        """Another policy is in force: what is due moves only where it asks for another rhythm."""
        former, self._span, self._zone = self._span, policy.governance_cadence, policy.time_zone
        if self._since is None or former == self._span:
            return
        anew = _after(self._since, self._span, self._zone)
        if self._due is not None and self._due <= at:
            self._missed.append(Missed(self._due, None))
            self._due = anew if anew > at else None  # Told already; it is told again, but missed once.
        elif self._due is not None:
            self._due = max(anew, at)

    def missed(self, at: int) -> Iterator[Missed]:
        """Every deadline that had passed by an instant without a closing."""
        yield from self._missed
        if self._due is not None and self._due <= at:
            yield Missed(self._due, None)

    def due_for(self, raised_at: int) -> int | None:
        """By when the review is due that is to consider what was raised: the one that is due now, and at the latest
        two rounds after it was raised, for the first review may be about a period that was over then.
        """
        if self._since is None:
            return None
        standing = _after(self._since, self._span, self._zone)
        latest = _after(_after(raised_at, self._span, self._zone), self._span, self._zone)
        return min(standing, latest)

    def _count_from(self, at: int) -> None:
        self._since, self._due = at, _after(at, self._span, self._zone)


def _after(since: int, span: Span, time_zone: str) -> int:
    return to_micros(due_from(from_micros(since), span, time_zone))
