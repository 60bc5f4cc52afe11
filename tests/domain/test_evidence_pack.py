"""What is asked for is fixed once, and a pack ends once, however often it is built."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce

import pytest

from app.domain.evidence_pack import (
    UNASKED,
    Ask,
    Audience,
    Command,
    Failed,
    Finish,
    GiveUp,
    Pack,
    PackMember,
    Part,
    Ready,
    Requested,
    decide,
    evolve,
    parts_for,
)

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)
SINCE, UNTIL = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
ASK = Ask("2026-02-01", "2026-03-01", SINCE, UNTIL, 40, ("willow-house",), "commissioner", ("small_cells",))
MEMBERS = (PackMember("ledger.jsonl", 20, "ab" * 32),)
FINISH = Finish(100, "cd" * 32, MEMBERS)


def after(*commands: Command) -> Pack:
    pack = UNASKED
    for command in commands:
        pack = reduce(evolve, decide(command, pack, MONDAY), pack)
    return pack


def test_what_a_pack_is_made_of_is_fixed_when_it_is_asked_for() -> None:
    (requested,) = decide(ASK, UNASKED, MONDAY)

    assert isinstance(requested, Requested)
    assert (requested.as_of_sequence, requested.made_at) == (40, MONDAY)
    assert (requested.services, requested.includes) == (("willow-house",), ("small_cells",))


def test_a_pack_that_was_built_is_ready() -> None:
    assert decide(FINISH, after(ASK), MONDAY) == [Ready(100, "cd" * 32, MEMBERS)]


def test_a_pack_that_cannot_be_built_says_why() -> None:
    pack = after(ASK, GiveUp("It would be too large."))

    assert (pack.status, pack.problem) == ("failed", "It would be too large.")
    assert decide(GiveUp("Otherwise."), after(ASK), MONDAY) == [Failed("Otherwise.")]


@pytest.mark.parametrize("end", [FINISH, GiveUp("It would be too large.")])
@pytest.mark.parametrize("again", [ASK, FINISH, replace(FINISH, size=7), GiveUp("Otherwise.")])
def test_what_has_ended_ends_no_second_time(end: Command, again: Command) -> None:
    assert decide(again, after(ASK, end), MONDAY) == []


@pytest.mark.parametrize("command", [FINISH, GiveUp("Otherwise.")])
def test_nothing_comes_of_what_nobody_asked_for(command: Command) -> None:
    assert decide(command, UNASKED, MONDAY) == []


@pytest.mark.parametrize(
    ("audience", "asked", "parts"),
    [
        ("regulator", (), ("narratives", "small_cells")),
        ("commissioner", (), ()),
        ("commissioner", ("narratives",), ("narratives",)),
        ("internal", (), ()),
        ("internal", ("small_cells", "narratives"), ("narratives", "small_cells")),
    ],
)
def test_words_and_small_cells_are_for_the_regulator_and_for_whoever_asks(
    audience: Audience, asked: tuple[str, ...], parts: tuple[Part, ...]
) -> None:
    assert parts_for(audience, asked) == parts
