"""Canonical JSON (RFC 8785, JCS): the one text of a value, and so the one hash of an event.

msgspec with sorted keys already writes that text wherever all keys are ASCII and no number is a float: both escape
only what JSON makes them, in the same spelling. What is not plain in that sense is laid out anew, keys in UTF-16
order and numbers as ECMAScript writes them, before the same encoder runs.
"""

from collections.abc import Callable
from typing import Any

import msgspec

LARGEST_INTEGER = 2**53 - 1
"""Beyond it a reader that holds numbers as doubles, as JCS lets it, would read another number."""

_kind_of: Callable[[object], object] = type  # By identity, so that no subclass brings a spelling of its own.
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_encode_as_laid = msgspec.json.Encoder().encode


def canonical(value: Any) -> str:
    """The RFC 8785 text of a value made of dict, list, tuple, str, int, float, bool and None.

    ValueError: an integer beyond ±(2⁵³−1), a number that is not finite, a lone surrogate.
    TypeError: any other type, or a key that is not text; nothing is converted silently.
    """
    if _is_plain((value,)):
        return _encode_sorted(value).decode()
    return _encode_as_laid(_laid(value)).decode()


def plain(value: Any) -> str:
    """The same text, faster, of what its maker knows to be plain: ASCII keys, small integers, all else `laid`."""
    return _encode_sorted(value).decode()


def laid(value: Any) -> msgspec.Raw:
    """A number, or an object whose members are plain, laid out canonically as a part of a plain value."""
    if _kind_of(value) is dict:
        members = ",".join([f"{quote(key)}:{plain(value[key])}" for key in _in_order(value)])
        return msgspec.Raw(f"{{{members}}}".encode())
    return msgspec.Raw(canonical(value).encode())


def quote(text: str) -> str:
    """One canonical JSON string, quotation marks included."""
    return _encode_sorted(text).decode()


def _is_plain(container: Any) -> bool:
    """Whether the encoder's own order and numbers are already canonical, all the way down.

    This walk is most of what canonical text costs, hence its shape: the commonest types first, by identity.
    """
    kind = _kind_of(container)
    if kind is dict:
        for key in container:
            if type(key) is not str or not key.isascii():
                return False
        members = container.values()
    else:
        members = container
    for member in members:
        kind = _kind_of(member)
        if kind is str:
            continue
        if kind is dict or kind is list or kind is tuple:
            if _is_plain(member):
                continue
            return False
        if kind is int:
            if -LARGEST_INTEGER <= member <= LARGEST_INTEGER:
                continue
            return False
        if kind is bool or member is None:
            continue
        return False
    return True


def _laid(value: Any) -> Any:
    """The same value with its keys in canonical order and its floats already written."""
    kind = _kind_of(value)
    if kind is dict:
        return {key: member if type(member := value[key]) is str else _laid(member) for key in _in_order(value)}
    if kind is list or kind is tuple:
        return [_laid(member) for member in value]
    if kind is float:
        return msgspec.Raw(_number(value).encode())
    if kind is int:
        if not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
            raise ValueError("An integer beyond ±(2⁵³−1) has no canonical JSON; carry it as text.")
        return value
    if kind is str or kind is bool or value is None:
        return value
    raise TypeError(f"{kind} is no JSON type; convert it before it is written canonically.")


def _in_order(keys: dict[str, Any]) -> list[str]:
    """Sorted by UTF-16 code units: 😀, a surrogate pair, comes before U+FB33. ASCII sorts alike in any encoding."""
    for key in keys:
        if _kind_of(key) is not str:
            raise TypeError(f"A key of a JSON object is text, not {type(key)}.")
    return sorted(keys) if "".join(keys).isascii() else sorted(keys, key=lambda key: key.encode("utf-16-be"))


def _number(value: float) -> str:
    """A finite double as ECMAScript writes it (Number::toString, ECMA-262 §6.1.6.1.20).

    Python's repr finds the same shortest digits; only the layout around them differs.
    """
    if value == 0:
        return "0"  # −0 too.
    mantissa, _, exponent = repr(abs(value)).partition("e")
    if not mantissa[0].isdigit():
        raise ValueError("NaN and infinity have no JSON; leave the value out.")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{digits.rjust(len(digits) - point, '0')}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{point - 1:+d}"
