"""The judgement over all rules: what completes a pattern, what joins it, what it loses, and what waits."""

from typing import Any

import pytest

from app.domain.moment import DAY, format_instant, from_micros
from app.domain.patterns import (
    Attach,
    AttachHistorical,
    Detach,
    Effect,
    Episode,
    Judgement,
    Raise,
    RaiseHistorical,
    RuleCheck,
    SupportLost,
    SupportRegained,
)
from app.domain.policy import DEFAULT_POLICY
from tests.domain.remembering import Remembering, facts_of, policy_of, the_check, the_raise

NOW = "2026-03-20T12:00:00Z"


# Counting


def test_the_third_similar_report_in_fourteen_days_opens_one_review() -> None:
    ward = Remembering(policy_of({}))

    first, second, third = (told(ward, name, f"2026-03-0{day}") for name, day in (("a", 2), ("b", 3), ("c", 4)))

    assert [outcome(one) for one in (first, second, third)] == ["below_threshold", "below_threshold", "escalated"]
    assert first.effects == second.effects == ()
    assert the_raise(third).members == ("a", "b", "c")


def test_a_check_counts_the_record_itself_and_names_the_others_in_event_time_order() -> None:
    ward = Remembering(policy_of({"threshold": 9}))
    for name, at in (("late", "2026-03-05T09:00:00Z"), ("early", "2026-03-03T09:00:00Z"), ("far", "2026-01-01")):
        told(ward, name, at)

    check = the_check(told(ward, "x", "2026-03-04T09:00:00Z"))

    assert check == RuleCheck(
        "rule", (("service_id", "elm"),), "P14D", 9, 3, ("early", "late"), "below_threshold", "active"
    )


def test_of_windows_that_count_alike_the_check_shows_the_records_own() -> None:
    ward = Remembering(policy_of({"threshold": 9, "window": "P1DT1H"}))
    told(ward, "before", "2026-03-03T09:00:00Z")
    told(ward, "after", "2026-03-05T08:00:00Z")

    check = the_check(told(ward, "x", "2026-03-04T09:00:00Z"))

    assert (check.count, check.matched_ids) == (2, ("before",))


def test_the_records_own_window_comes_first_among_dates_and_instants_too() -> None:
    ward = Remembering(policy_of({"threshold": 9, "window": "P1D"}))
    told(ward, "same date", "2026-03-04")
    told(ward, "within a day", "2026-03-03T10:00:00Z")
    told(ward, "that evening", "2026-03-04T20:00:00Z")

    check = the_check(told(ward, "x", "2026-03-04T09:00:00Z"))

    assert (check.count, check.matched_ids) == (3, ("within a day", "same date"))


def test_three_of_equipment_without_a_deviation_open_a_review_by_default() -> None:
    ward = Remembering(DEFAULT_POLICY)

    judged = [told(ward, name, "2026-03-02", incident_type="equipment") for name in "abc"]

    assert [outcome(one, "similar") for one in judged] == ["below_threshold", "below_threshold", "escalated"]


def test_two_near_misses_and_one_no_harm_incident_open_a_review_by_default() -> None:
    ward = Remembering(DEFAULT_POLICY)
    told(ward, "a", "2026-03-02", deviation="late")
    told(ward, "b", "2026-03-03", deviation="late")

    third = told(ward, "c", "2026-03-04", deviation="late", classification="no_harm_incident")

    assert outcome(third, "similar") == "escalated"


@pytest.mark.parametrize(
    "values", [{"incident_type": "safeguarding"}, {"potential_harm": "severe"}, {"potential_harm": "death"}]
)
def test_one_of_the_gravest_opens_a_review_by_default(values: dict[str, Any]) -> None:
    judgement = told(Remembering(DEFAULT_POLICY), "a", "2026-03-02", **values)

    assert outcome(judgement, "grave") == "escalated"


def test_rules_answer_in_the_policys_order_and_only_if_their_filter_applies() -> None:
    judgement = told(Remembering(DEFAULT_POLICY), "a", "2026-03-02")

    assert [(check.rule_id, check.outcome) for check in judgement.checks] == [
        ("similar", "below_threshold"),
        ("same-person", "unkeyed"),
    ]


def test_a_rule_that_is_off_says_nothing() -> None:
    judgement = told(Remembering(policy_of({"mode": "off", "threshold": 1})), "a", "2026-03-02")

    assert judgement == Judgement((), ())


