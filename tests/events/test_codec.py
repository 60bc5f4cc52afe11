"""Every event of the catalogue to its text and back, and what older and newer releases wrote."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import near_miss
from app.domain.near_miss import Closed, SourceAdded
from app.domain.report import Check, RuleChecked, WorkflowLink
from app.domain.sealed import Reference, SealedText
from app.domain.service import Locality, Particulars, Registered, RoleHolder
from app.domain.watch import CooldownEnded
from app.events import catalogue, codec, upcasts
from app.events.catalogue import CATALOGUE, Entry
from app.events.codec import UnknownEvent, decode, encode, name_of, told
from app.events.envelope import Envelope
from tests.events.examples import events
from tests.service import ROOT

WORDS = SealedText("c2VhbGVk", "k_1")


def envelope(name: str, payload: str, schema_version: int = 1) -> Envelope:
    return Envelope(
        "default", 7, "id", "near_miss/nm_1", 1, name, schema_version, 0, 0, "key/a", "command", None, payload, b""
    )


@pytest.mark.parametrize("name", CATALOGUE)
@given(data=st.data())
@settings(max_examples=10)
def test_an_event_is_written_canonically_without_what_is_absent_and_read_as_it_was(
    name: str, data: st.DataObject
) -> None:
    event = data.draw(events(name))

    written = encode(event)
    read = decode(envelope(name, written))

    assert type(read) is type(event)
    assert read == event
    assert blobs(read) == blobs(event)
    assert encode(read) == written
    document = json.loads(written)
    assert written.encode() == rfc8785.dumps(document)
    assert set(document) == {field.name for field in fields(event) if getattr(event, field.name) is not None}


def test_what_is_absent_inside_is_left_out_too() -> None:
    link = WorkflowLink("administer", "handover", "eMAR", WORDS, WORDS)
    check = Check(datetime(2026, 3, 2, tzinfo=UTC), 1, ())

    document = json.loads(encode(near_miss.Linked(link, check)))

    assert set(document["link"]) == {
        "stage_affected",
        "stage_allowed",
        "system_used",
        "deviation_from_plan",
        "corrective_action",
    }


def test_a_part_of_a_key_that_is_missing_keeps_its_place() -> None:
    checked = RuleChecked("r", (("service_id", "elm"), ("deviation", None)), "P14D", 3, 1, (), "unkeyed")
    check = Check(datetime(2026, 3, 2, tzinfo=UTC), 1, (checked,))

    document = json.loads(encode(near_miss.Withdrawn(WORDS, check)))

    assert document["similarity_check"]["rules"][0]["key"] == [["service_id", "elm"], ["deviation", None]]


@pytest.mark.parametrize(
    ("instant", "spelt"),
    [
        (datetime(2026, 3, 2, 9, 5, 7, 40, tzinfo=UTC), "2026-03-02T09:05:07.000040Z"),
        (datetime(2026, 3, 2, tzinfo=UTC), "2026-03-02T00:00:00.000000Z"),
        (datetime(999, 1, 1, tzinfo=UTC), "0999-01-01T00:00:00.000000Z"),
        (datetime.fromisoformat("2026-07-01T12:00:00+01:00"), "2026-07-01T11:00:00.000000Z"),
    ],
)
def test_an_instant_has_one_spelling(instant: datetime, spelt: str) -> None:
    written = json.loads(encode(CooldownEnded("r", "[]", instant)))

    assert written["scheduled_at"] == spelt


def test_a_date_is_written_as_a_date() -> None:
    holder = RoleHolder("manager", Reference("c2VhbGVk", "k_1", "token"), date(2026, 3, 2))
    told_of = Particulars("Elm", "care_home", localities=(Locality("north", date(2026, 1, 1)),), role_holders=(holder,))

    document = json.loads(encode(Registered(told_of)))

    assert document["particulars"]["localities"] == [{"locality": "north", "since": "2026-01-01"}]
    assert document["particulars"]["role_holders"] == [
        {"role": "manager", "ref": {"sealed": "c2VhbGVk", "key": "k_1", "token": "token"}, "since": "2026-03-02"}
    ]


# What other releases wrote


@dataclass(frozen=True, slots=True)
class ClosedToday:
    """The newest form of a fake event: its outcome has a code, and it names who closed it."""

    outcome_code: str
    closed_by: str


@pytest.fixture
def third_version(monkeypatch: pytest.MonkeyPatch) -> str:
    """A name of which this release writes version 3."""
    name = "near_miss.ended"
    monkeypatch.setitem(CATALOGUE, name, Entry(ClosedToday, 3))
    monkeypatch.setitem(catalogue.NAMES, ClosedToday, (name, 3))
    monkeypatch.setitem(upcasts.UPCASTS, (name, 1), lambda old: {"outcome": old["result"]})
    monkeypatch.setitem(
        upcasts.UPCASTS, (name, 2), lambda old: {"outcome_code": old["outcome"], "closed_by": "unknown"}
    )
    return name


@pytest.mark.parametrize(
    ("schema_version", "payload", "expected"),
    [
        (1, '{"result":"resolved"}', ClosedToday("resolved", "unknown")),
        (2, '{"outcome":"resolved"}', ClosedToday("resolved", "unknown")),
        (3, '{"closed_by":"key/a","outcome_code":"resolved"}', ClosedToday("resolved", "key/a")),
    ],
)
def test_what_an_older_release_wrote_is_brought_up_step_by_step(
    third_version: str, schema_version: int, payload: str, expected: ClosedToday
) -> None:
    read = told(envelope(third_version, payload, schema_version))

    assert read.event == expected
    assert read.envelope.payload == payload


def test_an_event_is_written_under_its_newest_version(third_version: str) -> None:
    assert name_of(ClosedToday("resolved", "key/a")) == (third_version, 3)


def test_instants_are_read_alike_after_an_upcast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUE, "watch.cooldown_ended", Entry(CooldownEnded, 2))
    monkeypatch.setitem(upcasts.UPCASTS, ("watch.cooldown_ended", 1), lambda old: {"rule_id": "r", **old})
    event = CooldownEnded("r", "[]", datetime(2026, 3, 2, 9, tzinfo=UTC), "esc_1")
    payload = {name: value for name, value in json.loads(encode(event)).items() if name != "rule_id"}

    assert decode(envelope("watch.cooldown_ended", json.dumps(payload))) == event


@pytest.mark.parametrize(
    ("name", "schema_version"), [("near_miss.closed", 2), ("near_miss.hidden", 1)], ids=["newer version", "new name"]
)
def test_what_a_newer_release_wrote_is_refused_by_name(name: str, schema_version: int) -> None:
    with pytest.raises(UnknownEvent, match=rf"^Event 7 is a {re.escape(name)} v{schema_version}: update forewarn"):
        decode(envelope(name, "{}", schema_version))


def test_a_field_that_was_added_with_a_default_is_absent_in_older_text() -> None:
    assert decode(envelope("near_miss.closed", "{}")) == Closed()
    assert decode(envelope("near_miss.source_added", '{"near_miss_id":"nm_2"}')) == SourceAdded("nm_2")


def test_every_step_between_two_versions_has_its_upcast() -> None:
    steps = {(name, version) for name, entry in CATALOGUE.items() for version in range(1, entry.schema_version)}

    assert set(codec.UPCASTS) == steps


def blobs(value: Any) -> list[str]:
    """Every sealed blob in order; equality of references does not look at them."""
    if isinstance(value, Reference | SealedText):
        return [value.sealed]
    if isinstance(value, tuple):
        return [blob for item in value for blob in blobs(item)]
    if is_dataclass(value):
        return [blob for field in fields(value) for blob in blobs(getattr(value, field.name))]
    return []


def test_every_decoder_is_made_before_there_is_a_second_thread() -> None:
    """One that is made in two threads at once ends the process (msgspec's cache of dataclasses)."""
    asked = (
        "from app.events import catalogue, codec; print(codec._decoder.cache_info().currsize, len(catalogue.CATALOGUE))"
    )

    made = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)

    assert len(set(made.stdout.split())) == 1
