"""When two records look like one occurrence: each part of the score, and what speaks against it altogether."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import taxonomy_default
from app.domain.likeness import (
    AGAINST,
    COMPATIBLE_DEVIATIONS,
    COMPATIBLE_TYPES,
    PARTS,
    WEIGHTS,
    Occurrence,
    against,
    likeness,
)
from app.domain.moment import Moment, Span

HALF_AN_HOUR = Span.parse("PT30M")
MINUTE = 60_000_000
NINE = 9 * 60 * MINUTE

EMAR = Occurrence(
    "emar", "willow-house", Moment(NINE, 1, date_only=False), "medication", "late", frozenset({"p1"}), frozenset({"s7"})
)
ROTA = replace(EMAR, source="rota")


def at(minutes: float, **changes: Any) -> Occurrence:
    """What the rota tells of the same occurrence, so many minutes later."""
    moment = changes.pop("moment", Moment(NINE + round(minutes * MINUTE), 1, date_only=False))
    return replace(ROTA, moment=moment, **changes)


@pytest.mark.parametrize(
    ("rota", "score", "codes"),
    [
        (at(0), 1.0, "same_service same_person same_time same_type same_deviation"),
        (at(3), 0.965, "same_service same_person near_time same_type same_deviation"),
        (at(-3), 0.965, "same_service same_person near_time same_type same_deviation"),
        (at(30), 0.65, "same_service same_person near_time same_type same_deviation"),
        (at(15, deviation="omitted"), 0.795, "same_service same_person near_time same_type compatible_deviation"),
        (at(15, deviation=None), 0.775, "same_service same_person near_time same_type deviation_unsaid"),
        (at(15, deviation="other"), 0.775, "same_service same_person near_time same_type deviation_unsaid"),
        (at(0, incident_type="visit"), 0.9, "same_service same_person same_time compatible_type compatible_deviation"),
        (
            at(24, incident_type="visit", deviation="missed"),
            0.62,
            "same_service same_person near_time compatible_type compatible_deviation",
        ),
        (
            at(28, incident_type="visit", deviation=None),
            0.5533,
            "same_service same_person near_time compatible_type deviation_unsaid",
        ),
        (at(0, persons=frozenset({"p1", "p2"})), 1.0, "same_service same_person same_time same_type same_deviation"),
        (at(5, persons=frozenset()), 0.8417, "same_service same_staff near_time same_type same_deviation"),
        (at(0, source=None), 1.0, "same_service same_person same_time same_type same_deviation"),
    ],
)
def test_what_agrees_adds_up_and_says_so(rota: Occurrence, score: float, codes: str) -> None:
    found = likeness(EMAR, rota, HALF_AN_HOUR)

    assert (found.score, found.against) == (score, None)
    assert " ".join(one.code for one in found.reasons) == codes


@pytest.mark.parametrize(
    ("rota", "code"),
    [
        (at(0, source="emar"), "same_source"),
        (at(0, service_id="ash-court"), "another_service"),
        (at(0, service_id=None), "another_service"),
        (at(0, moment=Moment(NINE, 1, date_only=True)), "no_time"),
        (at(30.01), "too_far_apart"),
        (at(-30.01), "too_far_apart"),
        (at(0, persons=frozenset({"p2"})), "another_person"),
        (at(5.01, persons=frozenset()), "no_person"),
        (at(0, persons=frozenset(), staff=frozenset({"s8"})), "no_person"),
        (at(0, persons=frozenset(), staff=frozenset()), "no_person"),
        (at(0, incident_type="escalation"), "another_type"),
        (at(0, deviation="wrong_dose"), "another_deviation"),
        (at(0, incident_type="visit", deviation="overrun"), "another_deviation"),
    ],
)
def test_some_things_speak_against_it_whatever_else_agrees(rota: Occurrence, code: str) -> None:
    assert against(EMAR, rota, HALF_AN_HOUR) == against(rota, EMAR, HALF_AN_HOUR) == code
    assert likeness(EMAR, rota, HALF_AN_HOUR).against == code


def test_two_records_without_a_source_are_of_one_source() -> None:
    assert against(replace(EMAR, source=None), at(0, source=None), HALF_AN_HOUR) == "same_source"


def test_how_far_apart_is_near_is_for_the_rule_to_say() -> None:
    assert against(EMAR, at(50), Span.parse("PT1H")) is None
    assert likeness(EMAR, at(30), Span.parse("PT1H")).score == 0.825


def test_a_reason_says_how_far_apart_and_in_which_words() -> None:
    found = likeness(EMAR, at(2.5, incident_type="visit", deviation="missed"), HALF_AN_HOUR)

    assert [one.says for one in found.reasons if "{" in PARTS[one.code][2]] == [
        "They lie 2.5 min apart.",
        "One system would see it as medication, the other as visit.",
        "Their deviations can be one event: late and missed.",
    ]
    assert all(0 <= one.points <= one.of for one in found.reasons)


def test_the_weights_make_a_whole_and_no_part_adds_more_than_its_weight() -> None:
    assert sum(WEIGHTS.values()) == 100
    assert all(0 < points <= WEIGHTS[part] for part, points, _ in PARTS.values())
    assert all(says.endswith(".") for says in (*AGAINST.values(), *(says for *_, says in PARTS.values())))


def test_the_tables_name_words_of_the_taxonomy() -> None:
    assert {one for pair in COMPATIBLE_TYPES for one in pair} <= set(taxonomy_default.INCIDENT_TYPES)
    for pair in COMPATIBLE_DEVIATIONS:
        assert len(pair) == 2
        types = frozenset(incident_type for incident_type, _ in pair)
        assert len(types) == 1 or types in COMPATIBLE_TYPES
        assert all(deviation in taxonomy_default.DEVIATIONS[incident_type] for incident_type, deviation in pair)


OCCURRENCES = st.builds(
    Occurrence,
    st.sampled_from([None, "emar", "rota"]),
    st.sampled_from([None, "willow", "ash"]),
    st.builds(Moment, st.integers(0, 40 * MINUTE), st.just(1), st.booleans()),
    st.sampled_from(["medication", "visit", "escalation"]),
    st.sampled_from([None, "late", "omitted", "missed", "other"]),
    st.frozensets(st.sampled_from("pq"), max_size=2),
    st.frozensets(st.sampled_from("st"), max_size=2),
)


@given(OCCURRENCES, OCCURRENCES)
def test_which_of_the_two_comes_first_makes_no_difference(one: Occurrence, other: Occurrence) -> None:
    found, reverse = likeness(one, other, HALF_AN_HOUR), likeness(other, one, HALF_AN_HOUR)

    assert (found.score, found.against) == (reverse.score, reverse.against)
    assert 0 <= found.score <= 1
    assert found.score == pytest.approx(sum(reason.points for reason in found.reasons), abs=1e-9)
