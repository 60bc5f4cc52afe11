"""The kinds of value that request bodies are made of, with the limits of the API contract.

A value is kept as it was sent, times above all: the offset that a person wrote is part of what they said. Only
identifiers lose the blanks around them, which nobody sees and which would split a pattern in two.
"""

import math
from datetime import datetime, timedelta
from typing import Annotated, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints, ValidationInfo, WithJsonSchema
from typing_extensions import TypeAliasType

from app.api.schemas.validation import refusal
from app.domain.identifiers import LONGEST, VISIBLE
from app.domain.moment import Moment, Span, parse_instant, parse_moment, to_micros

FAST_CLOCK = timedelta(hours=24)

_UTC = ZoneInfo("UTC")
_EARLIEST = to_micros(parse_instant("2000-01-01T00:00:00Z"))

# Text

Identifier = TypeAliasType(  # A type with a name of its own stands in openapi.yaml once.
    "Identifier",
    Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST, pattern=VISIBLE)],
)
AttributeName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=VISIBLE),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64}),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=VISIBLE)]
Name = TypeAliasType(
    "Name",
    Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=VISIBLE)],
)
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\S")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=8000, pattern=r"\S")]
Narrative = Annotated[str, StringConstraints(max_length=8000)]

# Time


def moment(text: str) -> Moment:
    try:
        return parse_moment(text, _UTC)
    except ValueError as error:
        raise refusal("not-a-moment", str(error)) from None


def instant(text: str) -> str:
    try:
        parse_instant(text)
    except ValueError as error:
        raise refusal("not-an-instant", str(error)) from None
    return text


def instant_or_date(text: str) -> str:
    moment(text)
    return text


def only_a_date(text: str) -> str:
    if len(text) != len("2026-03-02") or not moment(text).date_only:
        raise refusal("not-a-date", "Give a date as YYYY-MM-DD.")
    return text


def a_duration(text: str) -> str:
    try:
        Span.parse(text)
    except ValueError as error:
        raise refusal("not-a-duration", str(error)) from None
    return text


def already_happened(text: str, info: ValidationInfo) -> str:
    """At most 24 hours ahead: a sender's clock may be fast, a near miss of next week is a mistake."""
    must_not_lie_ahead(moment(text), info)
    return text


def happened(text: str, info: ValidationInfo) -> str:
    when = moment(text)
    if when.at < _EARLIEST:
        raise refusal("out-of-range", "Give the time at which it happened: from the year 2000 on.")
    must_not_lie_ahead(when, info)
    return text


def must_not_lie_ahead(when: Moment, info: ValidationInfo) -> None:
    if when.at > to_micros(cast("datetime", info.context) + FAST_CLOCK):
        raise refusal("out-of-range", "Give the time at which it happened: at most 24 hours ahead of now.")


_INSTANT = WithJsonSchema({"type": "string", "format": "date-time"})
_INSTANT_OR_DATE = WithJsonSchema({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]})

Instant = Annotated[str, AfterValidator(instant), _INSTANT]
InstantOrDate = Annotated[str, AfterValidator(instant_or_date), _INSTANT_OR_DATE]
Day = Annotated[str, AfterValidator(only_a_date), WithJsonSchema({"type": "string", "format": "date"})]
Duration = Annotated[str, AfterValidator(a_duration), WithJsonSchema({"type": "string", "examples": ["P1D"]})]
OccurredAt = Annotated[str, AfterValidator(happened), _INSTANT_OR_DATE]
OccurredEver = Annotated[str, AfterValidator(already_happened), _INSTANT_OR_DATE]

# Numbers, and what may be one


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def amount(value: object) -> int | float:
    if not is_number(value) or not 0 <= cast("float", value) <= MOST:
        raise refusal("out-of-range", f"Give a number from 0 to {MOST}.")
    number = cast("float", value)
    return int(number) if isinstance(number, float) and number.is_integer() else number  # Answered as it is kept.


def share(value: object) -> float:
    if not is_number(value) or not 0 <= cast("float", value) <= 1:
        raise refusal("out-of-range", "Give a number from 0 to 1.")
    return cast("float", value) + 0.0  # Minus zero is zero.


def attribute_value(value: object) -> str | int | float:
    if isinstance(value, str):
        if len(value) > LONGEST_ATTRIBUTE:
            raise refusal("too-long", f"Give at most {LONGEST_ATTRIBUTE} characters.")
        return value
    if not is_number(value):
        raise refusal("wrong-type", "Give a string or a finite number.")
    number = cast("float", value)
    if isinstance(number, float) and number.is_integer() and abs(number) < WRITTEN_WITH_EXPONENT:
        if abs(number) > LARGEST_INTEGER:  # Its one spelling (RFC 8785) is an integer that no reader holds exactly.
            raise refusal("out-of-range", f"Give a number of at most {LARGEST_INTEGER} either way, or a string.")
        return int(number)
    return number + 0  # Minus zero is zero.


def frequency(value: object) -> str | int:
    if isinstance(value, str) and value in FREQUENCIES:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000:
        return value
    raise refusal("out-of-range", f"Give {', '.join(FREQUENCIES)}, or how often: an integer from 1 to 1000.")


MOST = 1_000_000
LARGEST_INTEGER = 2**53 - 1
WRITTEN_WITH_EXPONENT = 1e21
LONGEST_ATTRIBUTE = 256
FREQUENCIES = ("first_time", "occasional", "frequent")

Score = Annotated[int | float, PlainValidator(share), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Amount = Annotated[
    int | float, PlainValidator(amount), WithJsonSchema({"type": "number", "minimum": 0, "maximum": MOST})
]
AttributeValue = Annotated[
    str | int | float,
    PlainValidator(attribute_value),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": LONGEST_ATTRIBUTE}, {"type": "number"}]}),
]
Attributes = Annotated[dict[AttributeName, AttributeValue], Field(max_length=16)]
Frequency = Annotated[
    str | int,
    PlainValidator(frequency),
    WithJsonSchema({"anyOf": [{"enum": list(FREQUENCIES)}, {"type": "integer", "minimum": 1, "maximum": 1000}]}),
]

# Codes


def each_once(codes: list[str]) -> list[str]:
    return list(dict.fromkeys(codes))


Factors = Annotated[list[Identifier], Field(min_length=1, max_length=20), AfterValidator(each_once)]
Harm = Literal["low", "moderate", "severe", "death"]
Role = Literal["reporter", "manager", "deputy", "operations", "leadership", "auditor", "integration", "admin"]
