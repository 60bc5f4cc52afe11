"""Times as vendors write them: RFC 3339, a clock without an offset, HL7's digits, seconds since 1970.

Whose clock a naive time was read from is never guessed: without a zone it is refused.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.moment import EPOCH, format_instant, parse_instant

UNITS = {"seconds": 1, "milliseconds": 1000}
"""How numbers count from 1970."""

LATEST = 253_402_300_800
"""Seconds from 1970 to the year 10000."""

_DIGITS = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(?:([0-9]{2})(\.[0-9]{1,6})?)?([+-][0-9]{4})?")
_NAIVE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]{1,6})?)?")
_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_LOOSE = re.compile(r"(?P<day>[0-9-]{10})[Tt ](?P<clock>[0-9:.]{5,15}) ?(?P<offset>[Zz]|[+-][0-9]{2}:?[0-9]{2})")

NOT_A_TIME = "Give a time as RFC 3339, for example 2026-03-02T08:15:00Z."
NO_ZONE = "Give the time with its offset from UTC, or have the mapping name the `time_zone` of such times."
NO_UNIT = "Give the time as text, or have the mapping say in which `unix` unit numbers count."


def read_time(value: Any, zone: tzinfo | None, unit: str | None) -> str:
    """The instant as RFC 3339 with its offset; ValueError says what to do."""
    match value:
        case bool():
            raise ValueError(NOT_A_TIME)
        case int() | float():
            return _counted(value, unit)
        case str():
            return _written(value.strip(), zone)
        case _:
            raise ValueError(NOT_A_TIME)


@lru_cache(256)  # Payloads name zones too.
def zone_named(name: str) -> tzinfo | None:
    """The zone of an IANA name, or of a fixed offset as +01:00 or -0500; None when it is neither."""
    fixed = _OFFSET.fullmatch(name)
    if fixed is not None:
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return timezone(-offset if fixed[1] == "-" else offset) if offset < timedelta(days=1) else None
    if name.upper() in {"Z", "UTC"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _counted(number: float, unit: str | None) -> str:
    if unit is None:
        raise ValueError(NO_UNIT)
    seconds = number / UNITS[unit]
    if not 0 <= seconds < LATEST:
        raise ValueError(NOT_A_TIME)
    return format_instant(EPOCH + timedelta(seconds=seconds))


def _written(text: str, zone: tzinfo | None) -> str:
    try:
        return _checked(text)
    except ValueError:
        pass  # Not as RFC 3339 writes it; perhaps as somebody else does.
    if (loose := _LOOSE.fullmatch(text)) is not None:
        return _checked(f"{loose['day']}T{_seconds(loose['clock'])}{_colon(loose['offset'])}")
    if (digits := _DIGITS.fullmatch(text)) is not None:
        year, month, day, hour, minute, second, fraction, offset = digits.groups()
        local = f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{fraction or ''}"
        return _checked(local + _colon(offset)) if offset else _placed(local, zone)
    if (naive := _NAIVE.fullmatch(text)) is not None:
        return _placed(f"{naive[1]}T{naive[2]}{naive[3] or ':00'}", zone)
    raise ValueError(NOT_A_TIME)


def _placed(local: str, zone: tzinfo | None) -> str:
    """The time on the zone's clock: one that it skipped moves forward, one that it showed twice is the earlier."""
    if zone is None:
        raise ValueError(NO_ZONE)
    try:
        when = datetime.fromisoformat(local).replace(tzinfo=zone, fold=0).astimezone(UTC)
        return when.astimezone(zone).isoformat()
    except (ValueError, OverflowError):
        raise ValueError(NOT_A_TIME) from None


def _checked(text: str) -> str:
    try:
        parse_instant(text)
    except ValueError:
        raise ValueError(NOT_A_TIME) from None
    return text


def _seconds(clock: str) -> str:
    return f"{clock}:00" if clock.count(":") == 1 else clock


def _colon(offset: str) -> str:
    return offset if ":" in offset or len(offset) == 1 else f"{offset[:3]}:{offset[3:]}"
