"""Every reason that an assurance gives, brought about by the real service or by taking an event out of its ledger; what
is inside its deadline is pending, and of nothing nothing is confirmed.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from app.clock import system_clock
from app.domain import source
from app.domain.moment import parse_instant, to_micros
from app.operations import governing, quiet
from app.operations.tick import tick
from app.proof.events import Event
from tests.office import Office, opened
from tests.operations import governing as boardroom
from tests.proof.assuring import LINKED, REPEATED, USED, assured, events_of, named, reasons, reported

DAY = 86_400_000_000


@pytest.fixture
def office(sqlite_url: str) -> Iterator[Office]:
    with opened(sqlite_url) as office:
        yield office


def three(office: Office, **changes: Any) -> dict[str, Any]:
    """Three similar near misses, and the escalation that they raise."""
    for _ in range(3):
        office.submit(**changes)
    return office.escalations()[-1]


def wait(office: Office, **duration: float) -> None:
    """Time passes, and a worker has asked whatever is due."""
    office.clock.go_on(**duration)
    while tick(office.house, "worker", system_clock()):
        pass


def ask(office: Office, name: str, **asked: Any) -> dict[str, Any]:
    return named(assured(office, **asked), name)


def at(text: str) -> int:
    return to_micros(parse_instant(text))


# Validation 1


def test_an_organisation_without_crossings_confirms_nothing(office: Office) -> None:
    office.submit()

    found = ask(office, REPEATED)

    assert (found["population"], found["confirmed"], found["exceptions"], found["pending"]) == (0, None, [], [])


def test_a_review_is_pending_inside_its_deadline_and_confirmed_once_it_is_closed_in_time(office: Office) -> None:
    escalation = three(office)
    ids = [escalation["id"], escalation["review_id"]]

    pending = ask(office, REPEATED)
    wait(office, days=13, minutes=50)
    office.do(office.review_closure(escalation["review_id"]))
    closed = ask(office, REPEATED)

    assert pending["pending"] == [{"ids": ids, "due": "2026-03-16T10:00:00.000000Z"}]
    assert (pending["confirmed"], pending["exceptions"]) == (False, [])
    assert (closed["confirmed"], closed["population"]) == (True, 1)
    (crossing,) = closed["crossings"]
    assert crossing["determination"] == "not_system_risk"
    assert (crossing["due"], crossing["late"]) == ("2026-03-16T10:00:00.000000Z", False)
    assert crossing["latency"] == {"detected": "PT1H", "acknowledged": "P13DT1H50M", "concluded": "P13DT1H50M"}


def test_a_review_that_was_closed_after_its_deadline_stays_overdue_and_says_when_it_was_closed(office: Office) -> None:
    escalation = three(office)
    ids = [escalation["id"], escalation["review_id"]]

    wait(office, days=15)
    overdue = ask(office, REPEATED)
    office.do(office.review_closure(escalation["review_id"]))
    closed = ask(office, REPEATED)

    due = "2026-03-16T10:00:00.000000Z"
    assert overdue["exceptions"] == [{"ids": ids, "reason": "review_overdue", "detail": {"due": due}}]
    assert (closed["confirmed"], closed["crossings"][0]["due"], closed["crossings"][0]["late"]) == (False, due, True)
    (late,) = closed["exceptions"]
    assert (late["ids"], late["reason"], late["detail"]["due"]) == (ids, "review_overdue", due)
    assert late["detail"]["closed_at"].startswith("2026-03-17T10:00:00")


def test_a_review_that_was_opened_for_no_crossing_of_the_period_is_not_asked_about(office: Office) -> None:
    three(office)

    assert ask(office, REPEATED, since=at("2026-03-02T09:00:00Z"))["population"] == 1
    assert ask(office, REPEATED, since=at("2026-03-02T09:00:01Z"))["population"] == 0
    assert ask(office, REPEATED, until=at("2026-03-02T09:00:00Z"))["population"] == 0
    assert ask(office, REPEATED, services=frozenset({"ash-court"}))["population"] == 0
    assert ask(office, REPEATED, services=frozenset({"willow-house"}))["population"] == 1


def test_a_review_that_is_gone_from_the_ledger_is_missed_although_its_escalation_stands(office: Office) -> None:
    escalation = three(office)

    kept = [one for one in events_of(office) if one.kind != "review"]
    found = named(reported(kept, to_micros(office.clock())), REPEATED)

    assert [(one["ids"], one["reason"]) for one in found["exceptions"]] == [([escalation["id"]], "review_missing")]


def test_a_review_closed_without_a_determination_is_an_exception(office: Office) -> None:
    escalation = three(office)
    office.do(office.review_closure(escalation["review_id"]))

    kept = [one for one in events_of(office) if one.type != "review.system_risk_determined"]
    found = named(reported(kept, to_micros(office.clock())), REPEATED)

    assert reasons(found) == ["determination_missing"]
    assert found["confirmed"] is False


def test_a_deadline_that_passed_without_its_event_is_an_exception_after_ten_minutes(office: Office) -> None:
    escalation = three(office)

    office.clock.go_on(days=1, minutes=9)
    in_time = ask(office, REPEATED)
    office.clock.go_on(minutes=1)
    forgotten = ask(office, REPEATED)
    wait(office)
    answered = ask(office, REPEATED)

    assert reasons(in_time) == reasons(answered) == []
    (one,) = forgotten["exceptions"]
    assert (one["ids"], one["reason"], one["detail"]["timer"]) == ([escalation["id"]], "timer_without_event", "ack_due")


def test_a_rung_that_was_taken_out_of_the_ledger_is_seen_by_the_next(office: Office) -> None:
    three(office)
    wait(office, days=1)
    wait(office, days=1)

    events = events_of(office)
    first = next(one for one in events if one.type == "escalation.level_entered")
    found = named(reported([one for one in events if one != first], to_micros(office.clock())), REPEATED)

    assert reasons(found) == ["timer_without_event"]
    assert found["exceptions"][0]["detail"]["due"] == "2026-03-03T10:00:00.000000Z"


def test_a_source_that_is_silent_and_has_not_answered_is_an_exception_until_it_speaks(office: Office) -> None:
    declare = source.Declare("emar", "P1D")
    office.do(office.command(lambda desk, cause: quiet.declare(desk, cause, "emar", declare, None)))
    assert ask(office, REPEATED)["exceptions"] == []

    office.clock.go_on(days=2)
    untold = ask(office, REPEATED)
    office.follow()
    wait(office)
    told = ask(office, REPEATED)
    before = ask(office, REPEATED, until=at("2026-03-02T10:00:00Z"))
    office.submit(source="emar", source_event_id="e-1")
    spoken = ask(office, REPEATED)

    assert [(one["ids"], one["reason"]) for one in untold["exceptions"]] == [(["emar"], "source_silent")]
    assert told["exceptions"] == untold["exceptions"]
    assert before["exceptions"] == spoken["exceptions"] == []


def test_a_crossing_that_goes_on_in_another_review_is_judged_by_that_one(office: Office) -> None:
    from app.operations import climbing, merging

    first, second = three(office), three(office, deviation="late")
    office.do(
        office.command(
            lambda desk, cause: merging.merge(desk, cause, climbing.load(desk, first["id"]), second["id"]), first["id"]
        )
    )
    pending = ask(office, REPEATED)
    office.do(office.review_closure(second["review_id"]))
    closed = ask(office, REPEATED)

    assert [one["ids"] for one in pending["pending"]] == [
        [first["id"], second["review_id"]],
        [second["id"], second["review_id"]],
    ]
    assert (closed["confirmed"], closed["population"]) == (True, 2)


def test_what_is_withdrawn_duplicate_or_of_no_counted_class_crosses_nothing(office: Office) -> None:
    one, two = office.submit()["id"], office.submit()["id"]
    office.do(office.withdrawal(one))
    office.submit(classification="harm_incident")
    other = office.submit(deviation="late")["id"]
    office.do(office.duplicate(other, two))
    office.do(office.correction(office.submit(classification="unsafe_condition")["id"], classification="near_miss"))
    assert ask(office, REPEATED)["population"] == 0

    office.do(office.correction(office.submit(deviation="early")["id"], deviation="omitted"))

    assert ask(office, REPEATED)["population"] == 1
    assert ask(office, REPEATED)["crossings"][0]["recomputed"]


# As known then


def test_what_was_known_when_the_period_ended_is_told_apart_from_what_is_known_now(office: Office) -> None:
    early = office.submit()["id"]
    office.clock.go_on(days=5)
    for _ in range(2):
        office.submit()

    report = assured(office, until=at("2026-03-03T00:00:00Z"))
    then, now = named(report["as_known_then"], REPEATED), named(report, REPEATED)

    assert (then["population"], now["population"]) == (0, 1)
    assert now["crossings"][0]["detected_late"]
    assert named(report["as_known_then"], LINKED)["population"] == 1
    assert named(report["as_known_then"], LINKED)["pending"][0]["ids"] == [early]
    assert report["as_known_then"]["as_of_sequence"] < report["as_of_sequence"]
    assert report["as_known_then"]["at"] == "2026-03-03T00:00:00.000000Z"
    assert report["at"].startswith("2026-03-07T10:00:00")


# Validation 2


def test_a_near_miss_awaits_its_link_then_it_is_an_orphan_and_linked_it_is_confirmed(office: Office) -> None:
    near_miss_id = office.submit()["id"]

    pending = ask(office, LINKED)
    office.do(office.link(near_miss_id, stage_allowed="unknown"))
    unknown = ask(office, LINKED)
    wait(office, days=7)
    orphan = ask(office, LINKED)
    office.do(office.link(near_miss_id))
    linked = ask(office, LINKED)

    assert pending["pending"] == unknown["pending"] == [{"ids": [near_miss_id], "due": "2026-03-09T10:00:00.000000Z"}]
    assert [(one["ids"], one["reason"]) for one in orphan["exceptions"]] == [([near_miss_id], "not_linked")]
    assert (linked["confirmed"], linked["population"], linked["linked"]) == (True, 1, 1)
    office.do(office.withdrawal(near_miss_id))
    assert ask(office, LINKED)["confirmed"] is None


def test_a_record_without_its_details_is_pending_until_those_are_due(office: Office) -> None:
    near_miss_id = office.submit(intake=True, contributing_factors=None)["id"]

    pending = ask(office, LINKED)
    wait(office, days=3)
    late = ask(office, LINKED)
    office.do(office.details(near_miss_id, contributing_factors=["staffing"]))
    completed = ask(office, LINKED)

    assert pending["pending"] == [{"ids": [near_miss_id], "due": "2026-03-05T10:00:00.000000Z"}]
    assert late["exceptions"][0]["detail"]["awaits"] == ["contributing_factors"]
    assert completed["pending"] == [{"ids": [near_miss_id], "due": "2026-03-09T10:00:00.000000Z"}]


def test_imported_history_owes_no_link_and_is_counted_apart(office: Office) -> None:
    office.submit(as_history=True, occurred_at="2025-03-02T09:00:00Z")

    found = ask(office, LINKED)

    assert (found["population"], found["confirmed"], found["owe_no_link"]) == (0, None, {"history": 1})


def test_a_near_miss_that_was_closed_by_itself_inside_an_open_escalation_is_an_exception(office: Office) -> None:
    escalation = three(office)
    events = events_of(office)
    member = escalation["members"][0]["near_miss_id"]
    version = 1 + sum(one.subject == member for one in events)
    closed = Event(
        "default", len(events) + 1, "x", f"near_miss/{member}", version, "near_miss.closed", 1, events[-1].recorded_at,
        events[-1].recorded_at, "key/x", "c-x", None, {"outcome": {"sealed": "x", "key": "k"}},
    )  # fmt: skip

    found = named(reported([*events, closed], to_micros(office.clock())), LINKED)

    assert [(one["ids"], one["reason"]) for one in found["exceptions"]] == [
        ([member, escalation["id"]], "closed_in_isolation")
    ]


# Validation 3


def test_an_escalation_is_pending_until_the_next_review_is_due_and_considered_once_it_is_cited(office: Office) -> None:
    escalation = three(office)

    pending = ask(office, USED)
    review = boardroom.opened(office)
    held = ask(office, USED)
    boardroom.closed(office, review["id"], escalation["id"])
    closed = ask(office, USED)

    due = "2026-04-02T10:00:00.000000Z"
    assert pending["pending"] == [{"ids": [escalation["id"], escalation["review_id"]], "due": due}]
    assert [one["ids"] for one in held["pending"]] == [[review["id"]], [escalation["id"], escalation["review_id"]]]
    assert (closed["confirmed"], closed["population"], closed["escalations_considered"]) == (True, 2, 1)


def test_citing_a_member_or_the_review_considers_the_escalation_too(office: Office) -> None:
    first, second = three(office), three(office, deviation="late")
    cites = (first["members"][1]["near_miss_id"], second["review_id"])

    boardroom.closed(office, boardroom.opened(office)["id"], *cites)

    assert ask(office, USED)["confirmed"] is True


def test_a_review_that_left_an_escalation_of_its_period_out_is_named(office: Office) -> None:
    escalation = three(office)
    review = boardroom.opened(office)
    boardroom.closed(office, review["id"], escalation["id"])

    events = [
        _citing(one, ["snapshot"]) if one.type == "governance_review.decided" else one for one in events_of(office)
    ]
    found = named(reported(events, to_micros(office.clock())), USED)

    assert [(one["ids"], one["reason"]) for one in found["exceptions"]] == [
        ([escalation["id"], escalation["review_id"], review["id"]], "escalation_in_no_governance_review")
    ]


def test_a_decision_that_cites_nothing_or_nothing_that_exists_is_an_exception(office: Office) -> None:
    review = boardroom.opened(office)

    office.do(
        office.command(
            lambda desk, cause: governing.decide(desk, cause, governing.load(desk, review["id"]), "So be it.", [])
        )
    )
    nothing = ask(office, USED)
    events = [
        _citing(one, ["nm_none"]) if one.type == "governance_review.decided" else one for one in events_of(office)
    ]
    strange = named(reported(events, to_micros(office.clock())), USED)

    assert reasons(nothing) == reasons(strange) == ["decision_cites_nothing"]
    assert strange["exceptions"][0]["detail"]["unknown"] == ["nm_none"]


def test_a_snapshot_that_lies_beyond_its_ledger_is_an_exception(office: Office) -> None:
    boardroom.opened(office)

    events = [
        one._replace(data={**one.data, "snapshot": {**one.data["snapshot"], "as_of_sequence": 10**6}})
        if one.type == "governance_review.opened"
        else one
        for one in events_of(office)
    ]

    assert reasons(named(reported(events, to_micros(office.clock())), USED)) == ["snapshot_unresolved"]


def test_a_missed_cadence_is_an_exception_of_its_period_and_leaves_escalations_unconsidered(office: Office) -> None:
    escalation = three(office)
    office.do(office.review_closure(escalation["review_id"]))

    wait(office, days=32)
    missed = ask(office, USED, until=at("2026-04-03T00:00:00Z"))
    other_month = ask(office, USED, since=at("2026-04-03T00:00:00Z"))
    boardroom.closed(office, boardroom.opened(office)["id"], escalation["id"])
    late = ask(office, USED, until=at("2026-04-03T00:00:00Z"))

    assert reasons(missed) == ["governance_review_missing", "escalation_in_no_governance_review"]
    assert (other_month["population"], other_month["confirmed"]) == (0, None)
    assert [(one["reason"], one["detail"]["due"]) for one in late["exceptions"]] == [
        ("governance_review_missing", "2026-04-02T10:00:00.000000Z")
    ]
    assert late["exceptions"][0]["detail"]["closed_at"].startswith("2026-04-03")


def test_where_governance_reviews_are_left_out_nobody_is_held_to_what_may_stand_in_them(office: Office) -> None:
    first = three(office)
    office.do(office.review_closure(first["review_id"]))
    boardroom.closed(office, boardroom.opened(office, services=["willow-house"])["id"], first["id"])
    second = three(office, deviation="late")
    office.do(office.review_closure(second["review_id"]))
    wait(office, days=70)
    end = to_micros(office.clock())

    whole = named(reported(events_of(office), end), USED)
    part = named(reported(events_of(office), end, sees_governance=False), USED)

    assert sorted(reasons(whole)) == ["escalation_in_no_governance_review", "governance_review_missing"]
    assert (part["confirmed"], part["exceptions"], part["pending"]) == (None, [], [])
    assert (part["reviews_held"], part["escalations"], part["escalations_considered"], part["not_judged"]) == (
        1, 1, 1, 1,
    )  # fmt: skip
    assert "left out" in part["why"]
    assert "why" not in whole
    assert "not_judged" not in whole


def test_what_is_wrong_with_a_governance_review_that_is_there_is_told_of_a_part_too(office: Office) -> None:
    review = boardroom.opened(office)
    office.do(
        office.command(
            lambda desk, cause: governing.decide(desk, cause, governing.load(desk, review["id"]), "So be it.", [])
        )
    )

    part = named(reported(events_of(office), to_micros(office.clock()), sees_governance=False), USED)

    assert (part["confirmed"], reasons(part)) == (False, ["decision_cites_nothing"])


# Parts of a ledger


def test_any_part_of_a_ledger_is_read_without_stumbling(office: Office) -> None:
    escalation = three(office)
    office.do(office.link(escalation["members"][0]["near_miss_id"]))
    review = boardroom.opened(office)
    boardroom.closed(office, review["id"], escalation["id"])
    office.do(office.review_closure(escalation["review_id"], "action_agreed"))
    office.do(office.withdrawal(office.submit()["id"]))
    wait(office, days=40)
    events = events_of(office)
    end = to_micros(office.clock())

    for kind in {one.kind for one in events}:
        reported([one for one in events if one.kind != kind], end)
        reported([one for one in events if one.kind == kind], end)
    for left_out in events:
        reported([one for one in events if one is not left_out], end)

    found = named(reported([one for one in events if one.kind != "near_miss"], end), REPEATED)
    crossing = next(one for one in found["crossings"] if one["escalation_id"] == escalation["id"])
    assert crossing["recomputed"] is False
    assert "review_missing" not in reasons(found)


def test_an_event_that_nobody_wrote_is_refused_by_its_sequence(office: Office) -> None:
    events = events_of(office)
    office.submit()
    broken = events_of(office)[len(events)]._replace(data={"report": {}})

    with pytest.raises(ValueError, match=f"Event {broken.sequence} \\(near_miss.recorded\\)"):
        reported([*events, broken], 0)


def _citing(event: Event, cites: list[str]) -> Event:
    return event._replace(data={**event.data, "cites": cites})
