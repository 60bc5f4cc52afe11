"""A review closes once all its conditions are met, names every one that is missing, and stays closed until reopened."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import review
from app.domain.decider import GateNotMet, Invalid, NotFound, Refused
from app.domain.review import Cause, Concern, Review, Stage
from app.domain.sealed import SealedText

TUESDAY = datetime(2026, 3, 3, 9, tzinfo=UTC)
TEXT = SealedText(sealed="d2h5", key="k-review")
OTHER_TEXT = SealedText(sealed="bm90", key="k-review")
KNOWN = frozenset({"rota_pressure", "communication_gap", "individual"})

ROTA = Cause("rota_pressure", "system", TEXT)
SLIP = Cause("individual", "individual")

opened = review.Opened("esc-1")
started = review.Started("m.okafor")
causes = review.CausesIdentified((ROTA,))
system_risk = review.SystemRiskDetermined("system_risk", TEXT)
no_system_risk = review.SystemRiskDetermined("not_system_risk", TEXT)
safeguarded = review.SafeguardingConsidered(considered=True)
action_agreed = review.ActionAgreed("act-1")
countersigned = review.Countersigned("n.individual", TEXT)
closed = review.Closed("action_agreed", TEXT, ("nm-1", "nm-2", "nm-3"))
reopened = review.Reopened(TEXT)

ready = (opened, started, causes, system_risk, safeguarded, action_agreed)


def after(*events: review.Event) -> Review:
    return reduce(review.evolve, events, review.UNOPENED)


def close(
    code: str = "action_agreed", *, unlinked: tuple[str, ...] = (), unmapped: tuple[str, ...] = ()
) -> review.Close:
    return review.Close(code, TEXT, unlinked, unmapped, members=("nm-1", "nm-2", "nm-3"), by="staff/m.okafor")


def gates(command: review.Close, standing: Review) -> dict[str, tuple[str, ...]]:
    with pytest.raises(GateNotMet) as refusal:
        review.decide(command, standing, TUESDAY)
    return {gate.code: gate.ids for gate in refusal.value.gates}


def test_a_review_opens_for_its_escalation() -> None:
    assert review.decide(review.Open("esc-1"), review.UNOPENED, TUESDAY) == [opened]


def test_a_review_that_is_open_already_is_not_opened_again() -> None:
    assert review.decide(review.Open("esc-1"), after(opened), TUESDAY) == []


def test_the_first_manager_to_start_takes_the_review_on() -> None:
    standing = after(opened)

    assert review.decide(review.Start("m.okafor"), standing, TUESDAY) == [started]


def test_a_review_that_is_under_way_is_not_started_again() -> None:
    standing = after(opened, started)

    assert review.decide(review.Start("d.eputy"), standing, TUESDAY) == []


def test_a_review_closes_once_every_condition_is_met() -> None:
    standing = after(*ready)

    events = review.decide(close(), standing, TUESDAY)

    assert events == [closed]
    assert after(*ready, *events).stage is Stage.CLOSED


def test_closing_a_review_that_nobody_has_worked_on_names_every_condition_at_once() -> None:
    standing = after(opened)

    missing = gates(close(unlinked=("nm-1",), unmapped=("nm-2", "nm-3")), standing)

    assert missing == {
        "no_system_cause": (),
        "system_risk_not_assessed": (),
        "safeguarding_not_considered": (),
        "workflow_stage_not_identified": ("nm-1",),
        "not_mapped": ("nm-2", "nm-3"),
        "no_action_agreed": (),
    }


@pytest.mark.parametrize(
    ("events", "command", "gate", "ids"),
    [
        pytest.param((system_risk, safeguarded, action_agreed), close(), "no_system_cause", (), id="no cause"),
        pytest.param(
            (review.CausesIdentified((SLIP,)), system_risk, safeguarded, action_agreed),
            close(),
            "no_system_cause",
            (),
            id="only a person blamed",
        ),
        pytest.param(
            (causes, review.CausesIdentified(()), system_risk, safeguarded, action_agreed),
            close(),
            "no_system_cause",
            (),
            id="causes taken back",
        ),
        pytest.param((causes, safeguarded, action_agreed), close(), "system_risk_not_assessed", (), id="risk"),
        pytest.param((causes, system_risk, action_agreed), close(), "safeguarding_not_considered", (), id="not asked"),
        pytest.param(
            (causes, system_risk, review.SafeguardingConsidered(considered=False), action_agreed),
            close(),
            "safeguarding_not_considered",
            (),
            id="asked and not considered",
        ),
        pytest.param(
            (causes, system_risk, safeguarded, action_agreed),
            close(unlinked=("nm-2",)),
            "workflow_stage_not_identified",
            ("nm-2",),
            id="not linked",
        ),
        pytest.param(
            (causes, system_risk, safeguarded, action_agreed),
            close(unmapped=("nm-1", "nm-3")),
            "not_mapped",
            ("nm-1", "nm-3"),
            id="not mapped",
        ),
        pytest.param(
            (causes, system_risk, safeguarded),
            close("no_action_needed"),
            "no_action_for_system_risk",
            (),
            id="system risk without an action",
        ),
        pytest.param(
            (causes, system_risk, safeguarded),
            close("action_agreed"),
            "no_action_for_system_risk",
            (),
            id="system risk, and a code that promises an action",
        ),
        pytest.param(
            (causes, no_system_risk, safeguarded),
            close("action_agreed"),
            "no_action_agreed",
            (),
            id="a code that promises an action",
        ),
        pytest.param(
            (no_system_risk, safeguarded), close("not_a_pattern"), "countersignature_missing", (), id="not a pattern"
        ),
        pytest.param((no_system_risk, safeguarded), close("duplicate"), "countersignature_missing", (), id="duplicate"),
    ],
)
def test_one_condition_that_is_missing_is_named_alone(
    events: tuple[review.Event, ...], command: review.Close, gate: str, ids: tuple[str, ...]
) -> None:
    standing = after(opened, started, *events)

    assert gates(command, standing) == {gate: ids}


@pytest.mark.parametrize("code", ["not_a_pattern", "duplicate"])
def test_what_is_no_pattern_needs_a_countersignature_and_no_invented_cause(code: str) -> None:
    standing = after(opened, started, no_system_risk, safeguarded, countersigned)

    events = review.decide(close(code), standing, TUESDAY)

    assert events == [review.Closed(code, TEXT, ("nm-1", "nm-2", "nm-3"))]


def test_no_action_is_needed_where_there_is_no_system_risk() -> None:
    standing = after(opened, started, causes, no_system_risk, safeguarded)

    assert review.decide(close("no_action_needed"), standing, TUESDAY) != []


def test_findings_count_although_nobody_started_the_review() -> None:
    standing = after(opened, causes, system_risk, safeguarded, action_agreed)

    assert review.decide(close(), standing, TUESDAY) == [closed]


def test_closing_twice_makes_no_second_event() -> None:
    standing = after(*ready, closed)

    assert review.decide(close(unlinked=("nm-9",)), standing, TUESDAY) == []


def test_a_closed_review_is_not_closed_again_as_something_else() -> None:
    standing = after(*ready, closed)

    with pytest.raises(review.AlreadyClosed):
        review.decide(close("no_action_needed"), standing, TUESDAY)


@pytest.mark.parametrize(
    "command",
    [
        review.Start("m.okafor"),
        review.IdentifyCauses((ROTA,), KNOWN),
        review.DetermineSystemRisk("system_risk", TEXT),
        review.ConsiderSafeguarding(considered=True),
        review.AgreeAction("act-2"),
        review.Countersign("n.individual", TEXT),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_closed_review_takes_no_finding(command: review.Command) -> None:
    standing = after(*ready, closed)

    with pytest.raises(review.AlreadyClosed) as refusal:
        review.decide(command, standing, TUESDAY)

    assert refusal.value.code == "review-already-closed"
    assert "reopen" in refusal.value.detail


@pytest.mark.parametrize(
    "command",
    [
        review.Start("m.okafor"),
        review.AgreeAction("act-1"),
        close(),
        review.Reopen(TEXT),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_review_that_never_opened_is_not_found(command: review.Command) -> None:
    with pytest.raises(NotFound):
        review.decide(command, review.UNOPENED, TUESDAY)


def test_causes_replace_the_former_ones() -> None:
    standing = after(opened, started, causes)

    events = review.decide(review.IdentifyCauses((SLIP,), KNOWN), standing, TUESDAY)

    assert events == [review.CausesIdentified((SLIP,))]
    assert gates(close("no_action_needed"), after(opened, started, causes, *events)).keys() >= {"no_system_cause"}


def test_every_cause_outside_the_taxonomy_is_named_by_its_place() -> None:
    standing = after(opened, started)
    command = review.IdentifyCauses((Cause("moon", "system"), ROTA, Cause("tide", "system")), KNOWN)

    with pytest.raises(Invalid) as refusal:
        review.decide(command, standing, TUESDAY)

    assert [(fault.pointer, fault.code) for fault in refusal.value.faults] == [
        ("/causes/0/code", "unknown-code"),
        ("/causes/2/code", "unknown-code"),
    ]
    assert not any(word in fault.detail for fault in refusal.value.faults for word in ("moon", "tide"))


def test_a_closure_code_outside_the_taxonomy_is_refused() -> None:
    standing = after(*ready)

    with pytest.raises(Invalid) as refusal:
        review.decide(close("forgotten"), standing, TUESDAY)

    assert refusal.value.faults[0].pointer == "/code"


def test_a_closure_code_that_the_organisation_added_closes() -> None:
    standing = after(*ready)
    known = review.CLOSURE_CODES | {"referred"}
    command = review.Close("referred", TEXT, (), (), ("nm-1",), "staff/m.okafor", known=known)

    assert review.decide(command, standing, TUESDAY) == [review.Closed("referred", TEXT, ("nm-1",))]


def test_reopening_puts_the_review_under_review_with_its_findings() -> None:
    standing = after(*ready, closed)

    events = review.decide(review.Reopen(TEXT), standing, TUESDAY)

    assert events == [reopened]
    again = after(*ready, closed, *events)
    assert again.stage is Stage.UNDER_REVIEW
    assert review.decide(close(), again, TUESDAY) == [closed]


def test_a_countersignature_stands_for_one_closing_only() -> None:
    first = review.Closed("not_a_pattern", TEXT, ("nm-1",))
    standing = after(opened, no_system_risk, safeguarded, countersigned, first, reopened)

    assert gates(close("not_a_pattern"), standing) == {"countersignature_missing": ()}


def test_a_review_is_not_reopened_beside_a_later_open_episode() -> None:
    standing = after(*ready, closed)

    with pytest.raises(GateNotMet) as refusal:
        review.decide(review.Reopen(TEXT, newer_episode="esc-2"), standing, TUESDAY)

    assert [(gate.code, gate.ids) for gate in refusal.value.gates] == [("newer_episode_open", ("esc-2",))]


texts = st.sampled_from([TEXT, OTHER_TEXT])
actors = st.sampled_from(["staff/m.okafor", "staff/d.eputy"])
concerns = st.none() | st.builds(Concern, texts, texts, st.just(TUESDAY))
found = st.builds(Cause, st.sampled_from([*sorted(KNOWN), "moon"]), st.sampled_from(["system", "individual"]), texts)
ids = st.lists(st.sampled_from(["nm-1", "nm-2"]), max_size=1).map(tuple)
asked_for: dict[type, st.SearchStrategy[review.Command]] = {
    review.Open: st.builds(review.Open, st.just("esc-1")),
    review.Start: st.builds(review.Start, actors),
    review.IdentifyCauses: st.builds(
        review.IdentifyCauses, st.lists(found, max_size=2).map(tuple), known=st.just(KNOWN)
    ),
    review.DetermineSystemRisk: st.builds(
        review.DetermineSystemRisk, st.sampled_from(["system_risk", "not_system_risk"]), texts
    ),
    review.ConsiderSafeguarding: st.builds(review.ConsiderSafeguarding, st.booleans(), concerns, st.none() | texts),
    review.AgreeAction: st.builds(review.AgreeAction, st.sampled_from(["act-1", "act-2"])),
    review.Countersign: st.builds(review.Countersign, actors, texts),
    review.Close: st.builds(
        review.Close,
        st.sampled_from([*sorted(review.CLOSURE_CODES), "x"]),
        texts,
        ids,
        ids,
        members=st.just(("nm-1",)),
        by=actors,
        involved=st.sampled_from([frozenset(), frozenset({"d.eputy"})]),
    ),
    review.Reopen: st.builds(review.Reopen, texts, st.none() | st.just("esc-2")),
    review.MergeInto: st.builds(review.MergeInto, st.sampled_from(["rev-2", "rev-3"])),
}
commands = st.one_of(*asked_for.values())
openings = st.sampled_from([(), (opened,), ready, (*ready, closed)])


def answer(command: review.Command, standing: Review) -> list[review.Event]:
    try:
        return review.decide(command, standing, TUESDAY)
    except Refused:
        return []


def from_disk(event: review.Event) -> review.Event:
    return msgspec.json.decode(msgspec.json.encode(event), type=type(event))


@given(openings, st.lists(commands, max_size=12))
def test_asking_twice_changes_nothing(before: Sequence[review.Event], asked: list[review.Command]) -> None:
    standing = after(*before)

    for command in asked:
        standing = reduce(review.evolve, answer(command, standing), standing)

        assert answer(command, standing) == []


@given(openings, st.lists(commands, max_size=12))
def test_a_replay_from_disk_equals_the_live_review(before: Sequence[review.Event], asked: list[review.Command]) -> None:
    live, log = after(*before), list(before)

    for command in asked:
        events = answer(command, live)
        live, log = reduce(review.evolve, events, live), [*log, *events]

    assert after(*map(from_disk, log)) == live


@given(openings, st.lists(commands, max_size=12))
def test_only_reopening_makes_a_closed_review_open(before: Sequence[review.Event], asked: list[review.Command]) -> None:
    standing = after(*before)

    for command in asked:
        was, standing = standing, reduce(review.evolve, answer(command, standing), standing)

        if was.stage is Stage.CLOSED and not isinstance(command, review.Reopen | review.MergeInto):
            assert standing == was
        if was.stage is Stage.MERGED:
            assert standing == was


def test_the_properties_ask_every_command() -> None:
    assert set(asked_for) == set(get_args(review.Command))
