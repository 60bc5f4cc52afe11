"""How often a key may ask, when FOREWARN_RATE_LIMIT says so: a bucket for each key that fills again over time."""

from app.clock import monotonic

_MOST_KEYS = 10_000


class Rate:
    """`limit`: requests, and the seconds they are allowed in; None allows everything."""

    def __init__(self, limit: tuple[int, float] | None) -> None:
        self._limit = limit
        self._left: dict[str, tuple[float, float]] = {}

    def allows(self, key_id: str) -> bool:
        """Whether one more request is within the key's rate; it counts if so."""
        if self._limit is None:
            return True
        most, period = self._limit
        now = monotonic()
        if len(self._left) > _MOST_KEYS:
            self._left.clear()
        left, since = self._left.get(key_id, (float(most), now))
        left = min(float(most), left + (now - since) * most / period)
        if left < 1:
            self._left[key_id] = (left, now)
            return False
        self._left[key_id] = (left - 1, now)
        return True
