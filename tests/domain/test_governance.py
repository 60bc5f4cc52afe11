"""A governance review: what it still misses before it closes, all at once, and that the same words are said once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import governance
from app.domain.decider import GateNotMet, Invalid, NotFound, Refused
from app.domain.governance import Matter, Review, Stage
from app.domain.sealed import Reference, SealedText

TUESDAY = datetime(2026, 3, 3, 9, tzinfo=UTC)
MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
TEXT, OTHER = SealedText("d2h5", "k-review"), SealedText("b3RoZXI=", "k-review")
CHAIR = Reference("Y2hhaXI=", "k-chair", "chair")
OWNER = Reference("b3duZXI=", "k-owner", "owner")
ESCALATION = Matter("esc-1", frozenset({"esc-1", "rev-1", "nm-1", "nm-2"}))
KNOWN = frozenset({"esc-1", "rev-1", "nm-1", "nm-2", "act-1", "sig-1"})

opened = governance.Opened("February", "2026-03-01", "2026-04-01", MARCH, APRIL, CHAIR, {"as_of_sequence": 9})
recommended = governance.ActionRecommended(TEXT, OWNER, "2026-05-01", APRIL, "act-2")
none_recommended = governance.NoneRecommended(TEXT)
decided = governance.Decided(TEXT, ("snapshot",))
assessed = governance.Assessed("no_emerging_risk", intervention_required=False, rationale=TEXT)
intervening = replace(assessed, intervention_required=True)
minuted = governance.Minuted(TEXT, (CHAIR,))
overdue = governance.Overdue(APRIL)
closed = governance.Closed(TEXT, ("snapshot",))

READY = (opened, recommended, decided, assessed, minuted)


def after(*events: governance.Event) -> Review:
    return reduce(governance.evolve, events, governance.UNOPENED)


def missing(*events: governance.Event, **close: object) -> dict[str, tuple[str, ...]]:
    """Code → ids of every gate that a closing misses."""
    command = governance.Close(TEXT, **close)  # pyright: ignore[reportArgumentType]
    try:
        governance.decide(command, after(*events), TUESDAY)
    except GateNotMet as refusal:
        return {gate.code: gate.ids for gate in refusal.gates}
    return {}


# Closing


def test_a_review_closes_once_every_gate_is_met() -> None:
    review = after(*READY)

    events = governance.decide(governance.Close(TEXT), review, TUESDAY)

    assert events == [closed]


def test_every_gate_that_is_not_met_is_named_at_once() -> None:
    gates = missing(opened, escalations=(ESCALATION,), signals=("sig-1",))

    assert gates == {
        "emerging_risk_not_assessed": (),
        "no_decision": (),
        "no_recommended_action": (),
        "minutes_missing": (),
        "escalation_not_considered": ("esc-1",),
        "signal_not_considered": ("sig-1",),
    }


@pytest.mark.parametrize(
    ("lacking", "gate"),
    [
        (assessed, "emerging_risk_not_assessed"),
        (decided, "no_decision"),
        (recommended, "no_recommended_action"),
        (minuted, "minutes_missing"),
    ],
    ids=["assessment", "decision", "action", "minutes"],
)
def test_a_review_does_not_close_without(lacking: governance.Event, gate: str) -> None:
    assert missing(*(one for one in READY if one is not lacking)) == {gate: ()}


def test_decisions_that_rest_on_nothing_do_not_close_a_review() -> None:
    bare = governance.Decided(TEXT, ())

    assert missing(opened, recommended, bare, assessed, minuted) == {"decision_cites_nothing": ()}
    assert missing(opened, recommended, bare, assessed, minuted, decided) == {}


def test_an_explicit_none_with_its_reason_stands_for_an_action() -> None:
    assert missing(opened, none_recommended, decided, assessed, minuted) == {}


@pytest.mark.parametrize("cite", sorted(ESCALATION.cited_as))
def test_an_escalation_is_considered_when_it_its_review_or_a_member_is_cited(cite: str) -> None:
    considered = governance.Decided(OTHER, (cite,))

    assert missing(*READY, escalations=(ESCALATION,)) == {"escalation_not_considered": ("esc-1",)}
    assert missing(*READY, considered, escalations=(ESCALATION,)) == {}


def test_a_signal_that_nobody_answered_is_considered_when_it_is_cited() -> None:
    considered = governance.Decided(OTHER, ("sig-1",))

    assert missing(*READY, signals=("sig-1", "sig-2")) == {"signal_not_considered": ("sig-1", "sig-2")}
    assert missing(*READY, considered, signals=("sig-1", "sig-2")) == {"signal_not_considered": ("sig-2",)}


@pytest.mark.parametrize(
    ("action", "gates"),
    [
        (recommended, {}),
        (none_recommended, {"intervention_without_action": ()}),
        (replace(recommended, owner=None), {"intervention_without_action": ()}),
        (replace(recommended, due=None), {"intervention_without_action": ()}),
    ],
    ids=["owned and dated", "none", "nobody's", "without a date"],
)
def test_an_intervention_needs_an_action_that_is_owned_and_dated(
    action: governance.Event, gates: dict[str, tuple[str, ...]]
) -> None:
    assert missing(opened, action, decided, intervening, minuted) == gates


def test_an_action_that_was_cancelled_is_no_intervention() -> None:
    reviewed, other = (opened, recommended, decided, intervening, minuted), replace(recommended, action_id="act-3")

    assert missing(*reviewed, cancelled=frozenset({"act-2"})) == {"intervention_without_action": ()}
    assert missing(*reviewed, other, cancelled=frozenset({"act-2"})) == {}


def test_what_decisions_cite_is_told_with_the_closing_each_once() -> None:
    review = after(*READY, governance.Decided(OTHER, ("nm-1", "snapshot")))

    events = governance.decide(governance.Close(TEXT), review, TUESDAY)

    assert events == [governance.Closed(TEXT, ("nm-1", "snapshot"))]


# What may be asked


def test_a_period_that_ends_before_it_starts_is_refused() -> None:
    backwards = replace(opened, since_at=APRIL, until_at=MARCH)

    with pytest.raises(Invalid) as refusal:
        governance.decide(governance.Open(backwards), governance.UNOPENED, TUESDAY)

    assert [fault.pointer for fault in refusal.value.faults] == ["/to"]


def test_a_decision_cites_only_what_exists() -> None:
    command = governance.Decide(TEXT, ("nm-1", "nm-9", "snapshot", "gov-1"), KNOWN)

    with pytest.raises(Invalid) as refusal:
        governance.decide(command, after(opened), TUESDAY)

    assert [fault.pointer for fault in refusal.value.faults] == ["/cites/1", "/cites/3"]


def test_an_open_review_is_overdue_once_and_a_closed_one_never() -> None:
    mark = governance.MarkOverdue(APRIL)

    assert governance.decide(mark, after(opened), TUESDAY) == [overdue]
    assert governance.decide(mark, after(opened, overdue), TUESDAY) == []
    assert governance.decide(mark, after(*READY, closed), TUESDAY) == []
    assert after(opened, overdue).stage is Stage.OVERDUE


def test_a_review_that_is_overdue_can_still_be_closed() -> None:
    assert missing(*READY, overdue) == {}


COMMANDS: list[governance.Command] = [
    governance.RecommendAction(recommended),
    governance.RecommendNone(TEXT),
    governance.Decide(OTHER, ("nm-1",), KNOWN),
    governance.Assess("emerging_risk", intervention_required=True, rationale=TEXT),
    governance.Minute(OTHER, (OWNER,)),
    governance.Close(OTHER),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_closed_review_takes_nothing_more(command: governance.Command) -> None:
    with pytest.raises(governance.NotOpen):
        governance.decide(command, after(*READY, closed), TUESDAY)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_review_that_was_never_opened_is_not_found(command: governance.Command) -> None:
    with pytest.raises(NotFound):
        governance.decide(command, governance.UNOPENED, TUESDAY)


def test_an_action_that_was_recommended_before_is_not_followed_up_twice() -> None:
    again = governance.RecommendAction(replace(recommended, action_id="act-3"))

    assert governance.decide(again, after(opened, recommended), TUESDAY) == []


# Whatever is asked

commands = st.sampled_from([*COMMANDS, governance.Open(opened), governance.MarkOverdue(APRIL), governance.Close(TEXT)])


def answer(command: governance.Command, review: Review) -> list[governance.Event]:
    try:
        return governance.decide(command, review, TUESDAY)
    except Refused:
        return []


@given(st.lists(commands, max_size=12))
def test_asking_twice_changes_nothing(asked: Sequence[governance.Command]) -> None:
    review = governance.UNOPENED

    for command in asked:
        review = reduce(governance.evolve, answer(command, review), review)

        assert answer(command, review) == []


@given(st.lists(commands, max_size=12))
def test_a_replay_from_disk_equals_the_live_review(asked: Sequence[governance.Command]) -> None:
    live, log = governance.UNOPENED, list[governance.Event]()

    for command in asked:
        events = answer(command, live)
        live, log = reduce(governance.evolve, events, live), [*log, *events]

    assert after(*(msgspec.json.decode(msgspec.json.encode(one), type=type(one)) for one in log)) == live


def test_the_properties_ask_every_command() -> None:
    assert {type(one) for one in COMMANDS} | {governance.Open, governance.MarkOverdue} == set(
        get_args(governance.Command)
    )
