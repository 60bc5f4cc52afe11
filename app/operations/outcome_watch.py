"""Outcomes for which something came late: a worker has each looked at again, once for whatever came last.

What changed no number is no event, so that it stands marked; this process remembers what it has asked for, and one that
starts anew asks once more.
"""

from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import select

from app.database.tables import ledgers, outcomes
from app.domain.moment import to_micros
from app.domain.outcome import REASSESSED_FOR
from app.events.store import Cause
from app.operations.desk import Desk
from app.operations.house import SYSTEM, House
from app.operations.job import Command
from app.operations.outcomes import reassess

AT_ONCE = 100


class OutcomeWatch:
    """Looks at one house; remembers of which outcome it had what came last looked at."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._looked_at: dict[tuple[str, str], int] = {}

    def look(self) -> list[Command]:
        """What there is to look at again, so much at once."""
        row = outcomes.c
        since = to_micros(self._house.clock() - REASSESSED_FOR)
        chosen = (
            select(row.organisation, row.review_id, row.touched_sequence)
            .join(ledgers, ledgers.c.organisation == row.organisation)  # Not of those that are only being rebuilt.
            .where(row.touched_sequence.is_not(None), row.until >= since)
            .order_by(row.touched_sequence)
        )
        with self._house.database.read() as connection:
            found = [(one[0], one[1], one[2]) for one in connection.execute(chosen)]
        return [_reassessing(*one) for one in found if self._looked_at.get(one[:2]) != one[2]][:AT_ONCE]

    def keep(self, done: Command) -> None:
        """It was looked at, as of what had come last."""
        review_id, sequence = done.subject.rsplit("/", 1)
        self._looked_at[done.organisation, review_id] = int(sequence)


def _reassessing(organisation: str, review_id: str, sequence: int) -> Command:
    def run(desk: Desk, cause: Cause) -> None:
        reassess(desk, cause, review_id)

    command_id = str(uuid5(NAMESPACE_URL, f"forewarn {organisation} outcome {review_id} touched {sequence}"))
    subject = f"{review_id}/{sequence}"
    return Command(organisation, command_id, SYSTEM, subject, run, lambda _reader, its_id: {"id": its_id})
