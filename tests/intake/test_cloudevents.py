"""CloudEvents 1.0 as producers send them: read alike in every mode, refused with every fault at once."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.datastructures import Headers

from app.domain.decider import Invalid
from app.intake.cloudevents import RawEvent, binary, structured
from tests.cases import CASES, load

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "urn:emar:site-1",
    "type": "care.near_miss.reported.v1",
    "time": "2026-03-02T10:05:00+01:00",
    "datacontenttype": "application/json",
    "data": {"status": "given"},
}
HEADERS = {
    "content-type": "application/json",
    "ce-specversion": "1.0",
    "ce-id": "e-1",
    "ce-source": "urn:emar:site-1",
    "ce-type": "care.near_miss.reported.v1",
    "ce-time": "2026-03-02T10:05:00+01:00",
}
RAW = RawEvent(
    "urn:emar:site-1",
    "e-1",
    "care.near_miss.reported.v1",
    {"status": "given"},
    datetime(2026, 3, 2, 9, 5, tzinfo=UTC),
)


def faults(event: object) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        structured(event)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


def header_faults(**headers: str) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        binary({**HEADERS, **{f"ce-{name}": value for name, value in headers.items()}}, {})
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


def test_an_event_is_the_same_in_both_modes() -> None:
    assert structured(EVENT) == binary(HEADERS, {"status": "given"}) == RAW


def test_the_events_of_other_producers_are_read_whole() -> None:
    raw = structured(load("fixtures/cloudevent_structured.json"))
    batch = [structured(one) for one in load("fixtures/cloudevent_batch.json")]

    assert (raw.source, raw.id, raw.subject) == ("urn:provider:acme:emar", "dose-88121/1", "client/CLIENT-0042")
    assert raw.data == {"dose_id": "dose-88121", "planned_at": "2026-11-20T08:00:00Z", "reason": "asleep"}
    assert raw.extensions["correlationid"] == "visit-3391"
    assert batch[0] == raw
    assert [one.id for one in batch] == ["dose-88121/1", "visit-3391/2"]


def test_a_binary_event_is_read_off_its_headers() -> None:
    head, _, body = (CASES / "fixtures/cloudevent_binary.http").read_text("utf-8").partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])

    raw = binary(headers, json.loads(body))

    assert (raw.source, raw.id, raw.type) == ("urn:provider:acme:rota", "visit-3391/2", "care.visit.late.v1")
    assert raw.time == datetime(2026, 11, 20, 8, 38, tzinfo=UTC)
    assert raw.extensions == {}


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_an_event_without_what_every_event_has_is_refused(name: str) -> None:
    assert faults({**EVENT, name: None}) == [(f"/{name}", "missing")]
    assert faults({key: value for key, value in EVENT.items() if key != name}) == [(f"/{name}", "missing")]


def test_all_that_is_wrong_with_an_event_is_told_at_once() -> None:
    event = {"specversion": "0.3", "id": "", "source": 7, "time": "today", "subject": [], "data": "x"}

    assert faults(event) == [
        ("/specversion", "unknown-code"),
        ("/id", "not-an-identifier"),
        ("/source", "not-an-identifier"),
        ("/type", "missing"),
        ("/time", "not-an-instant"),
        ("/subject", "wrong-type"),
        ("/data", "wrong-type"),
    ]


@pytest.mark.parametrize("event_id", ["", " ", "a\0b", "a\nb", "\u200b", "x" * 129, 1, True, ["a"]])
def test_a_name_that_nobody_could_read_back_is_refused(event_id: object) -> None:
    assert faults({**EVENT, "id": event_id}) == [("/id", "not-an-identifier")]


def test_blanks_around_a_name_are_no_part_of_it() -> None:
    assert structured({**EVENT, "id": " e-1 "}) == RAW
    assert len(structured({**EVENT, "id": "x" * 128}).id) == 128


@pytest.mark.parametrize("time", ["2026-03-02T10:05:00", "2026-03-02", 1, "2026-02-30T10:00:00Z", ""])
def test_a_time_that_is_no_instant_is_refused(time: object) -> None:
    assert faults({**EVENT, "time": time}) == [("/time", "not-an-instant")]


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "text/json", "a/b+json"])
def test_data_may_be_any_json(media_type: str) -> None:
    assert structured({**EVENT, "datacontenttype": media_type}) == RAW


@pytest.mark.parametrize("media_type", ["application/xml", "text/plain", "application/jsonx", "", 1])
def test_data_that_is_no_json_is_refused(media_type: object) -> None:
    assert faults({**EVENT, "datacontenttype": media_type}) == [("/datacontenttype", "not-json")]


def test_data_in_base64_is_refused_in_words() -> None:
    event = {**{name: value for name, value in EVENT.items() if name != "data"}, "data_base64": "e30="}

    assert faults(event) == [("/data_base64", "not-json")]


@pytest.mark.parametrize(
    ("data", "code"), [(None, "missing"), ("x", "wrong-type"), ([], "wrong-type"), (1, "wrong-type")]
)
def test_data_is_an_object(data: object, code: str) -> None:
    assert faults({**EVENT, "data": data}) == [("/data", code)]


@pytest.mark.parametrize("event", [None, [], "x", 1])
def test_an_event_is_an_object(event: object) -> None:
    assert faults(event) == [("", "wrong-type")]


def test_what_nobody_knows_is_kept_and_null_is_as_good_as_left_out() -> None:
    raw = structured({**EVENT, "subject": None, "traceparent": "00-1", "lang": None, "dataschema": "urn:s", "n": [1]})

    assert raw.extensions == {"traceparent": "00-1", "dataschema": "urn:s", "n": [1]}
    assert raw.subject is None


# Headers


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("a%20b", "a b"),
        ("100%25", "100%"),
        ("100%", "100%"),
        ("%E2%82%AC", "\u20ac"),
        ("caf\u00c3\u00a9", "caf\u00e9"),  # UTF-8 that was not encoded, as servers hand it on.
        ('"quoted \\"id\\""', 'quoted "id"'),
        ("%2520", "%20"),
    ],
)
def test_a_header_is_decoded_once(sent: str, read: str) -> None:
    assert binary({**HEADERS, "ce-id": sent}, {}).id == read


@pytest.mark.parametrize("sent", ["a%00b", "a%0Ab", "a%C2%85b", "%FF", "%C3", "caf\u00e9"])
def test_a_header_that_hides_control_characters_or_is_no_text_is_refused(sent: str) -> None:
    assert header_faults(id=sent) == [("/headers/ce-id", "not-text")]


def test_a_header_of_any_letter_case_and_of_anybodys_own_is_read() -> None:
    headers = {name.upper(): value for name, value in HEADERS.items()}

    raw = binary({**headers, "CE-Sequence": "17", "Idempotency-Key": "k", "ce-datacontenttype": "x"}, RAW.data)

    assert raw.extensions == {"sequence": "17"}
    assert (raw.source, raw.id) == (RAW.source, RAW.id)


def test_an_attribute_that_two_headers_claim_is_refused() -> None:
    headers = Headers(raw=[(name.encode(), value.encode()) for name, value in HEADERS.items()] + [(b"ce-id", b"e-2")])

    with pytest.raises(Invalid) as refused:
        binary(headers, {})

    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/headers/ce-id", "duplicate-key")]


def test_a_fault_of_the_binary_mode_points_to_its_header() -> None:
    assert header_faults(time="today", specversion="0.3") == [
        ("/headers/ce-specversion", "unknown-code"),
        ("/headers/ce-time", "not-an-instant"),
    ]
    with pytest.raises(Invalid) as refused:
        binary({**HEADERS, "content-type": "text/plain", "ce-data_base64": "e30="}, "x")
    assert {fault.pointer for fault in refused.value.faults} == {
        "/headers/content-type",
        "/headers/ce-data_base64",
    }
