"""Each shipped adapter makes of its golden payloads what they say, whatever else the vendor adds to them."""

import contextlib
import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.identifiers import is_identifier
from app.intake import care
from app.intake.adapters import Adapter, Options, PayloadNotUnderstood, again, apply, each_payload, shelf
from app.intake.adapters.document import parse_adapter
from tests.intake.goldens import FOLDER, Golden, events_of, goldens

ADAPTERS = shelf()
CASES = [(name, golden) for name in ADAPTERS for golden in goldens(name)]
JSON_CASES = [(name, golden) for name, golden in CASES if not isinstance(golden.payload, str)]
SERVICE = Options(service_id="willow-house")

ODD = [
    *(None, True, -1, 10**15, 1e300, "", " ", "\u202e", "x" * 300, "9999-12-31T23:59:59-23:59", "20261399999999"),
    *([], {}, [None], [[{}]], [{"a": 1}], {"a": {"b": 1}}),
]

SMALL = """
name = "small"
version = 3
description = "One visit."
each = ["visits"]
id = ["id"]
time_zone = "Europe/London"
[codes.status]
DONE = "completed"
[[event]]
type = "care.rostering.visit.v1"
when = [{ path = "status", present = true }]
[event.fields]
status = "status"
visit_id = "id"
scheduled_start = "due"
service_id = "home"
person_ref = "^.person"
"travel.planned_minutes" = "minutes"
[defaults]
service_id = "elm-house"
"""


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_shipped_adapter_is_tested_by_golden_payloads(name: str) -> None:
    assert len(goldens(name)) >= 1


def test_no_golden_payload_stands_for_an_adapter_that_there_is_not() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(ADAPTERS)


@pytest.mark.parametrize(("name", "golden"), CASES, ids=lambda part: getattr(part, "name", part))
def test_a_golden_payload_becomes_its_events(name: str, golden: Golden) -> None:
    assert events_of(ADAPTERS[name], golden.payload, golden.options) == golden.events


@pytest.mark.parametrize(("name", "golden"), CASES, ids=lambda part: getattr(part, "name", part))
def test_a_kept_payload_is_read_again_as_the_same_event(name: str, golden: Golden) -> None:
    for payload in each_payload(ADAPTERS[name], golden.payload):
        for part in apply(ADAPTERS[name], payload, golden.options):
            assert again(ADAPTERS[name], part.sent, golden.options, part.raw.id) == part


@pytest.mark.parametrize(("name", "golden"), JSON_CASES, ids=lambda part: getattr(part, "name", part))
@settings(max_examples=25)
@given(data=st.data(), extra=st.sampled_from([7, "x", None, True, {"deep": [1]}, [{"deeper": "y"}]]))
def test_a_field_that_nobody_knows_changes_no_event_and_is_listed(
    name: str, golden: Golden, data: st.DataObject, extra: object
) -> None:
    adapter = ADAPTERS[name]
    payload = copy.deepcopy(golden.payload)
    places = [one for one in objects_of(payload, ()) if not is_left_out(adapter, one[0])]
    where, holder = data.draw(st.sampled_from(places))
    holder["zz_new"] = extra

    found = [part for one in each_payload(adapter, payload) for part in apply(adapter, one, golden.options)]

    before = [part for one in each_payload(adapter, golden.payload) for part in apply(adapter, one, golden.options)]
    assert [(one.raw.type, one.raw.source, one.raw.data, one.raw.time, one.set_aside) for one in found] == [
        (one.raw.type, one.raw.source, one.raw.data, one.raw.time, one.set_aside) for one in before
    ], where
    assert any("zz_new" in field.split("/") for part in found for field in part.ignored_fields)


