"""S17: whether what a review agreed on worked, told honestly, over HTTP and on both databases."""

from datetime import timedelta
from typing import Any

import pytest

from app.clock import system_clock
from app.operations import rebuild as rebuilding
from app.operations.audit import Auditor, last_audit
from tests.journeys.inside import Inside
from tests.journeys.ladder import let_pass
from tests.journeys.providing import (
    EFFECTIVE,
    ENDS,
    FIRST,
    OTHERS,
    acted,
    agreed,
    attend,
    complete,
    future,
    outcome,
    past,
    pattern,
    reported,
    spread,
)
from tests.journeys.ward import Ward, text


def counts(told: dict[str, Any]) -> tuple[int, int, int]:
    return told["before"]["events"], told["during"]["events"], told["after"]["events"]


def assessments(inside: Inside) -> list[dict[str, Any]]:
    """Every assessment in the ledger, the oldest first."""
    page = inside.ward.get("/v1/ledger/events", limit=200, after=0)
    found: list[dict[str, Any]] = []
    while page["items"]:
        found += [one["data"] for one in page["items"] if one["type"] == "forewarn.outcome.assessed.v1"]
        page = inside.ward.get("/v1/ledger/events", limit=200, after=page["next_after"])
    return found


def audit(inside: Inside, auditor: Auditor) -> int:
    """How much the auditor finds wrong."""
    now = system_clock()
    for _ in auditor.audit(now):
        pass
    with inside.house.database.read() as connection:
        return last_audit(connection, now)["findings"]


@pytest.mark.parametrize(
    ("before", "after", "others", "verdict"),
    [
        (24, 2, (12, 6), "fell"),
        (6, 12, (12, 6), "rose"),
        (12, 5, (12, 6), "not_shown"),
        (3, 0, (12, 6), "too_little_data"),
        (24, 2, (60, 6), "reporting_fell"),
        (24, 0, (0, 0), "reporting_fell"),
    ],
)
def test_s17_what_came_of_an_action_is_told_when_its_follow_up_ends(
    inside: Inside, before: int, after: int, others: tuple[int, int], verdict: str
) -> None:
    past(inside, before, others[0])
    action_id = acted(inside)

    future(inside, after, others[1])

    told = outcome(inside.ward, action_id)
    assert (told["status"], told["verdict"], told["provisional"]) == ("assessed", verdict, False)
    assert inside.ward.get(f"/v1/actions/{action_id}")["outcome"]["verdict"] == verdict
    assert counts(told) == (before, 3, after)
    assert (told["before"]["exposure"], told["after"]["exposure"]) == (180.0, 90.0)
    assert (told["reporting"]["before"], told["reporting"]["after"]) == others
    assert told["says"].startswith(f"{before} (180 days) before and {after} (90 days) after: ")
    assert told["exposure"] == "calendar_days"
    assert "calendar days" in told["says"]
    assert told["follow_up_ends"] == told["assessed_at"] == "2026-06-01T00:00:00.000000Z"
    assert len(assessments(inside)) == 1


def test_s17_a_halving_that_ninety_days_do_not_show_is_found_after_a_year(inside: Inside) -> None:
    past(inside, 30, 30)
    action_id = acted(inside)
    future(inside, 8, 15)
    unclear = outcome(inside.ward, action_id)

    inside.clock.set(text(EFFECTIVE + timedelta(days=364)))
    reported(inside.ward, spread(22, ENDS, 270))
    reported(inside.ward, spread(45, ENDS, 270), **OTHERS)
    still = outcome(inside.ward, action_id)
    let_pass(inside, days=2)

    told = outcome(inside.ward, action_id)
    assert (unclear["status"], unclear["verdict"], counts(unclear)) == ("assessed", "not_shown", (30, 3, 8))
    assert unclear["looks_again_at"] == "2027-03-03T00:00:00.000000Z"
    assert "once more on 2027-03-03" in unclear["says"]
    assert still == unclear
    assert (told["verdict"], counts(told), told["looks_again_at"]) == ("fell", (30, 3, 30), None)
    assert (told["after"]["exposure"], told["follow_up_ends"]) == (365.0, "2027-03-03T00:00:00.000000Z")
    assert [one["verdict"] for one in told["history"]] == ["not_shown"]


def test_s17_a_chance_cluster_is_in_neither_arm(inside: Inside) -> None:
    """Nothing changed: one in 30 days before and after. Counted with its cluster, it would have seemed to fall."""
    past(inside, 6)
    action_id = acted(inside)

    future(inside, 3)

    told = outcome(inside.ward, action_id)
    naive_before = (told["during"]["events"]) / 2
    assert told["after"]["events"] / 90 < naive_before / 10
    assert (told["verdict"], told["rate_ratio"]) == ("not_shown", 1.0)


