"""The CloudEvent that others read and hash, against another library's RFC 8785 for every event there is."""

import json
from hashlib import sha256

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from app.events.catalogue import CATALOGUE
from app.events.codec import encode
from app.events.envelope import Envelope, attributes, cloud_event, instant, sealed_with_leaf
from tests.events.examples import TEXTS, events
from tests.office import cloud_event_of, leaf_of

EARLIEST = -62135596800 * 1_000_000
MICROS = st.integers(EARLIEST, 253402300799 * 1_000_000)
EXAMPLE = Envelope(
    "default",
    7,
    "0b0e8f6e-9d2a-5f57-8a8e-0f3a0d1c2b3a",
    "near_miss/nm_1",
    2,
    "near_miss.closed",
    1,
    1772442000_000_000,
    1772445600_000_001,
    "staff/abc",
    "11111111-2222-4333-8444-555555555555",
    None,
    '{"review_id":"rev_1"}',
    b"",
)


@pytest.mark.parametrize("name", CATALOGUE)
@given(data=st.data())
@settings(max_examples=8)
def test_the_leaf_is_the_hash_of_the_canonical_event(name: str, data: st.DataObject) -> None:
    envelope = Envelope(
        data.draw(TEXTS),
        data.draw(st.integers(1, 2**53 - 1)),
        str(data.draw(st.uuids())),
        f"{name.split('.', maxsplit=1)[0]}/{data.draw(TEXTS)}",
        data.draw(st.integers(1, 10_000)),
        name,
        data.draw(st.integers(1, 99)),
        data.draw(MICROS),
        data.draw(MICROS),
        data.draw(TEXTS),
        str(data.draw(st.uuids())),
        data.draw(st.none() | st.uuids().map(str)),
        encode(data.draw(events(name))),
        b"",
    )

    sealed = sealed_with_leaf(envelope)

    assert cloud_event(sealed, with_leaf=False).encode() == rfc8785.dumps(cloud_event_of(envelope))
    assert sealed.leaf == leaf_of(envelope)


def test_the_event_is_a_cloud_event_of_the_contract() -> None:
    sealed = sealed_with_leaf(EXAMPLE)

    assert json.loads(cloud_event(sealed)) == {
        "specversion": "1.0",
        "id": "0b0e8f6e-9d2a-5f57-8a8e-0f3a0d1c2b3a",
        "source": "/organisations/default",
        "type": "forewarn.near_miss.closed.v1",
        "subject": "near_miss/nm_1",
        "time": "2026-03-02T10:00:00.000001Z",
        "sequence": 7,
        "streamversion": 2,
        "occurredat": "2026-03-02T09:00:00.000000Z",
        "actor": "staff/abc",
        "correlationid": "11111111-2222-4333-8444-555555555555",
        "data": {"review_id": "rev_1"},
        "leafhash": sealed.leaf.hex(),
    }


def test_the_text_with_its_leaf_is_canonical_too() -> None:
    text = cloud_event(sealed_with_leaf(EXAMPLE._replace(causation_id="c")))

    assert text.encode() == rfc8785.dumps(json.loads(text))


def test_a_reader_finds_the_leaf_by_leaving_leafhash_out() -> None:
    document = json.loads(cloud_event(sealed_with_leaf(EXAMPLE)))

    stated = document.pop("leafhash")

    assert stated == sha256(b"\x00" + rfc8785.dumps(document)).hexdigest()


@pytest.mark.parametrize(
    "changed",
    [
        {"organisation": "other"},
        {"sequence": 8},
        {"event_id": "other"},
        {"stream": "near_miss/nm_2"},
        {"version": 3},
        {"type": "near_miss.linked"},
        {"schema_version": 2},
        {"occurred_at": 0},
        {"recorded_at": 0},
        {"actor": "staff/abd"},
        {"correlation_id": "other"},
        {"causation_id": "other"},
        {"payload": '{"review_id":"rev_2"}'},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_leaf_depends_on_everything_that_is_stored(changed: dict[str, object]) -> None:
    assert sealed_with_leaf(EXAMPLE._replace(**changed)).leaf != sealed_with_leaf(EXAMPLE).leaf


@pytest.mark.parametrize(
    ("micros", "spelt"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1772445600_000_001, "2026-03-02T10:00:00.000001Z"),
        (EARLIEST, "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_an_instant_has_four_digits_of_year_and_six_of_fraction(micros: int, spelt: str) -> None:
    assert instant(micros) == spelt


def test_a_stream_says_of_what_it_tells_and_of_which_one() -> None:
    envelope = EXAMPLE._replace(stream="service/elm/north")

    assert (envelope.kind, envelope.subject) == ("service", "elm/north")


def test_a_history_shows_who_when_and_why_without_the_payload() -> None:
    shown = attributes(EXAMPLE)

    assert "payload" not in shown
    assert shown["actor"] == "staff/abc"
    assert shown["recorded_at"] == "2026-03-02T10:00:00.000001Z"