@pytest.mark.parametrize(("name", "golden"), JSON_CASES, ids=lambda part: getattr(part, "name", part))
@settings(max_examples=25)
@given(code=st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=40).filter(str.strip) | st.integers())
def test_a_status_that_nobody_knows_is_no_refusal(name: str, golden: Golden, code: str | int) -> None:
    adapter = ADAPTERS[name]
    payload = copy.deepcopy(golden.payload)
    for path in [path for shape in adapter.shapes if "status" in shape.fields for path in shape.fields["status"].paths]:
        for _, holder in objects_of(payload, ()):
            if path.steps[-1][0] in holder:
                holder[path.steps[-1][0]] = code

    found = [part for one in each_payload(adapter, payload) for part in apply(adapter, one, golden.options)]

    for part in found:
        assert part.set_aside or care.read(part.raw)


@pytest.mark.parametrize(("name", "golden"), JSON_CASES, ids=lambda part: getattr(part, "name", part))
@settings(max_examples=25)
@given(data=st.data(), odd=st.sampled_from(ODD))
def test_a_payload_is_understood_or_refused_whatever_stands_in_it(
    name: str, golden: Golden, data: st.DataObject, odd: object
) -> None:
    payload = copy.deepcopy(golden.payload)
    _, holder = data.draw(st.sampled_from(list(objects_of(payload, ()))))
    holder[data.draw(st.sampled_from(sorted(holder)))] = odd

    with contextlib.suppress(PayloadNotUnderstood):
        found = [part for one in each_payload(ADAPTERS[name], payload) for part in apply(ADAPTERS[name], one)]
        assert all(is_identifier(part.raw.id) and is_identifier(part.raw.source) for part in found)


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("payload", [{}, {"zz": 1}, "x", 7, None, [], [[]]])
def test_what_no_adapter_understands_is_refused_with_what_is_missing(name: str, payload: Any) -> None:
    with pytest.raises(PayloadNotUnderstood) as refused:
        events_of(ADAPTERS[name], payload, Options())

    first, *missing = refused.value.faults
    assert first.code == "payload-not-understood"
    assert missing


def test_the_service_of_a_payload_stands_over_that_of_the_request_and_this_over_the_default() -> None:
    adapter = parse_adapter(SMALL)
    visit = {"id": 1, "status": "DONE", "due": "2026-03-02T08:00:00Z"}

    (named,) = apply(adapter, {"visits": [{**visit, "home": "oak-house"}]}, SERVICE)
    (asked,) = apply(adapter, {"visits": [visit]}, SERVICE)
    (neither,) = apply(adapter, {"visits": [visit]})

    assert [one.raw.data["service_id"] for one in (named, asked, neither)] == ["oak-house", "willow-house", "elm-house"]


def test_each_item_of_an_array_is_an_event_of_its_own_within_what_encloses_it() -> None:
    adapter = parse_adapter(SMALL)
    visits = [
        {"id": 1, "status": "DONE", "due": "2026-07-02 08:00", "minutes": "12", "odd": {"a": 1}},
        {"id": 2, "status": "GONE", "due": "2026-01-02 08:00", "odd": {"b": 1}},
    ]

    one, two = apply(adapter, {"visits": visits, "person": "P-1"}, Options(source="urn:ours"))

    assert one.raw.data == {
        "status": "completed",
        "visit_id": "1",
        "scheduled_start": "2026-07-02T08:00:00+01:00",
        "service_id": "elm-house",
        "travel": {"planned_minutes": 12.0},
        "person_ref": "P-1",
    }
    assert (two.raw.data["status"], two.raw.data["scheduled_start"]) == ("GONE", "2026-01-02T08:00:00+00:00")
    assert (one.raw.source, one.raw.id, one.mapping) == ("urn:ours", "1", "small@3")
    assert (one.ignored_fields, two.ignored_fields) == (("visits/0/odd/a",), ("visits/1/odd/b",))


def test_a_payload_without_ids_is_named_by_its_content() -> None:
    adapter = parse_adapter(SMALL.replace('id = ["id"]', 'id = ["id", "nowhere"]'))
    payload = {"visits": [{"id": 1, "status": "DONE", "due": "2026-03-02T08:00:00Z"}]}

    (first,) = apply(adapter, payload)
    (same,) = apply(adapter, copy.deepcopy(payload))
    (other,) = apply(adapter, {**payload, "new": 1})

    assert len(first.raw.id) == 64
    assert first.raw.id == same.raw.id != other.raw.id


