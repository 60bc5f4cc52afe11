"""Bodies as RFC 8259 says, and only as every parser would read them.

What two parsers could read differently is refused by name: duplicate keys, lone surrogates, U+0000, numbers that a
double cannot hold. The fast reading only notices that something of the kind is there; a second reading of the same
body then says where, so that a good body never pays for the pointers of a bad one.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import cast

from app.api.pointers import MOST_FAULTS, pointer
from app.domain.decider import Fault, Invalid, Refused

DEEPEST = 64
LARGEST = 2**53 - 1

_LONGEST_INTEGER = len(f"-{LARGEST}")  # What is longer is out of range, and never converted: digits cost quadratically.
_SUSPECT_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


class MalformedJson(Refused):
    """The body is not one JSON document in UTF-8 (400)."""

    code = "malformed-json"


class _RefusedContent(Exception):
    """Well-formed, but some value in it is refused."""


def parse(body: bytes) -> object:
    """The one JSON document of the body. What is no JSON is `MalformedJson`, what is refused in it `Invalid`.

    Integers stay integers and floats stay floats, within ±(2^53 - 1) and finite; minus zero becomes zero. Arrays and
    objects nest at most 64 deep.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJson(f"Send the document in UTF-8: byte {error.start} of the body is not.") from None
    if b"\\u" in body and _SUSPECT_ESCAPE.search(body):
        return _read_closely(text)
    try:
        document = _read(_FAST, text)
    except _RefusedContent:
        return _read_closely(text)
    if body.count(b"[") + body.count(b"{") > DEEPEST and _is_too_deep(document):
        raise Invalid(_too_deep(()))
    return document


def _read(decoder: json.JSONDecoder, text: str) -> object:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJson(_what_to_do(text, error.pos)) from None
    except RecursionError:
        raise Invalid(_too_deep(())) from None


def _what_to_do(text: str, position: int) -> str:
    if text.startswith("\ufeff"):
        return "Send the JSON document without a byte order mark."
    if not text or text.isspace():
        return "Send a JSON document: the body is empty."
    return f"Send one JSON document (RFC 8259): the syntax breaks at character {position}."


def _is_too_deep(document: object) -> bool:
    level = [document]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _within(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _within(outer: object) -> Iterable[object]:
    if isinstance(outer, dict):
        return cast("dict[str, object]", outer).values()
    return cast("list[object]", outer) if isinstance(outer, list) else ()


# The fast reading


def _no_constant(_name: str) -> object:
    raise MalformedJson("Send a number, or leave the field out: NaN and Infinity are not JSON (RFC 8259).")


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise _RefusedContent
    number = int(digits)
    if not -LARGEST <= number <= LARGEST:
        raise _RefusedContent
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _RefusedContent
    return number or 0.0


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedContent
    return members


_FAST = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_no_constant)

# The close reading


class _Digits(str):
    """A number as it is written."""

    __slots__ = ()


class _Pairs(list[tuple[str, object]]):
    """The members of an object as they are written."""

    __slots__ = ()


_CLOSE = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=_Digits, parse_float=_Digits, parse_constant=_no_constant)


def _read_closely(text: str) -> object:
    written = _read(_CLOSE, text)
    faults = tuple(islice(_faults(written, ()), MOST_FAULTS))
    if faults:
        raise Invalid(*faults)
    return _taken(written)


def _faults(written: object, path: tuple[int | str, ...]) -> Iterator[Fault]:
    match written:
        case _Digits():
            if not _holds(written):
                yield Fault(
                    pointer(path), "number-out-of-range", f"Send an integer within ±{LARGEST}, or a finite number."
                )
        case str():
            yield from _text_faults(written, path)
        case _Pairs() | list() if len(path) >= DEEPEST:
            yield _too_deep(path)
        case _Pairs():
            seen: set[str] = set()
            for key, member in written:
                if key in seen:
                    yield Fault(pointer((*path, key)), "duplicate-key", "Send each key of an object once.")
                seen.add(key)
                yield from _text_faults(key, path)
                yield from _faults(member, (*path, key))
        case list():
            for n, item in enumerate(cast("list[object]", written)):
                yield from _faults(item, (*path, n))
        case _:
            return


def _text_faults(text: str, path: tuple[int | str, ...]) -> Iterator[Fault]:
    found = _NO_TEXT.search(text)
    if found is not None:
        what = "U+0000" if found[0] == "\x00" else "a lone surrogate"
        yield Fault(pointer(path), "not-text", f"Take out the character at {found.start()}: {what} is not text.")


def _holds(digits: str) -> bool:
    try:
        _float(digits) if "." in digits or "e" in digits or "E" in digits else _integer(digits)
    except _RefusedContent:
        return False
    return True


def _taken(written: object) -> object:
    match written:
        case _Digits():
            return _float(written) if "." in written or "e" in written or "E" in written else _integer(written)
        case _Pairs():
            return {key: _taken(member) for key, member in written}
        case list():
            return [_taken(item) for item in cast("list[object]", written)]
        case _:
            return written


def _too_deep(path: tuple[int | str, ...]) -> Fault:
    return Fault(pointer(path), "too-deep", f"Nest arrays and objects at most {DEEPEST} deep.")
