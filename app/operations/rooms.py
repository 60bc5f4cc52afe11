"""How many messages each endpoint may have under way: one that hangs keeps nobody else waiting.

An endpoint has to earn it: two at first, more with each that it takes, one after each that fails; and while one of its
messages has been under way for more than a second, no other is begun. So those that hang hold a few places each, and
there are far more places than that.
"""

from collections import Counter

from app.operations.owed import PER_ENDPOINT, Owed

OPEN_AT_MOST = 256
AT_FIRST = 2
AFTER_A_FAILURE = 1
SLOW = 1.0
"""Seconds after which a message that is under way is taken for one that hangs."""

Endpoint = tuple[str, str]


class Rooms:
    """What is under way, by endpoint; instants are monotonic seconds."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], tuple[Endpoint, float]] = {}
        self._earned: dict[Endpoint, int] = {}

    @property
    def left(self) -> int:
        """How many more there may be in all."""
        return OPEN_AT_MOST - len(self._open)

    def of(self, endpoints: list[Endpoint], now: float) -> dict[Endpoint, int]:
        """How many more each may have."""
        taken = Counter(endpoint for endpoint, _ in self._open.values())
        slow = {endpoint for endpoint, began in self._open.values() if now - began > SLOW}
        return {one: 0 if one in slow else self._earned.get(one, AT_FIRST) - taken[one] for one in endpoints}

    def begin(self, owed: Owed, now: float) -> None:
        """It is under way."""
        self._open[owed.organisation, owed.delivery_id] = ((owed.organisation, owed.endpoint_id), now)

    def end(self, owed: Owed, *, taken: bool | None = None) -> None:
        """It has come back, or was given up (None); said twice, it counts once."""
        was_open = self._open.pop((owed.organisation, owed.delivery_id), None)
        endpoint = (owed.organisation, owed.endpoint_id)
        if was_open is not None and taken is not None:
            earned = self._earned.get(endpoint, AT_FIRST)
            self._earned[endpoint] = min(PER_ENDPOINT, earned * 2) if taken else AFTER_A_FAILURE