def test_s17_before_its_end_the_outcome_is_provisional(inside: Inside) -> None:
    past(inside, 24)
    ward = inside.ward
    action_id = agreed(ward, pattern(inside))

    waiting = outcome(ward, action_id)
    complete(ward, action_id)
    early = outcome(ward, action_id)
    inside.clock.set(text(EFFECTIVE + timedelta(days=30)))
    reported(ward, [EFFECTIVE + timedelta(days=10)])
    so_far = outcome(ward, action_id)

    assert (waiting["status"], waiting["verdict"], waiting["provisional"]) == ("not_completed", None, False)
    assert "last open action" in waiting["says"]
    assert (early["status"], early["verdict"]) == ("follow_up", None)
    assert early["says"].startswith("Too early to tell: the follow-up begins on 2026-03-03 and ends on 2026-06-01")
    assert (so_far["status"], so_far["provisional"]) == ("follow_up", True)
    assert (counts(so_far), so_far["after"]["exposure"]) == ((24, 3, 1), 30.0)
    assert so_far["says"].startswith("So far, until the follow-up ends on 2026-06-01: 24 (180 days) before and 1 (30 ")


def test_s17_actions_of_a_review_share_one_verdict_from_the_last_one_on(inside: Inside) -> None:
    past(inside, 24)
    ward = inside.ward
    escalation = pattern(inside)
    first, second, given_up = (agreed(ward, escalation) for _ in range(3))

    complete(ward, first)
    ward.post(f"/v1/actions/{given_up}/cancellation", {"reason": "The eMAR asks for it now."})
    waiting = outcome(ward, first)
    complete(ward, second, effective_from="2026-03-20")

    assert waiting["status"] == "not_completed"
    told = outcome(ward, first)
    assert told["actions"] == [first, second]
    assert (told["action_id"], told["after"]["from"]) == (first, "2026-03-20T00:00:00.000000Z")
    assert outcome(ward, second) == {**told, "action_id": second}


def test_s17_an_action_that_was_cancelled_has_nothing_to_follow_up(inside: Inside) -> None:
    past(inside, 6)
    action_id = agreed(inside.ward, pattern(inside))

    inside.ward.post(f"/v1/actions/{action_id}/cancellation", {"reason": "The eMAR asks for it now."})

    told = outcome(inside.ward, action_id)
    assert (told["status"], told["verdict"]) == ("not_completed", None)
    assert told["says"].startswith("Cancelled")


def test_s17_another_action_puts_the_verdict_off_until_it_is_done(inside: Inside) -> None:
    past(inside, 24)
    ward = inside.ward
    escalation = pattern(inside)
    first = agreed(ward, escalation)
    complete(ward, first)
    second = agreed(ward, escalation)

    future(inside, 2)

    assert outcome(ward, first)["status"] == "not_completed"
    assert assessments(inside) == []
    complete(ward, second)
    let_pass(inside, minutes=1)
    assert outcome(ward, first)["verdict"] == "fell"
    assert outcome(ward, first)["actions"] == [first, second]


def test_s17_denominators_are_used_where_every_day_has_one(inside: Inside) -> None:
    """Twice as many doses are due after it: as many near misses are half the rate."""
    past(inside, 40)
    action_id = acted(inside)
    inside.clock.set(text(ENDS - timedelta(hours=2)))
    stated(inside.ward, FIRST - timedelta(days=180), 180, doses_due=100)
    stated(inside.ward, EFFECTIVE, 89, doses_due=400)
    unstated = outcome(inside.ward, action_id)
    stated(inside.ward, EFFECTIVE + timedelta(days=89), 1, doses_due=400)

    future(inside, 20)

    told = outcome(inside.ward, action_id)
    assert unstated["exposure"] == "doses_due"  # Of the 89 days so far, each has one.
    assert (told["exposure"], told["before"]["exposure"], told["after"]["exposure"]) == ("doses_due", 18000, 36000)
    assert (told["rate_ratio"], told["verdict"]) == (0.25, "fell")
    assert told["says"].startswith("40 (18,000 doses due) before and 20 (36,000 doses due) after: the rate fell")
    assert "calendar" not in told["says"]