@pytest.mark.parametrize(
    ("visit", "pointer", "code"),
    [
        ({"id": 1, "due": "2026-03-02T08:00:00Z"}, "/status", "not-understood"),
        ({"id": 1, "status": "DONE"}, "/due", "missing"),
        ({"id": 1, "status": "DONE", "due": "tomorrow"}, "/visits/0/due", "not-a-time"),
        ({"id": 1, "status": "DONE", "due": 1772438400}, "/visits/0/due", "not-a-time"),
        ({"id": {"a": 1}, "status": "DONE", "due": "2026-03-02T08:00:00Z"}, "/visits/0/id", "wrong-type"),
        (
            {"id": 1, "status": "DONE", "due": "2026-03-02T08:00:00Z", "minutes": "few"},
            "/visits/0/minutes",
            "wrong-type",
        ),
        ({"id": "x" * 200, "status": "DONE", "due": "2026-03-02T08:00:00Z"}, "/id", "not-an-identifier"),
    ],
)
def test_what_cannot_be_read_is_pointed_at(visit: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(PayloadNotUnderstood) as refused:
        apply(parse_adapter(SMALL), {"visits": [visit]})

    assert (pointer, code) in [(fault.pointer, fault.code) for fault in refused.value.faults]


def test_a_value_without_its_prefix_says_nothing() -> None:
    event = {"type": "care.medication.dose_missed.v1", "source": "urn:acme", "id": "1", "subject": "visit/3391"}

    (part,) = apply(ADAPTERS["vendor-cloudevents"], {**event, "data": {"planned_at": "2026-03-02T08:00:00Z"}})

    assert "person_ref" not in part.raw.data


def test_of_several_changes_the_latest_says_when_it_was_said() -> None:
    (visit,) = next(one for one in goldens("sandata-visit") if one.name == "staff late").payload
    changes = [{"ChangeDateTime": f"2026-11-20T{hour}:00:00Z"} for hour in (15, 18, 16)]

    (part,) = apply(ADAPTERS["sandata-visit"], {**visit, "VisitChanges": changes})

    assert part.raw.time == datetime(2026, 11, 20, 18, tzinfo=UTC)


def test_to_ask_whether_something_is_there_is_not_to_read_it() -> None:
    payload = {"id": 1, "status": "odd", "exceptions": [{"name": "Late", "fresh": 1}]}

    (part,) = apply(ADAPTERS["alayacare-verification"], payload)

    assert part.ignored_fields == ("exceptions/0/fresh",)


def test_a_name_that_a_person_may_have_typed_is_not_repeated() -> None:
    visit = {"id": 1, "status": "DONE", "due": "2026-03-02T08:00:00Z", "Mrs Ada Smith, 3 Elm Row": 1}

    (part,) = apply(parse_adapter(SMALL), {"visits": [visit]})

    assert part.ignored_fields == ("visits/0",)


def test_no_more_items_are_taken_at_once_than_a_batch_holds() -> None:
    visit = {"id": 1, "status": "DONE", "due": "2026-03-02T08:00:00Z"}

    with pytest.raises(PayloadNotUnderstood):
        apply(parse_adapter(SMALL), {"visits": [visit] * 101})
    with pytest.raises(PayloadNotUnderstood):
        each_payload(parse_adapter(SMALL), [{}] * 101)


def objects_of(value: object, pointer: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every object of a document, with the names that lead to it."""
    if isinstance(value, dict):
        yield pointer, value
        for name, member in value.items():
            yield from objects_of(member, (*pointer, name))
    elif isinstance(value, list):
        for item in value:
            yield from objects_of(item, pointer)


def is_left_out(adapter: Adapter, names: tuple[str, ...]) -> bool:
    """Whether the mapping says that nothing below is read."""
    return any(names[: len(one)] == one for one in adapter.known)