def test_a_rule_in_shadow_says_what_it_would_do_and_does_nothing() -> None:
    ward = Remembering(policy_of({"mode": "shadow", "threshold": 2}))

    judged = [told(ward, name, "2026-03-02") for name in "ab"]

    assert [outcome(one) for one in judged] == ["below_threshold", "would_escalate"]
    assert ward.told == []


@pytest.mark.parametrize(
    ("values", "outcome_", "count"),
    [
        ({"service_id": None}, "unkeyed", 0),
        ({"classification": "harm_incident"}, "not_counted", 2),
        ({"classification": "unsafe_condition"}, "not_counted", 2),
        ({"classification": "harm_incident", "service_id": None}, "not_counted", 0),
    ],
)
def test_what_does_not_count_is_told_so_with_the_others_around_it(
    values: dict[str, Any], outcome_: str, count: int
) -> None:
    ward = Remembering(policy_of({}))
    told(ward, "a", "2026-03-02")
    told(ward, "b", "2026-03-03")

    check = the_check(told(ward, "x", "2026-03-04", **values))

    assert (check.outcome, check.count, len(check.matched_ids)) == (outcome_, count, count)


# Growing


def test_a_later_report_joins_as_member_or_as_related() -> None:
    ward = with_an_open_episode()

    inside = told(ward, "d", "2026-03-05")
    beside = told(ward, "e", "2026-03-25")

    assert attachments(inside) == [(("d",), "member")]
    assert attachments(beside) == [(("e",), "related")]
    assert [outcome(inside), outcome(beside)] == ["attached", "related"]


def test_a_related_report_becomes_a_member_once_a_later_window_covers_it() -> None:
    ward = with_an_open_episode()
    told(ward, "e", "2026-03-25")
    told(ward, "f", "2026-03-26")

    judgement = told(ward, "g", "2026-03-27")

    assert attachments(judgement) == [(("e", "f", "g"), "member")]


def test_harm_on_the_key_of_an_open_episode_is_related_to_it() -> None:
    ward = with_an_open_episode()

    harm = told(ward, "h", "2026-03-05", classification="harm_incident")
    elsewhere = told(ward, "i", "2026-03-05", classification="harm_incident", service_id="oak")
    unsafe = told(ward, "j", "2026-03-05", classification="unsafe_condition")

    assert attachments(harm) == [(("h",), "related")]
    assert [outcome(harm), outcome(elsewhere), outcome(unsafe)] == ["related", "not_counted", "not_counted"]
    assert elsewhere.effects == unsafe.effects == ()


def test_an_episode_that_an_older_policy_opened_grows_by_the_policy_in_force() -> None:
    ward = with_an_open_episode()
    ward.adopt(policy_of({"threshold": 5}, version=2), NOW)

    below = told(ward, "d", "2026-03-05")
    above = told(ward, "e", "2026-03-06")

    assert attachments(below) == [(("d",), "related")]
    assert attachments(above) == [(("d", "e"), "member")]


# Late


