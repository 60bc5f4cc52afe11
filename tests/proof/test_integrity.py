"""A ledger is held against itself from its rows alone: the first bad event, and a sentence that says why."""

import tracemalloc
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

import pytest

from app.domain.organisation import KeyCreated
from app.events.codec import encode
from app.events.envelope import Envelope, sealed_with_leaf
from app.events.merkle import EMPTY_ROOT, Frontier
from app.proof.integrity import Integrity

SPACE = UUID(int=1)
PAYLOAD = encode(KeyCreated("0123456789ab", ("near-misses:read",)))


def event(sequence: int, **changes: Any) -> Envelope:
    """Streams of two events each, a second apart."""
    envelope = Envelope(
        "default",
        sequence,
        str(uuid5(SPACE, str(sequence))),
        f"organisation/{(sequence - 1) // 2}",
        (sequence - 1) % 2 + 1,
        "organisation.key_created",
        1,
        sequence * 1_000_000,
        sequence * 1_000_000,
        "key/tests",
        str(SPACE),
        None,
        PAYLOAD,
        b"",
    )
    changed = envelope._replace(**changes)
    return changed if changed.leaf else sealed_with_leaf(changed)


def followed(ledger: Sequence[Envelope], head: Sequence[Envelope] | None = None) -> Integrity:
    """Held against the head row of what it was; of what it is when that is not given."""
    tree = Frontier().extend([one.leaf for one in (ledger if head is None else head)])
    integrity = Integrity("default")
    for one in ledger:
        integrity.follow(one)
    integrity.finish(tree.size, tree.root(), tree.to_bytes())
    return integrity


LEDGER = [event(sequence) for sequence in range(1, 12)]


@pytest.mark.parametrize("size", range(12))
def test_a_ledger_of_any_size_is_intact(size: int) -> None:
    integrity = followed(LEDGER[:size])

    assert (integrity.first_bad, integrity.why) == (None, None)
    assert integrity.followed == integrity.frontier.size == size
    assert integrity.frontier.root() == (Frontier().extend([one.leaf for one in LEDGER[:size]]).root())


def test_an_organisation_without_events_has_the_empty_root() -> None:
    integrity = Integrity("default")

    integrity.finish(0, EMPTY_ROOT)

    assert integrity.first_bad is None


WRONG: dict[str, dict[str, Any]] = {
    "not what its leaf hash": {"leaf": LEDGER[3].leaf},
    "is missing": {"sequence": 6},
    "belongs to another organisation": {"organisation": "another"},
    "empty text": {"causation_id": ""},
    "no UUID": {"event_id": "abcd"},
    "not canonical": {"payload": " " + PAYLOAD},
    "none of a": {"payload": "{}"},
    "at version 0": {"version": 0},
    "not the next one of its stream": {"version": 2},
    "recorded before": {"recorded_at": 3_999_999},
    "bears the id": {"event_id": LEDGER[1].event_id},
    "cannot be written out": {"payload": "{"},
}


@pytest.mark.parametrize("why", WRONG)
def test_the_first_bad_event_is_named_with_the_reason(why: str) -> None:
    changed = event(**{"sequence": 5, **WRONG[why]})

    integrity = followed([*LEDGER[:4], changed, *LEDGER[5:]])

    assert integrity.first_bad == integrity.until == 5
    assert why in (integrity.why or "")


def test_a_value_of_another_kind_is_no_traceback() -> None:
    late: Any = "late"

    integrity = followed([*LEDGER[:4], LEDGER[4]._replace(recorded_at=late), *LEDGER[5:]], LEDGER)

    assert integrity.first_bad == 5


def test_what_was_computed_anew_is_found_within_its_subtree() -> None:
    """Eleven events are subtrees of eight, two and one: their roots stand in the head row."""
    integrity = followed([*LEDGER[:8], event(9, actor="key/another"), *LEDGER[9:]], LEDGER)

    assert (integrity.first_bad, integrity.until) == (9, 10)


def test_a_head_row_that_counts_more_or_fewer_events_is_told() -> None:
    assert followed(LEDGER[:9], LEDGER).first_bad == 10
    assert followed(LEDGER, LEDGER[:9]).first_bad == 10


def test_an_event_of_a_newer_release_is_no_damage() -> None:
    integrity = followed([*LEDGER[:4], event(5, type="review.sung"), *LEDGER[5:]])

    assert (integrity.first_bad, integrity.newer) == (None, 5)


def test_a_repeated_id_comes_before_what_is_wrong_further_on() -> None:
    integrity = followed(
        [*LEDGER[:4], event(5, event_id=LEDGER[1].event_id), *LEDGER[5:8], event(9, actor="x", version=7)]
    )

    assert integrity.first_bad == 5


def test_an_event_is_remembered_in_forty_bytes() -> None:
    integrity, events = Integrity("default"), 5_000
    tracemalloc.start()
    for sequence in range(1, events + 1):
        integrity.follow(event(sequence))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert integrity.followed == events
    assert kept < 60 * events + 500_000
