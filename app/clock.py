"""The only place that asks what time it is.

Everywhere else `now` is a parameter, so that a replay gives the same answer and tests can walk through
days. `FOREWARN_CLOCK=file:PATH` reads the instant from a file at every ask (tests only).
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from app.domain.moment import parse_instant

Clock = Callable[[], datetime]


class ClockUnreadable(Exception):
    """The test clock's file is missing or holds no instant; `str()` says which."""


def system_clock() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that only ever go forward: for deadlines and latencies, never for records."""
    return time.monotonic()


def stopwatch() -> Callable[[], float]:
    """What tells the seconds since now by the clock that counts more of them: one of the two stands still when the
    machine is suspended, the other may be set back.
    """
    going, wall = time.monotonic(), time.time()
    return lambda: max(time.monotonic() - going, time.time() - wall)


def clock_for(setting: str | None) -> Clock:
    """The clock that `FOREWARN_CLOCK` names: the system's when unset, else the file's instant at every ask."""
    if not setting:
        return system_clock
    path = Path(setting.removeprefix("file:"))

    def file_clock() -> datetime:
        try:
            return parse_instant(path.read_text(encoding="utf-8").strip())
        except (OSError, ValueError) as error:
            raise ClockUnreadable(f"The test clock {path} holds no RFC 3339 instant: write one into it.") from error

    return file_clock