def test_a_report_that_completes_an_older_window_is_detected_late() -> None:
    ward = Remembering(policy_of({"threshold": 2}))
    told(ward, "b", "2026-03-03T09:00:00Z", now="2026-03-03T09:05:00Z")

    raised = the_raise(told(ward, "a", "2026-03-02T09:00:00Z", now="2026-03-03T09:30:00Z"))

    assert raised.members == ("a", "b")
    assert instant(raised.crossed_at) == "2026-03-03T09:00:00.000000Z"
    assert (raised.detected_late, raised.delay) == (True, DAY // 48)


@pytest.mark.parametrize(("now", "late"), [("2026-03-03T08:59:59Z", False), ("2026-03-03T09:00:00Z", True)])
def test_a_report_in_its_order_is_late_after_a_day(now: str, late: bool) -> None:
    raised = the_raise(told(Remembering(policy_of({"threshold": 1})), "a", "2026-03-02T09:00:00Z", now=now))

    assert raised.detected_late is late


def test_a_report_from_tomorrow_has_no_delay() -> None:
    raised = the_raise(told(Remembering(policy_of({"threshold": 1})), "a", "2026-03-21T09:00:00Z"))

    assert (raised.detected_late, raised.delay) == (False, 0)


# Leaving


def test_a_withdrawal_takes_the_support_and_closes_nothing() -> None:
    ward = with_an_open_episode()

    judgement = ward.withdraw("b", NOW)

    assert kinds(judgement.effects) == [Detach, SupportLost]
    check = the_check(judgement)
    assert (check.outcome, check.count, check.matched_ids) == ("not_counted", 2, ("a", "c"))
    assert the_episode(ward).members == {"a": "member", "b": "withdrawn", "c": "member"}


def test_support_is_lost_once_and_regained_by_a_window_that_qualifies() -> None:
    ward = with_an_open_episode()
    ward.withdraw("b", NOW)

    again = ward.withdraw("a", NOW)
    one_more = told(ward, "d", "2026-03-05")
    back = told(ward, "e", "2026-03-06")

    assert kinds(again.effects) == [Detach]
    assert kinds(one_more.effects) == [Attach]
    assert kinds(back.effects) == [Attach, SupportRegained]
    assert the_episode(ward).supported


def test_a_withdrawal_that_leaves_enough_takes_no_support() -> None:
    ward = with_an_open_episode()
    told(ward, "d", "2026-03-05")

    judgement = ward.withdraw("b", NOW)

    assert kinds(judgement.effects) == [Detach]


def test_a_correction_to_another_key_leaves_one_episode_and_completes_another() -> None:
    ward = with_an_open_episode()
    told(ward, "x", "2026-03-02", service_id="oak")
    told(ward, "y", "2026-03-03", service_id="oak")

    judgement = corrected(ward, "c", "2026-03-04", service_id="oak")

    assert kinds(judgement.effects) == [Detach, SupportLost, Raise]
    assert the_raise(judgement).members == ("x", "y", "c")
    assert the_raise(judgement).key == (("service_id", "oak"),)


def test_a_correction_out_of_every_window_makes_a_member_related() -> None:
    ward = with_an_open_episode()

    judgement = corrected(ward, "c", "2026-05-04")

    assert attachments(judgement) == [(("c",), "related")]
    assert kinds(judgement.effects) == [Attach, SupportLost]
    assert outcome(judgement) == "related"


def test_a_member_that_turns_out_as_harm_stays_related_and_holds_nothing_up() -> None:
    ward = with_an_open_episode()

    judgement = corrected(ward, "c", "2026-03-04", classification="harm_incident")

    assert attachments(judgement) == [(("c",), "related")]
    assert kinds(judgement.effects) == [Attach, SupportLost]


def test_a_record_that_was_corrected_away_and_back_is_a_member_again() -> None:
    ward = with_an_open_episode()
    corrected(ward, "c", "2026-03-04", service_id="oak")

    judgement = corrected(ward, "c", "2026-03-04")

    assert attachments(judgement) == [(("c",), "member")]
    assert kinds(judgement.effects) == [Attach, SupportRegained]


def test_a_correction_that_changes_nothing_for_the_rules_has_no_effect() -> None:
    ward = with_an_open_episode()
    told(ward, "e", "2026-03-25")

    assert corrected(ward, "b", "2026-03-03", narrative="Two words more.").effects == ()
    assert corrected(ward, "e", "2026-03-25", narrative="Two words more.").effects == ()


def test_a_workflow_link_that_gives_a_record_its_key_can_complete_a_pattern() -> None:
    ward = Remembering(policy_of({"group_by": ["service_id", "stage_allowed"], "threshold": 2}))
    told(ward, "a", "2026-03-02", stage_allowed="handover")
    unlinked = told(ward, "b", "2026-03-03")

    linked = corrected(ward, "b", "2026-03-03", stage_allowed="handover")

    assert outcome(unlinked) == "unkeyed"
    assert the_raise(linked).members == ("a", "b")


def test_a_record_from_before_the_episode_does_not_join_it_by_being_corrected() -> None:
    ward = Remembering(policy_of({}))
    told(ward, "old", "2026-01-02")
    for name, at in (("a", "2026-03-02"), ("b", "2026-03-03"), ("c", "2026-03-04")):
        told(ward, name, at)

    judgement = corrected(ward, "old", "2026-01-03")

    assert judgement.effects == ()
    assert outcome(judgement) == "below_threshold"


# Closing and cooling down


def test_what_a_closed_review_consumed_counts_no_more_even_when_it_is_corrected() -> None:
    ward = with_an_open_episode()
    ward.close("rule", ("elm",), NOW)
    told(ward, "d", "2026-03-05")
    told(ward, "e", "2026-03-06")

    judgement = corrected(ward, "c", "2026-03-07")

    assert judgement.effects == ()
    assert outcome(judgement) == "not_counted"


def test_a_new_crossing_opens_a_new_episode_linked_to_the_former() -> None:
    ward = with_an_open_episode()
    former = the_episode(ward).escalation_id
    ward.close("rule", ("elm",), NOW)
    told(ward, "d", "2026-03-21")
    told(ward, "e", "2026-03-22")

    raised = the_raise(told(ward, "f", "2026-03-23"))

    assert raised.members == ("d", "e", "f")
    assert raised.previous_episode_id == former


def test_a_crossing_while_the_key_cools_down_waits_and_is_raised_when_it_is_over() -> None:
    ward = cooling()

    waiting = told(ward, "f", "2026-03-22", now="2026-03-22T12:00:00Z")
    ward.tick("2026-03-27T11:59:59Z")
    early = raises(ward)
    ward.tick("2026-03-27T12:00:00Z")

    assert the_check(waiting).outcome == "cooling_down"
    assert instant(the_check(waiting).cooldown_until or 0) == "2026-03-27T12:00:00.000000Z"
    assert waiting.effects == ()
    assert len(early) == 1
    assert raises(ward)[1].members == ("d", "e", "f")
    assert not raises(ward)[1].detected_late


def test_the_end_of_a_cool_down_asked_twice_raises_once() -> None:
    ward = cooling()
    told(ward, "f", "2026-03-22", now="2026-03-22T12:00:00Z")
    ward.tick("2026-03-27T12:00:00Z")

    ward.tick("2026-03-27T12:00:00Z")

    assert len(raises(ward)) == 2


def test_what_was_withdrawn_while_the_key_cooled_down_is_not_raised() -> None:
    ward = cooling()
    told(ward, "f", "2026-03-22", now="2026-03-22T12:00:00Z")
    ward.withdraw("f", "2026-03-23T12:00:00Z")

    ward.tick("2026-03-27T12:00:00Z")

    assert len(raises(ward)) == 1


def test_an_older_record_corrected_to_the_key_while_it_cools_down_is_deferred_too() -> None:
    policy = policy_of({"threshold": 1, "cooldown": "P7D"})
    ward = Remembering(policy)
    told(ward, "a", "2026-03-02")
    told(ward, "older", "2026-03-03", service_id=None)
    ward.close("rule", ("elm",), NOW)
    waiting = corrected(ward, "older", "2026-03-03")

    ward.tick("2026-03-28T12:00:00Z", deferred=["older"])

    assert outcome(waiting) == "cooling_down"
    assert raises(ward)[1].members == ("older",)


# Adopting a policy


def test_adopting_a_policy_looks_at_the_last_window_only_and_opens_once() -> None:
    ward = Remembering(policy_of({"threshold": 4}))
    for name, at in (("old", "2026-03-05"), ("a", "2026-03-07"), ("b", "2026-03-08T09:00:00Z"), ("next", "2026-03-21")):
        told(ward, name, at)

    ward.adopt(policy_of({"threshold": 2}, version=2), NOW)
    ward.adopt(policy_of({"threshold": 2}, version=3), NOW)

    [raised] = raises(ward)
    assert raised.members == ("a", "b")
    assert raised.policy_version == 2


def test_adopting_a_policy_opens_nothing_for_rules_in_shadow_or_keys_that_cool_down() -> None:
    ward = cooling()

    ward.adopt(policy_of({"threshold": 1, "cooldown": "P7D"}, {"id": "b", "threshold": 1, "mode": "shadow"}), NOW)

    assert len(raises(ward)) == 1


def test_members_are_all_that_any_full_window_holds_even_when_a_later_one_reaches_further_back() -> None:
    rule = {"window": "P1M", "weight": "attributes.n"}
    ward = Remembering(policy_of({**rule, "threshold": 99}))
    told(ward, "a", "2026-02-28T05:00:00Z")
    told(ward, "b", "2026-02-28T23:30:00Z")
    told(ward, "c", "2026-03-29T23:00:00Z", **{"attributes.n": 5})
    told(ward, "d", "2026-03-30T01:00:00Z")

    ward.adopt(policy_of({**rule, "threshold": 6}, version=2), "2026-03-30T02:00:00Z")

    assert raises(ward)[0].members == ("a", "b", "c", "d")


# History


def test_an_imported_crossing_older_than_the_window_is_historical_and_grows() -> None:
    ward = Remembering(policy_of({}))
    imported = [told(ward, name, f"2025-03-0{day}", as_history=True) for day, name in enumerate("abcd", start=1)]

    assert [outcome(one) for one in imported] == ["below_threshold", "below_threshold", "escalated", "attached"]
    assert [the_check(one).historical for one in imported] == [False, False, True, True]
    assert kinds(imported[2].effects) == [RaiseHistorical]
    assert kinds(imported[3].effects) == [AttachHistorical]
    assert ward.past["rule", '["elm"]'][0].members.keys() == {"a", "b", "c", "d"}


def test_an_imported_crossing_that_shares_nothing_with_another_is_one_of_its_own() -> None:
    ward = Remembering(policy_of({}))
    for name, at in (("a", "2025-03-01"), ("b", "2025-03-02"), ("c", "2025-03-03")):
        told(ward, name, at, as_history=True)

    for name, at in (("x", "2025-06-01"), ("y", "2025-06-02"), ("z", "2025-06-03")):
        told(ward, name, at, as_history=True)

    assert [set(episode.members) for episode in ward.past["rule", '["elm"]']] == [{"a", "b", "c"}, {"x", "y", "z"}]


def test_an_imported_crossing_within_the_window_opens_a_review() -> None:
    ward = Remembering(policy_of({}))

    imported = [told(ward, name, f"2026-03-1{day}", as_history=True) for day, name in enumerate("abc")]

    assert kinds(imported[2].effects) == [Raise]
    assert not the_check(imported[2]).historical


def test_imported_history_is_not_related_to_a_live_review() -> None:
    ward = with_an_open_episode()

    judgement = told(ward, "old", "2025-03-01", as_history=True)

    assert judgement.effects == ()
    assert outcome(judgement) == "below_threshold"


def test_live_reports_do_not_know_of_history() -> None:
    ward = Remembering(policy_of({}))
    for name, at in (("a", "2025-03-01"), ("b", "2025-03-02"), ("c", "2025-03-03")):
        told(ward, name, at, as_history=True)

    late = told(ward, "d", "2025-03-04")

    assert kinds(late.effects) == [Raise]


# Words


def told(ward: Remembering, name: str, at: str, now: str = NOW, as_history: bool = False, **values: Any) -> Judgement:
    return ward.report(facts_of(ward.policy, name, at, **values), now, as_history)


def corrected(ward: Remembering, name: str, at: str, **values: Any) -> Judgement:
    return ward.correct(name, facts_of(ward.policy, name, at, **values), NOW)


def with_an_open_episode(**rule: Any) -> Remembering:
    """Members a, b, c on 2, 3 and 4 March at elm, three of which are needed."""
    ward = Remembering(policy_of(rule))
    for name, at in (("a", "2026-03-02"), ("b", "2026-03-03"), ("c", "2026-03-04")):
        told(ward, name, at)
    return ward


def cooling() -> Remembering:
    """Closed at NOW, cooling for seven days, two new reports since."""
    ward = with_an_open_episode(cooldown="P7D")
    ward.close("rule", ("elm",), NOW)
    told(ward, "d", "2026-03-20", now=NOW)
    told(ward, "e", "2026-03-21", now="2026-03-21T12:00:00Z")
    return ward


def outcome(judgement: Judgement, rule_id: str = "rule") -> str:
    return the_check(judgement, rule_id).outcome


def raises(ward: Remembering) -> list[Raise]:
    return [effect for _, effect in ward.told if isinstance(effect, Raise)]


def the_episode(ward: Remembering) -> Episode:
    [episode] = ward.opened.values()
    return episode


def attachments(judgement: Judgement) -> list[tuple[tuple[str, ...], str]]:
    return [(effect.near_miss_ids, effect.kind) for effect in judgement.effects if isinstance(effect, Attach)]


def kinds(effects: tuple[Effect, ...]) -> list[type[Effect]]:
    return [type(effect) for effect in effects]


def instant(at: int) -> str:
    return format_instant(from_micros(at))
