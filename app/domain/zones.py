"""Time zones by name, opened once."""

from functools import cache
from zoneinfo import ZoneInfo


@cache
def zone(name: str) -> ZoneInfo:
    """The IANA zone of a name that was checked when it was stored."""
    return ZoneInfo(name)
