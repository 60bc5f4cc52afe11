"""Bodies as RFC 8259 says: what is taken, what is no JSON, and what is refused in it by name."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.strict_json import MalformedJson, parse
from app.domain.decider import Invalid

NOT_JSON = {
    "nothing": b"",
    "blanks": b" \n",
    "truncated": b'{"narrative":"x"',
    "a comment": b"{} // done",
    "two documents": b"{} {}",
    "a trailing comma": b"[1,]",
    "NaN": b'{"n":NaN}',
    "Infinity": b"[Infinity]",
    "minus Infinity": b'{"narrative":-Infinity}',
    "a leading zero": b"[01]",
    "a plus sign": b"[+1]",
    "a bare fraction": b"[.5]",
    "a number without its fraction": b"[1.]",
    "hexadecimal": b"[0x10]",
    "Arabic-Indic digits": "[١]".encode(),
    "single quotes": b"{'a':1}",
    "a raw control character": b'"a\tb"',
    "a raw U+0000": b'"a\x00b"',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a lone byte": b'"\xff"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "an overlong slash": b'"\xc0\xaf"',
    "a broken escape": b'"\\u12g4"',
}


@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_not_json_is_malformed(name: str) -> None:
    with pytest.raises(MalformedJson):
        parse(NOT_JSON[name])


REFUSED = {
    "a duplicate key": (b'{"a":1,"b":{"c":1,"c":1}}', "/b/c", "duplicate-key"),
    "a duplicate key in two spellings": (b'{"a":1,"\\u0061":1}', "/a", "duplicate-key"),
    "U+0000 in a text": (b'{"a":["\\u0000"]}', "/a/0", "not-text"),
    "U+0000 in a key": (b'{"a":{"x\\u0000":1}}', "/a", "not-text"),
    "a lone high surrogate": (b'{"a":"\\ud83d"}', "/a", "not-text"),
    "a lone low surrogate": (b'{"a":"\\uDC4D"}', "/a", "not-text"),
    "surrogates the wrong way round in a key": (b'{"a":{"\\udc00\\ud800":1}}', "/a", "not-text"),
    "2^53": (b'{"a":9007199254740992}', "/a", "number-out-of-range"),
    "-2^53": (b'{"a":-9007199254740992}', "/a", "number-out-of-range"),
    "2^63": (b'{"a":9223372036854775808}', "/a", "number-out-of-range"),
    "5,000 digits": (b'{"a":' + b"9" * 5000 + b"}", "/a", "number-out-of-range"),
    "5,000 digits below zero": (b'{"a":-' + b"9" * 5000 + b"}", "/a", "number-out-of-range"),
    "1e999": (b'{"a":[0,1e999]}', "/a/1", "number-out-of-range"),
    "-1e999": (b'{"a":-1e999}', "/a", "number-out-of-range"),
    "65 arrays": (b"[" * 65 + b"]" * 65, "", "too-deep"),
    "65 objects": (b'{"a":' * 65 + b"1" + b"}" * 65, "", "too-deep"),
    "1,000 arrays": (b"[" * 1000 + b"]" * 1000, "", "too-deep"),
    "100,000 arrays": (b"[" * 100_000 + b"]" * 100_000, "", "too-deep"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_parsers_could_read_differently_is_refused_where_it_stands(name: str) -> None:
    body, pointer, code = REFUSED[name]

    with pytest.raises(Invalid) as refused:
        parse(body)

    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]


def test_all_that_is_refused_is_named_at_once_but_never_more_than_fifty() -> None:
    with pytest.raises(Invalid) as two:
        parse(b'{"a":1e999,"b":"\\u0000"}')
    with pytest.raises(Invalid) as many:
        parse(b"[" + b",".join([b"1e999"] * 1000) + b"]")

    assert [fault.pointer for fault in two.value.faults] == ["/a", "/b"]
    assert len(many.value.faults) == 50


def test_a_key_that_is_no_field_name_is_not_repeated() -> None:
    with pytest.raises(Invalid) as refused:
        parse(b'{"<script>":{"n":1e999}}')

    assert refused.value.faults[0].pointer == ""


def test_minus_zero_is_zero() -> None:
    document = parse(b'{"integer":-0,"float":-0.0}')

    assert json.dumps(document) == '{"integer": 0, "float": 0.0}'


def test_integers_stay_integers_and_floats_floats() -> None:
    document = parse(b"[1, 1.0, 1e2, 9007199254740991, -9007199254740991]")

    assert [type(number) for number in document] == [int, float, float, int, int]


@pytest.mark.parametrize(
    "text", ["Syrthiodd Siân ger y dŵr", "\u200fالمريض\u200f", "👩🏽\u200d⚕️ ok", "\\u0000", "\x7f\x85\u2028", "\ufffd"]
)
@pytest.mark.parametrize("escaped", [True, False])
def test_every_text_is_taken_escaped_or_not(text: str, escaped: bool) -> None:
    assert parse(json.dumps({"a": text}, ensure_ascii=escaped).encode()) == {"a": text}


def test_sixty_four_deep_is_taken_beside_many_that_are_not_deep() -> None:
    parse(b"[" * 64 + b"]" * 64)
    parse(b"[" + b",".join([b'{"a":[{}]}'] * 1000) + b"]")


def test_a_hostile_body_of_the_largest_size_is_read_in_a_moment() -> None:
    size = 256 * 1024
    hostile = [b'"\\u0000' * (size // 8), b"[" * size, b'{"a":' * (size // 5), b"9" * size, b"0." + b"9" * size]

    began = time.perf_counter()
    for body in hostile:
        with contextlib.suppress(MalformedJson, Invalid):
            parse(body)

    assert time.perf_counter() - began < 2


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=32)), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_every_good_document_is_read_as_it_was_meant(document: object, escaped: bool) -> None:
    assert parse(json.dumps(document, ensure_ascii=escaped).encode()) == document