@pytest.mark.parametrize(("before", "verdict"), [(5, "too_little_data"), (6, "fell")])
def test_s17_five_to_none_is_too_few_to_tell_and_six_to_none_is_not(inside: Inside, before: int, verdict: str) -> None:
    past(inside, before)
    action_id = acted(inside)
    stated(inside.ward, FIRST - timedelta(days=180), 180, doses_due=100)
    inside.clock.set(text(ENDS - timedelta(hours=2)))
    stated(inside.ward, EFFECTIVE, 90, doses_due=200)

    future(inside, 0)

    told = outcome(inside.ward, action_id)
    assert (told["verdict"], told["before"]["exposure"], told["after"]["exposure"]) == (verdict, 18000, 18000)


def test_s17_a_day_without_its_denominator_makes_it_calendar_days(inside: Inside) -> None:
    past(inside, 40)
    action_id = acted(inside)
    stated(inside.ward, FIRST - timedelta(days=180), 179, doses_due=100)
    inside.clock.set(text(ENDS - timedelta(hours=2)))
    stated(inside.ward, EFFECTIVE, 90, doses_due=400)

    future(inside, 20)

    told = outcome(inside.ward, action_id)
    assert (told["exposure"], told["verdict"], told["rate_ratio"]) == ("calendar_days", "not_shown", 1.0)
    assert "no denominator is stated for every day" in told["says"]


@pytest.mark.parametrize("amount", [0, -1])
def test_a_denominator_of_nothing_is_refused(inside: Inside, amount: int) -> None:
    item = {"service_id": "willow-house", "date": "2026-03-01", "doses_due": amount}

    problem = inside.ward.put("/v1/denominators", {"items": [item]}, expect=422)

    assert [one["pointer"] for one in problem["errors"]] == ["/items/0/doses_due"]
    assert inside.ward.get("/v1/denominators")["items"] == []


@pytest.mark.parametrize("service_id", ["willow-house", None])
def test_s17_a_source_that_was_silent_withholds_the_verdict(inside: Inside, service_id: str | None) -> None:
    """Also one of no service, when it had reported of this one."""
    past(inside, 24)
    ward = inside.ward
    ward.submit(occurred_at="2026-02-10", source="emar", source_event_id="e-1", **OTHERS)
    said = {"expected_every": "P7D", **({"service_id": service_id} if service_id else {})}
    ward.put("/v1/sources/emar", said)
    ward.put("/v1/sources/rota", {"expected_every": "P7D", "service_id": "ash-court"})
    action_id = acted(inside)

    future(inside, 2)

    told = outcome(ward, action_id)
    assert (told["verdict"], told["reporting"]["silent_sources"]) == ("reporting_fell", ["emar"])
    assert "Silent during the follow-up: emar." in told["says"]


def test_s17_harm_is_shown_beside_it(inside: Inside) -> None:
    past(inside, 24)
    reported(inside.ward, spread(2, FIRST - timedelta(days=100), 30), classification="harm_incident")
    action_id = acted(inside)
    inside.clock.set("2026-04-01T10:00:00Z")
    inside.ward.submit(occurred_at="2026-04-01", classification="harm_incident")

    future(inside, 2)

    told = outcome(inside.ward, action_id)
    assert (told["verdict"], told["harm"], counts(told)) == ("fell", {"before": 2, "after": 1}, (24, 3, 2))
    assert "Incidents with harm: 2 before, 1 after." in told["says"]


# What comes late


def test_s17_a_late_report_is_assessed_once_more(inside: Inside) -> None:
    past(inside, 24)
    action_id = acted(inside)
    future(inside, 2)
    first = outcome(inside.ward, action_id)
    let_pass(inside, days=3)
    late = reported(inside.ward, spread(14, EFFECTIVE + timedelta(days=1), 80))

    attend(inside)
    attend(inside)

    told = outcome(inside.ward, action_id)
    assert (told["verdict"], counts(told)) == ("not_shown", (24, 3, 16))
    assert [one["verdict"] for one in told["history"]] == ["fell"]
    assert told["history"][0]["says"] == first["says"]
    inside.ward.withdraw(late[0])
    attend(inside)
    assert counts(outcome(inside.ward, action_id)) == (24, 3, 15)
    assert [one["after"]["events"] for one in assessments(inside)][-1] == 15
    assert outcome(inside.ward, action_id, as_of=first["as_of_sequence"] + 1) == first


def test_an_outcome_that_was_settled_and_is_open_again_has_the_auditor_find_its_timer(inside: Inside) -> None:
    past(inside, 24)
    action_id = acted(inside)
    future(inside, 2)
    auditor = Auditor(inside.house)
    settled = audit(inside, auditor)
    assert outcome(inside.ward, action_id)["looks_again_at"] is None
    let_pass(inside, days=3)

    reported(inside.ward, spread(14, EFFECTIVE + timedelta(days=1), 80))
    attend(inside)

    told = outcome(inside.ward, action_id)
    assert (told["verdict"], told["looks_again_at"]) == ("not_shown", "2027-03-03T00:00:00.000000Z")
    assert (settled, audit(inside, auditor)) == (0, 0)


