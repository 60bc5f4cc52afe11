"""Ledgers whose head is to be signed again: something other than a checkpoint came, and the time has come.

What was seen last is remembered, so that a round costs one look at the heads. The command looks again under the head's
lock: another worker may have been first.
"""

from typing import NamedTuple

from sqlalchemy import select

from app.database.tables import ledgers
from app.domain.checkpoint import Signed, is_called_for
from app.operations.checkpoints import last_of, taking
from app.operations.house import House
from app.operations.job import Command
from app.operations.signing_keys import signing_key

AT_ONCE = 100


class _Seen(NamedTuple):
    last: Signed
    sequence: int


class CheckpointWatch:
    """Looks at one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._seen: dict[str, _Seen] = {}

    def look(self) -> list[Command]:
        """The checkpoints that are to be taken, so many at once."""
        every = self._house.settings.checkpoint_interval
        if every is None:
            return []
        now = self._house.clock()
        called_for: list[str] = []
        with self._house.database.read() as connection:
            ends = connection.execute(select(ledgers.c.organisation, ledgers.c.position)).all()
            for organisation, end in ends:
                seen = self._seen.get(organisation)
                if seen is None or is_called_for(seen.last, end, every, now):
                    last, _, sequence = last_of(connection, organisation)
                    self._seen[organisation] = _Seen(last, sequence)
                    if is_called_for(last, end, every, now) and organisation not in self._house.withheld:
                        called_for.append(organisation)
        if not called_for:
            return []
        key = signing_key(self._house)
        return [taking(self._house, one, key, every, self._seen[one].sequence) for one in sorted(called_for)[:AT_ONCE]]
