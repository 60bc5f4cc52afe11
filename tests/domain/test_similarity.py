"""Keys and windows: what is placed where, what a window holds, and what it counts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.moment import holds
from app.domain.policy import DEFAULT_POLICY
from app.domain.rule import Rule
from app.domain.similarity import (
    Entry,
    Placement,
    Window,
    event_time,
    key_text,
    place,
    reach,
    tally,
    windows,
)
from tests.domain.remembering import facts_of, policy_of

UTC = DEFAULT_POLICY.zone


def test_a_key_is_the_values_of_its_fields_in_the_rules_order() -> None:
    placed = put({"group_by": ["incident_type", "service_id"]}, service_id="elm", incident_type="visit")

    assert placed.kind == "counted"
    assert placed.key == ("visit", "elm")
    assert placed.key_text == '["visit","elm"]'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("A, B", "C"), ("A", "B, C")),
        (('A","B',), ("A", "B")),
        ((1,), ("1",)),
        ((None,), ("null",)),
        ((None,), ("",)),
        (("\u00e9",), ("e\u0301",)),
        ((), ("",)),
    ],
)
def test_different_keys_have_different_texts(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert key_text(one) != key_text(other)


@pytest.mark.parametrize(("one", "other"), [((3,), (3.0,)), ((0,), (-0.0,)), ((1e15,), (10**15,))])
def test_a_number_is_the_same_key_in_either_spelling(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert key_text(one) == key_text(other)


PARTS = st.one_of(
    st.none(), st.text(), st.integers(-(2**53) + 1, 2**53 - 1), st.floats(allow_nan=False, allow_infinity=False)
)


@given(st.lists(PARTS).map(tuple))
def test_a_keys_text_is_json_that_reads_back_as_the_key(key: tuple[Any, ...]) -> None:
    assert tuple(json.loads(key_text(key))) == key


@given(st.lists(PARTS).map(tuple), st.lists(PARTS).map(tuple))
def test_keys_have_the_same_text_exactly_if_they_are_equal(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert (key_text(one) == key_text(other)) is (one == other)


@pytest.mark.parametrize("missing", [None, "unknown"])
def test_a_missing_part_leaves_the_record_out_by_default(missing: str | None) -> None:
    placed = put({"group_by": ["service_id", "deviation"]}, deviation=missing)

    assert placed.kind == "unkeyed"
    assert placed.key == ("elm", None)
    assert placed.key_text is None


@pytest.mark.parametrize("missing", [None, "unknown"])
def test_a_missing_part_can_be_a_key_of_its_own(missing: str | None) -> None:
    placed = put({"group_by": ["service_id", "deviation"], "missing_key": "group"}, deviation=missing)

    assert placed.kind == "counted"
    assert placed.key_text == '["elm",null]'


@pytest.mark.parametrize("missing", [None, "unknown"])
def test_without_its_service_a_record_has_no_key_whatever_the_rule_says(missing: str | None) -> None:
    placed = put(
        {"group_by": ["service_id", "deviation"], "missing_key": "group"}, service_id=missing, deviation="late"
    )

    assert placed.kind == "unkeyed"


def test_a_type_called_unknown_is_a_type_like_any_other() -> None:
    placed = put({"group_by": ["service_id", "incident_type"]}, incident_type="unknown")

    assert placed.key_text == '["elm","unknown"]'


def test_an_empty_text_is_a_value_like_any_other() -> None:
    assert put({"group_by": ["attributes.unit"]}, **{"attributes.unit": ""}).key_text == '[""]'


def test_a_rule_without_fields_has_one_key_for_everything() -> None:
    assert put({"group_by": []}, service_id=None).key_text == "[]"


def test_an_alias_reads_the_field_that_the_type_has() -> None:
    rule = {"group_by": ["person"], "aliases": {"person": {"medication": "attributes.given_to", "visit": "person_ref"}}}

    medication = put(rule, incident_type="medication", **{"attributes.given_to": "p7"})
    visit = put(rule, incident_type="visit", person_ref="p7")
    other = put(rule, incident_type="other", person_ref="p7")

    assert medication.key_text == visit.key_text == '["p7"]'
    assert other.kind == "unkeyed"


@pytest.mark.parametrize(
    ("rule", "values", "applies"),
    [
        ({}, {}, True),
        ({"match": {"incident_type": "visit"}}, {}, False),
        ({"match": {"incident_type": ["visit", "medication"]}}, {}, True),
        ({"match": {"incident_type": "medication", "deviation": "late"}}, {"deviation": "late"}, True),
        ({"match": {"incident_type": "medication", "deviation": "late"}}, {"deviation": "early"}, False),
        ({"match": {"deviation": "late"}}, {}, False),
        ({"match": {"attributes.n": 1}}, {"attributes.n": 1.0}, True),
        ({"match": {"attributes.n": 1}}, {"attributes.n": "1"}, False),
        ({"match": {"contributing_factors": ["task", "team"]}}, {"contributing_factors": ("team", "training")}, True),
        ({"match": {"contributing_factors": "task"}}, {"contributing_factors": ("team", "training")}, False),
        ({"match": {"contributing_factors": "task"}}, {}, False),
        ({"match_any": [{"deviation": "late"}, {"potential_harm": "death"}]}, {"potential_harm": "death"}, True),
        ({"match_any": [{"deviation": "late"}, {"potential_harm": "death"}]}, {"potential_harm": "low"}, False),
        ({"match": {"deviation": "x"}, "match_any": [{"potential_harm": "death"}]}, {"potential_harm": "death"}, False),
    ],
)
def test_a_filter_asks_for_every_field_and_one_of_the_alternatives(
    rule: dict[str, Any], values: dict[str, Any], applies: bool
) -> None:
    policy = policy_of(rule)

    placed = place(policy.rules[0], facts_of(policy, "a", "2026-03-02", **values))

    assert (placed is not None) is applies


@pytest.mark.parametrize("classification", ["unsafe_condition", "harm_incident", None])
def test_what_a_rule_does_not_count_still_has_its_key(classification: str | None) -> None:
    placed = put({}, classification=classification)

    assert placed.kind == "not_counted"
    assert placed.key_text == '["elm"]'


@pytest.mark.parametrize(
    ("value", "weight"),
    [(5, 5), (0, 0), (0.5, 0.5), (-1, 1), ("5", 1), (None, 1), (1.7976931348623157e308, 1.7976931348623157e308)],
)
def test_a_report_without_a_weight_still_is_one(value: Any, weight: float) -> None:
    assert put({"weight": "attributes.n"}, **{"attributes.n": value}).entry.weight == weight


def test_different_values_are_counted_once_and_a_missing_one_not_at_all() -> None:
    rule = the_rule({"distinct": "person_ref"})

    assert tally(rule, entries_at(rule, "2026-03-02", *people("p1", "p2", "p1", None, "unknown"))) == 2


def test_the_text_1_and_the_number_1_are_different_values() -> None:
    rule = the_rule({"distinct": "attributes.n"})
    values = [{"attributes.n": 1}, {"attributes.n": "1"}, {"attributes.n": 1.0}]

    assert tally(rule, entries_at(rule, "2026-03-02", *values)) == 2


@pytest.mark.parametrize(
    ("weights", "total"),
    [
        ([0.1] * 10, 1),
        ([0.1, 0.2, 0.3], 0.6),
        ([2**53 - 1, 1], 2.0**53),
        ([1.7e308, 1.7e308], 1.7976931348623157e308),
        ([], 0),
    ],
)
def test_weights_add_up_whatever_their_order_and_never_to_what_json_cannot_say(
    weights: list[float], total: float
) -> None:
    rule = the_rule({"weight": "attributes.n"})
    entries = entries_at(rule, "2026-03-02", *[{"attributes.n": weight} for weight in weights])

    assert tally(rule, entries) == tally(rule, entries[::-1]) == total


@pytest.mark.parametrize(
    ("asked", "types", "enough"),
    [
        ({"require_types": ["a", "b"]}, "aab", True),
        ({"require_types": ["a", "b"]}, "aaa", False),
        ({"require_sequence": ["a", "b", "c"]}, "abc", True),
        ({"require_sequence": ["a", "b", "c"]}, "acbc", True),
        ({"require_sequence": ["a", "b", "c"]}, "cba", False),
        ({"require_sequence": ["a", "a"]}, "abb", False),
        ({"require_sequence": ["a", "b"]}, "ab", False),
    ],
)
def test_a_window_needs_the_types_and_the_order_that_the_rule_asks_for(
    asked: dict[str, Any], types: str, enough: bool
) -> None:
    rule = the_rule(asked)
    entries = entries_at(rule, "2026-03-02", *[{"incident_type": one} for one in types])

    [window] = windows(rule, entries, UTC)

    assert window.qualifies is enough


def test_a_window_of_a_month_can_hold_what_an_earlier_one_no_longer_does() -> None:
    rule = the_rule({"window": "P1M"})
    texts = ["2026-02-28T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T13:00:00Z"]
    entries = [entry_of(rule, text, at, UTC) for at, text in enumerate(texts)]

    found = windows(rule, entries, UTC, holding=0)

    assert [(one.anchor, tuple(one.inside)) for one in found] == [(0, (0,)), (2, (0, 1, 2))]


def test_a_window_ends_where_the_next_one_of_its_width_begins() -> None:
    rule = the_rule({"window": "PT12H"})
    texts = ["2026-03-02T00:00:00Z", "2026-03-02T12:00:00Z"]
    entries = [entry_of(rule, text, at, UTC) for at, text in enumerate(texts)]

    found = windows(rule, entries, UTC, holding=0)

    assert [one.anchor for one in found] == [0]


MOMENTS = st.one_of(
    st.builds("2026-{:02}-{:02}".format, st.integers(2, 5), st.integers(1, 28)),
    st.builds(
        "2026-{:02}-{:02}T{:02}:30:00Z".format, st.integers(2, 4), st.integers(1, 28), st.sampled_from([0, 12, 23])
    ),
)
SPANS = st.sampled_from(["P14D", "P1D", "PT12H", "PT36H", "P1M", "P1M1D", "PT0.5S", "P2M"])


@given(
    st.lists(MOMENTS, min_size=1, max_size=12),
    st.sampled_from(["dates", "instants", "both"]),
    SPANS,
    st.sampled_from(["elapsed", "calendar"]),
    st.sampled_from(["UTC", "Europe/London", "Pacific/Auckland"]),
    st.data(),
)
def test_windows_hold_exactly_the_pairs_that_the_definition_holds(
    texts: list[str], kind: str, window: str, basis: str, time_zone: str, data: st.DataObject
) -> None:
    policy = policy_of({"window": window, "window_basis": basis}, time_zone=time_zone)
    rule = policy.rules[0]
    texts = [text for text in texts if kind == "both" or (len(text) == 10) is (kind == "dates")] or ["2026-03-02"]
    entries = sorted((entry_of(rule, text, at, policy.zone) for at, text in enumerate(texts)), key=event_time)
    holding = data.draw(st.none() | st.integers(0, len(entries) - 1))

    found = list(windows(rule, entries, policy.zone, holding))

    by_definition = {
        tuple(x for x, one in enumerate(entries) if held(rule, anchor, one, policy.zone)) for anchor in entries
    }
    assert {tuple(one.inside) for one in found} == {
        inside for inside in by_definition if holding is None or holding in inside
    }
    assert [one.anchor for one in found] == sorted({one.anchor for one in found})
    assert all(one.total == len(one.inside) and entries[one.anchor] in inside_of(entries, one) for one in found)


@given(
    MOMENTS, MOMENTS, MOMENTS, SPANS, st.sampled_from(["elapsed", "calendar"]), st.sampled_from(["UTC", "Pacific/Apia"])
)
def test_whatever_shares_a_window_with_a_record_lies_within_its_reach(
    first: str, second: str, third: str, window: str, basis: str, time_zone: str
) -> None:
    policy = policy_of({"window": window, "window_basis": basis}, time_zone=time_zone)
    rule = policy.rules[0]
    record, other, anchor = (entry_of(rule, text, at, policy.zone) for at, text in enumerate((first, second, third)))
    low, high = reach(rule, record.moment)

    together = held(rule, anchor, record, policy.zone) and held(rule, anchor, other, policy.zone)

    assert not together or (low < other.moment.at <= high and low < anchor.moment.at <= high)


def put(rule: dict[str, Any], **values: Any) -> Placement:
    policy = policy_of(rule)
    placed = place(policy.rules[0], facts_of(policy, "a", "2026-03-02", **values))
    assert placed is not None
    return placed


def the_rule(rule: dict[str, Any]) -> Rule:
    return policy_of(rule).rules[0]


def entries_at(rule: Rule, at: str, *values: dict[str, Any]) -> list[Entry]:
    return [entry_of(rule, at, sequence, UTC, **one) for sequence, one in enumerate(values)]


def entry_of(rule: Rule, at: str, sequence: int, zone: Any, **values: Any) -> Entry:
    policy = policy_of({}, time_zone=zone.key)
    placed = place(rule, facts_of(policy, f"n{sequence}", at, **values))
    assert placed is not None
    return Entry(
        f"n{sequence}",
        sequence,
        placed.entry.moment,
        placed.entry.weight,
        placed.entry.distinct,
        placed.entry.incident_type,
    )


def people(*references: str | None) -> list[dict[str, Any]]:
    return [{"person_ref": reference} for reference in references]


def held(rule: Rule, anchor: Entry, x: Entry, zone: Any) -> bool:
    return holds(anchor.moment, x.moment, rule.window, rule.calendar, zone)


def inside_of(entries: list[Entry], window: Window) -> list[Entry]:
    return [entries[at] for at in window.inside]