def test_s17_what_changes_no_number_is_not_told(inside: Inside) -> None:
    past(inside, 24)
    action_id = acted(inside)
    ids = future(inside, 2)
    inside.ward.correct(ids[0], narrative="It was the morning dose.")
    inside.ward.submit(service_id="ash-court", occurred_at="2026-04-01")

    attend(inside)
    inside.clock.advance(days=366)
    reported(inside.ward, [EFFECTIVE + timedelta(days=1)])
    attend(inside)

    assert len(assessments(inside)) == 1
    assert counts(outcome(inside.ward, action_id)) == (24, 3, 2)


def test_s17_denominators_that_come_late_are_looked_at_again(inside: Inside) -> None:
    past(inside, 40)
    action_id = acted(inside)
    future(inside, 20)
    assert outcome(inside.ward, action_id)["verdict"] == "not_shown"
    stated(inside.ward, FIRST - timedelta(days=180), 180, doses_due=100)

    attend(inside)
    stated(inside.ward, EFFECTIVE, 90, doses_due=400)
    attend(inside)

    told = outcome(inside.ward, action_id)
    assert (told["verdict"], told["exposure"]) == ("fell", "doses_due")
    assert [one["exposure"] for one in told["history"]] == ["calendar_days"]


# What counts


def test_s17_what_an_earlier_review_consumed_still_counts(inside: Inside) -> None:
    """And what the rule has become since does not: it is the version that opened the escalation which counts."""
    past(inside, 0)
    for hour in range(3):
        told = inside.ward.submit(occurred_at=text(FIRST - timedelta(days=100, hours=hour)))
    inside.ward.close(inside.ward.escalation(told["escalation_ids"][0]))
    action_id = acted(inside)
    inside.ward.put(
        "/v1/policy",
        {"rules": [{"id": "other", "group_by": ["service_id"], "threshold": 9, "window": "P1D"}], "reason": "Another."},
    )

    future(inside, 4)

    assert counts(outcome(inside.ward, action_id)) == (3, 3, 4)


def test_s17_an_action_said_to_work_before_its_pattern_is_followed_up_from_the_pattern_on(inside: Inside) -> None:
    """The report that made it a pattern happened when the follow-up begins, and is not in it."""
    past(inside, 24)
    action_id = agreed(inside.ward, pattern(inside))
    complete(inside.ward, action_id, effective_from="2026-02-01")

    future(inside, 2)

    attend(inside)  # It ended an hour before these came.
    told = outcome(inside.ward, action_id)
    assert (told["after"]["from"], counts(told)) == ("2026-03-02T08:00:00.000000Z", (24, 3, 2))


# What was known when


def test_s17_as_of_tells_what_was_known_then(inside: Inside) -> None:
    past(inside, 24)
    ward = inside.ward
    action_id = acted(inside)
    inside.clock.set(text(EFFECTIVE + timedelta(days=30)))
    reported(ward, [EFFECTIVE + timedelta(days=10)])
    sequence = position(ward)
    then = outcome(ward, action_id, as_of=sequence)

    future(inside, 2)

    assert then["status"] == "follow_up"
    assert outcome(ward, action_id, as_of=sequence) == then
    assert outcome(ward, action_id)["status"] == "assessed"
    before = outcome(ward, action_id)
    rebuilding.rebuild(inside.house, "default", "heatmap")
    rebuilding.rebuild(inside.house, "default", "outcomes")
    assert outcome(ward, action_id) == before


def test_s17_an_outcome_is_read_with_the_scope_for_it_and_nobody_reads_another_organisations(inside: Inside) -> None:
    past(inside, 6)
    action_id = acted(inside)

    inside.holding("near-misses:write").get(f"/v1/actions/{action_id}/outcome", expect=403)
    inside.other.get(f"/v1/actions/{action_id}/outcome", expect=404)
    inside.ward.get("/v1/actions/act_nothing/outcome", expect=404)
    inside.ward.get(f"/v1/actions/{action_id}/outcome", expect=422, as_of="yesterday")


def position(ward: Ward) -> int:
    """The last sequence."""
    return ward.get("/v1/heatmaps/workflow")["as_of_sequence"]


def stated(ward: Ward, since: Any, days: int, **amounts: int) -> None:
    """Denominators of so many days."""
    first = since.date()
    items = [
        {"service_id": "willow-house", "date": (first + timedelta(days=number)).isoformat(), **amounts}
        for number in range(days)
    ]
    ward.put("/v1/denominators", {"items": items})
