"""Recording a near miss: its check stands in the same transaction; the first answer is what every reader gets."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.domain.decider import Invalid
from app.operations.job import IdempotencyKeyReused, SourceEventConflict
from tests.office import LINK, NOT_MAPPED, Office, opened


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


# The check (S2, S3)


def test_two_similar_open_nothing_and_the_third_opens_one_review(office: Office) -> None:
    first, second, third = (office.submit() for _ in range(3))

    assert [outcome(one) for one in (first, second, third)] == ["below_threshold", "below_threshold", "escalated"]
    (escalation,) = office.escalations()
    assert third["escalation_ids"] == [escalation["id"]]
    assert [member["near_miss_id"] for member in escalation["members"]] == [first["id"], second["id"], third["id"]]
    with office.house.reader("default") as reader:
        assert reader.reviews([escalation["review_id"]])[0]["status"] == "open"


def test_the_check_is_recorded_in_the_event_of_the_near_miss(office: Office) -> None:
    office.submit()

    second = office.submit()

    event = json.loads(office.ledger()[-1].payload)
    (similar,) = [rule for rule in event["similarity_check"]["rules"] if rule["rule_id"] == "similar"]
    assert similar["count"] == 2
    assert second["frequency"] == 2


def test_what_lies_exactly_a_window_apart_is_not_counted_together(office: Office) -> None:
    for at in ("2026-02-10T09:00:00Z", "2026-02-24T09:00:00Z", "2026-02-24T08:00:00Z"):
        last = office.submit(occurred_at=at)

    assert [one["similarity_check"]["rules"][0]["count"] for one in (last,)] == [2]
    assert office.escalations() == []


def test_a_fourth_is_attached_and_one_out_of_every_window_is_related(office: Office) -> None:
    for _ in range(3):
        office.submit()

    fourth = office.submit()
    far = office.submit(occurred_at="2026-01-05T09:00:00Z")

    assert (outcome(fourth), outcome(far)) == ("attached", "related")
    (escalation,) = office.escalations()
    kinds = {member["near_miss_id"]: member["kind"] for member in escalation["members"]}
    assert (kinds[fourth["id"]], kinds[far["id"]]) == ("member", "related")


def test_a_late_report_completes_the_window_of_another(office: Office) -> None:
    office.submit(occurred_at="2026-02-20T09:00:00Z")
    office.submit(occurred_at="2026-02-25T09:00:00Z")

    late = office.submit(occurred_at="2026-02-18T09:00:00Z")

    assert outcome(late) == "escalated"
    assert office.escalations()[0]["detected_late"] is True


# Resends


def test_the_same_source_event_is_answered_with_the_original(office: Office) -> None:
    first = office.submit(source="emar", source_event_id="e-1")

    again = office.house.ask(office.submission(source="emar", source_event_id="e-1"))

    assert again.status == 200
    assert again.body == first
    assert office.types().count("near_miss.recorded") == 1


def test_the_same_source_event_is_answered_as_it_stands_after_a_correction(office: Office) -> None:
    first = office.submit(source="emar", source_event_id="e-1")
    office.do(office.correction(first["id"], deviation="late"))

    again = office.house.ask(office.submission(source="emar", source_event_id="e-1"))

    assert (again.status, again.body["deviation"], again.body["version"]) == (200, "late", 2)


def test_the_same_source_event_with_other_content_is_a_conflict(office: Office) -> None:
    office.submit(source="emar", source_event_id="e-1")

    with pytest.raises(SourceEventConflict):
        office.submit(source="emar", source_event_id="e-1", deviation="late")


def test_the_same_id_of_two_sources_is_two_near_misses(office: Office) -> None:
    one = office.submit(source="emar", source_event_id="e-1")
    other = office.submit(source="rota", source_event_id="e-1")

    assert one["id"] != other["id"]


def test_an_idempotency_key_is_answered_the_same_for_ever(office: Office) -> None:
    first = office.submit(idempotency_key="k")
    office.do(office.correction(first["id"], deviation="late"))
    for _ in range(3):
        office.submit()

    again = office.house.ask(office.submission(idempotency_key="k"))

    assert again.replayed
    assert (again.status, again.body) == (201, first)


def test_an_idempotency_key_of_another_request_is_refused(office: Office) -> None:
    office.submit(idempotency_key="k")

    with pytest.raises(IdempotencyKeyReused):
        office.submit(idempotency_key="k", deviation="late")


def test_a_refused_request_does_not_use_its_idempotency_key_up(office: Office) -> None:
    with pytest.raises(Invalid):
        office.submit(idempotency_key="k", incident_type="weather")

    assert office.house.ask(office.submission(idempotency_key="k")).replayed is False


def test_a_refusal_leaves_nothing_in_the_ledger(office: Office) -> None:
    before = office.ledger()

    with pytest.raises(Invalid):
        office.submit(incident_type="weather", person_ref="nobody-knows", narrative="Rain.")

    assert office.ledger() == before


# The first answer


def link(stage_allowed: str) -> dict[str, Any]:
    return {**LINK, "stage_affected": "record", "stage_allowed": stage_allowed, "mapped_against": NOT_MAPPED}


REPORTS = st.fixed_dictionaries(
    {
        "deviation": st.sampled_from(["other", None]),
        "occurred_at": st.sampled_from(
            ["2026-03-02", "2026-03-02T09:00:00+00:00", "2026-02-20T09:00:00.123456+01:00", "2025-06-01", "2024-02-29"]
        ),
        "service_id": st.sampled_from(["willow-house", "elm", "the elm", "nowhere"]),
        "incident_type": st.sampled_from(["medication", "visit", "safeguarding"]),
        "classification": st.sampled_from(["near_miss", "no_harm_incident", "harm_incident", "unsafe_condition"]),
    },
    optional={
        "person_ref": st.sampled_from(["resident-1", "Zoë 👩‍⚕️"]),
        "narrative": st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
        ),
        "staff_involved": st.lists(
            st.fixed_dictionaries(
                {"ref": st.sampled_from(["staff-1", "staff-2"])}, optional={"role": st.just("carer")}
            ),
            min_size=1,
            max_size=3,
        ),
        "source": st.sampled_from(["emar", "rota"]),
        "potential_harm": st.sampled_from(["low", "severe"]),
        "recovery_barrier": st.just("chance"),
        "reported_frequency": st.just("frequent") | st.integers(1, 1000),
        "discovered_at": st.just("2026-03-02T09:30:00+00:00"),
        "locality": st.just("north"),
        "shift": st.fixed_dictionaries(
            {"starts_at": st.just("2026-03-02T08:00:00+00:00"), "ends_at": st.just("2026-03-02T20:00:00+00:00")},
            optional={"id": st.just("day-1")},
        ),
        "attributes": st.dictionaries(
            st.sampled_from(["unit", "doses", "é"]),
            st.text("abc", max_size=3)
            | st.integers(-5, 5)
            | st.floats(-1e6, 1e6).filter(lambda one: not one.is_integer()),
            max_size=3,
        ),
        "workflow_link": st.sampled_from(["handover", "unknown"]).map(lambda stage: link(stage)),  # noqa: PLW0108 - it stands below
        "as_history": st.booleans(),
    },
)


@given(st.lists(REPORTS, min_size=1, max_size=8))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_first_answer_is_what_every_reader_is_shown(office: Office, reports: list[dict[str, Any]]) -> None:
    office.house.open_organisation(name := f"org-{office.house.writer.counts.commands}", name)
    own = Office(office.house, office.clock, name)
    own.do(own.registration("elm", aliases=("the elm",)))
    jobs = [own.submission(**report) for report in reports]

    answers = own.house.try_all(jobs)

    ledger = own.ledger()
    for job, answer in zip(jobs, answers, strict=True):
        if isinstance(answer, Invalid):
            continue  # A code that the incident type does not have.
        assert not isinstance(answer, Exception)
        last = max(event.sequence for event in ledger if event.correlation_id == job.command_id)
        assert wire(answer.body) == wire(own.near_miss(job.near_miss_id, as_of=last))


def test_history_that_joins_a_historical_crossing_is_not_in_review(office: Office) -> None:
    past = {"as_history": True, "occurred_at": "2025-03-02", "workflow_link": LINK}
    for _ in range(3):
        office.submit(**past)

    fourth = office.submit(**past)

    assert fourth["status"] == "linked"
    assert office.near_miss(fourth["id"])["status"] == "linked"
    assert [one["status"] for one in office.escalations()] == ["historical"]


# Intake


def test_a_system_may_leave_out_what_it_cannot_know(office: Office) -> None:
    shown = office.submit(
        intake=True,
        contributing_factors=None,
        staff_involved=None,
        service_id=None,
        reported_at=datetime(2026, 3, 1, tzinfo=UTC),
        workflow_link={"stage_allowed": "handover"},
    )

    assert shown["status"] == "awaiting_details"
    assert shown["awaiting"] == ["contributing_factors", "staff_involved", "service_id"]
    assert shown["stage_allowed"] == "handover"
    assert shown["reported_at"] == "2026-03-01T00:00:00.000000Z"
    assert outcome(shown) == "unkeyed"


def test_what_awaits_details_counts_at_once(office: Office) -> None:
    for _ in range(3):
        office.submit(intake=True, contributing_factors=None, staff_involved=None)

    assert len(office.open_escalations()) == 1


def outcome(shown: dict[str, Any]) -> str:
    return next(rule["outcome"] for rule in shown["similarity_check"]["rules"] if rule["rule_id"] == "similar")


def wire(body: Any) -> Any:
    """As a client reads it, numbers by their spelling."""
    return json.dumps(json.loads(json.dumps(body), parse_float=str, parse_int=str), sort_keys=True)
