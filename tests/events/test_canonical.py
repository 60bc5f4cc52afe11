"""Canonical text: RFC 8785's own examples, and the rfc8785 package as the second opinion on everything else."""

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from app.events.canonical import LARGEST_INTEGER, canonical, quote

EVERY_CHARACTER = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF)

text = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)

# Those that are exact integers at most when they are read back without a point: 1e17 is written as an integer of RFC
# 8785, but one that this module would not take.
numbers_that_return = numbers.filter(lambda number: abs(number) <= LARGEST_INTEGER)


def documents(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | numbers | text,
        lambda members: st.lists(members) | st.dictionaries(text, members) | st.tuples(members, members),
        max_leaves=20,
    )


@given(documents(numbers))
@example({"\U0001f600": 1, "\ufb33": 2})
@example({"a": -0.0, "b": {"€": [1e21]}})
def test_any_document_reads_as_the_reference_writes_it(document: Any) -> None:
    assert canonical(document) == rfc8785.dumps(document).decode()


@given(st.binary(min_size=8, max_size=8))
def test_any_finite_double_reads_as_the_reference_writes_it(pattern: bytes) -> None:
    (number,) = struct.unpack(">d", pattern)
    if not math.isfinite(number):
        return

    assert canonical(number) == rfc8785.dumps(number).decode()


@given(documents(numbers_that_return))
def test_canonical_text_read_and_written_again_is_the_same_text(document: Any) -> None:
    once = canonical(document)

    assert canonical(msgspec.json.decode(once)) == once


def test_every_character_is_escaped_as_the_reference_escapes_it() -> None:
    assert quote(EVERY_CHARACTER) == rfc8785.dumps(EVERY_CHARACTER).decode()
    assert canonical({"text": EVERY_CHARACTER}) == rfc8785.dumps({"text": EVERY_CHARACTER}).decode()


def test_every_character_is_escaped_the_same_as_a_key() -> None:
    document = dict.fromkeys(EVERY_CHARACTER[:0x3000], 1.5)

    assert canonical(document) == rfc8785.dumps(document).decode()


def test_the_example_of_rfc_8785_section_3_2_2() -> None:
    document = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }

    assert canonical(document) == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_the_sorting_example_of_rfc_8785_section_3_2_3() -> None:
    document = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }

    values = list(msgspec.json.decode(canonical(document)).values())

    assert values == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@pytest.mark.parametrize(
    ("pattern", "written"),
    [  # RFC 8785 appendix B: the double's bits, and its text.
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_a_double_of_rfc_8785_appendix_b(pattern: str, written: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(pattern))

    assert canonical(number) == written


@pytest.mark.parametrize(
    ("number", "written"), [(1.0, "1"), (1e-7, "1e-7"), (100.0, "100"), (0.5, "0.5"), (-1.5, "-1.5")]
)
def test_an_everyday_double_is_written_as_ecmascript_writes_it(number: float, written: str) -> None:
    assert canonical(number) == written


@pytest.mark.parametrize("integer", [LARGEST_INTEGER, -LARGEST_INTEGER])
def test_the_largest_exact_integers_are_written(integer: int) -> None:
    assert canonical({"count": integer}) == f'{{"count":{integer}}}'


@pytest.mark.parametrize("number", [LARGEST_INTEGER + 1, -LARGEST_INTEGER - 1, 10**400, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [lambda n: n, lambda n: [n], lambda n: {"a": {"b": n}}, lambda n: {"ö": (1, n)}])
def test_a_number_that_others_would_read_differently_is_refused(number: float, place: Callable[[float], Any]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical(place(number))


@pytest.mark.parametrize("value", ["\ud800", ["a\udc00"], {"\ud83d": 1}, {"\ud83d": 1.5}])
def test_a_lone_surrogate_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        canonical(value)


@pytest.mark.parametrize(
    "value", [{1: "a"}, {"a": {None: 1}}, [datetime(2026, 3, 1, tzinfo=UTC)], {"a": b"bytes"}, {"a": {1, 2}}]
)
def test_what_is_no_json_is_refused_rather_than_converted(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


@given(text)
def test_a_quoted_text_stands_in_a_document_as_itself(words: str) -> None:
    assert canonical([words]) == f"[{quote(words)}]"
