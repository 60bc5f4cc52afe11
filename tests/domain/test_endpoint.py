"""An endpoint is owed what it wanted when it happened, and only a person lets a held one go on."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain import endpoint
from app.domain.decider import NotFound, Refused
from app.domain.endpoint import (
    BOTH_SIGN,
    UNREGISTERED,
    Change,
    Changed,
    Command,
    Degrade,
    Degraded,
    Delete,
    Deleted,
    Enable,
    Enabled,
    Endpoint,
    EndpointHeld,
    Event,
    Held,
    Hold,
    Recover,
    Recovered,
    RecoverHealth,
    RecoveryAsked,
    Register,
    Registered,
    Replay,
    ReplayAsked,
    RotateSecret,
    SecretRotated,
    SendTest,
    Wanted,
    decide,
    evolve,
)
from app.domain.sealed import SealedText

TUESDAY = datetime(2026, 3, 3, 9, tzinfo=UTC)
URL = SealedText("url", "k_1")
FIRST, SECOND, THIRD = (SealedText(name, "k_1") for name in ("first", "second", "third"))
SEED = SealedText("seed", "k_1")

registered = Registered(URL, ("escalation.raised", "review.closed"), FIRST, SEED, "whpk_1")
degraded = Degraded(TUESDAY - timedelta(hours=38), TUESDAY + timedelta(hours=38))
held = Held("failing", TUESDAY - timedelta(hours=76))


def after(*events: Event) -> Endpoint:
    state = UNREGISTERED
    for event in events:
        state = evolve(state, event)
    return state


def wanting(*event_types: str, services: tuple[str, ...] = (), roles: tuple[str, ...] = ()) -> Endpoint:
    return after(Registered(URL, event_types, FIRST, SEED, "whpk_1", services, roles))


# What it wants


def test_an_endpoint_wants_the_types_that_it_named_and_no_others() -> None:
    state = wanting("escalation.raised")

    assert state.wants("escalation.raised", "willow-house", ())
    assert not state.wants("review.closed", "willow-house", ())


def test_an_endpoint_of_one_service_hears_of_that_service_and_of_what_is_about_none() -> None:
    state = wanting("escalation.raised", services=("willow-house",))

    assert state.wants("escalation.raised", "willow-house", ())
    assert state.wants("escalation.raised", None, ())
    assert not state.wants("escalation.raised", "elm-house", ())


def test_an_endpoint_of_one_role_hears_what_tells_that_role_and_what_tells_nobody_in_particular() -> None:
    state = wanting("escalation.raised", roles=("manager",))

    assert state.wants("escalation.raised", None, ("manager", "deputy"))
    assert state.wants("escalation.raised", None, ())
    assert not state.wants("escalation.raised", None, ("operations",))


def test_a_held_endpoint_is_owed_what_happens_and_a_deleted_one_nothing() -> None:
    assert after(registered, held).wants("escalation.raised", None, ())
    assert not after(registered, Deleted()).wants("escalation.raised", None, ())


def test_a_change_is_the_whole_of_what_it_wants_from_then_on() -> None:
    wanted = Wanted(URL, ("action.overdue",), ("elm-house",))

    state = after(registered, *decide(Change(wanted), after(registered), TUESDAY))

    assert state.wanted == wanted
    assert decide(Change(wanted), state, TUESDAY) == []


# What it signs with


def test_after_a_rotation_both_secrets_sign_for_a_day() -> None:
    events = decide(RotateSecret(SECOND), after(registered), TUESDAY)

    assert events == [SecretRotated(SECOND, TUESDAY + BOTH_SIGN)]
    assert [(one.secret, one.valid_until) for one in after(registered, *events).secrets] == [
        (SECOND, None),
        (FIRST, TUESDAY + timedelta(hours=24)),
    ]


def test_a_second_rotation_prolongs_no_secret() -> None:
    later = TUESDAY + timedelta(hours=6)

    state = after(registered, SecretRotated(SECOND, TUESDAY + BOTH_SIGN), SecretRotated(THIRD, later + BOTH_SIGN))

    assert [one.valid_until for one in state.secrets] == [None, later + BOTH_SIGN, TUESDAY + BOTH_SIGN]


# How it stands


def test_an_endpoint_that_fails_is_warned_of_then_held_and_a_person_enables_it() -> None:
    failing = decide(Degrade(degraded.failing_since, degraded.hold_at), after(registered), TUESDAY)
    holding = decide(Hold(held.why, held.since), after(registered, *failing), TUESDAY)
    enabling = decide(Enable(), after(registered, *failing, *holding), TUESDAY)

    assert [failing, holding, enabling] == [[degraded], [held], [Enabled()]]
    assert after(registered, *failing, *holding).standing == held
    assert after(registered, *failing, *holding, *enabling).status == "active"


def test_an_endpoint_that_answers_again_before_it_is_held_is_active() -> None:
    assert decide(RecoverHealth(), after(registered, degraded), TUESDAY) == [Recovered()]
    assert decide(RecoverHealth(), after(registered), TUESDAY) == []


def test_what_failed_meanwhile_neither_warns_of_an_endpoint_that_is_held_nor_enables_it() -> None:
    state = after(registered, held)

    assert decide(Degrade(degraded.failing_since, degraded.hold_at), state, TUESDAY) == []
    assert decide(RecoverHealth(), state, TUESDAY) == []


def test_recovering_a_held_endpoint_enables_it() -> None:
    assert decide(Recover(TUESDAY), after(registered, held), TUESDAY) == [Enabled(), RecoveryAsked(TUESDAY)]
    assert decide(Recover(TUESDAY), after(registered), TUESDAY) == [RecoveryAsked(TUESDAY)]


@pytest.mark.parametrize("command", [SendTest(), Replay("msg_1")])
def test_nothing_is_sent_to_an_endpoint_that_is_held(command: Command) -> None:
    with pytest.raises(EndpointHeld):
        decide(command, after(registered, held), TUESDAY)


def test_one_message_is_sent_again_however_it_ended() -> None:
    assert decide(Replay("msg_1"), after(registered), TUESDAY) == [ReplayAsked("msg_1")]


@pytest.mark.parametrize(
    "command", [Change(Wanted(URL, ())), RotateSecret(SECOND), Enable(), Recover(TUESDAY), SendTest(), Replay("msg_1")]
)
def test_a_deleted_endpoint_is_no_longer_there(command: Command) -> None:
    for state in (after(registered, Deleted()), UNREGISTERED):
        with pytest.raises(NotFound):
            decide(command, state, TUESDAY)


COMMANDS = st.sampled_from([
    Register(Wanted(URL, ("review.closed",)), FIRST, SEED, "whpk_1"),
    Change(Wanted(URL, ("action.overdue",))),
    Degrade(degraded.failing_since, degraded.hold_at),
    RecoverHealth(),
    Hold("gone", TUESDAY),
    Enable(),
    Delete(),
])  # fmt: skip
HISTORIES = st.lists(
    st.sampled_from([
        registered, Changed(URL, ("near_miss.recorded",)), degraded, Recovered(), held, Enabled(), Deleted(),
    ])
)  # fmt: skip


@given(HISTORIES, COMMANDS)
def test_asking_twice_changes_nothing(history: list[Event], command: Command) -> None:
    state = after(*history)
    try:
        events = decide(command, state, TUESDAY)
    except Refused:
        return

    for event in events:
        state = endpoint.evolve(state, event)

    assert decide(command, state, TUESDAY) == []
