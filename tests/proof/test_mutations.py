"""Whatever is done to a pack is found, and told at the event or next to it; what was not touched raises no alarm."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.proof.packs import (
    OURS,
    THEIRS,
    Parts,
    Recipe,
    a_ledger,
    flipped,
    judged,
    of_service,
    packed_anew,
    releafed,
    unpacked,
)
from tests.rounds import rounds

RECIPES = [
    Recipe(),
    Recipe(holds=of_service("ash-court"), services=("ash-court",), previous=7),
    Recipe(holds=of_service("willow-house"), made_after=30),
]


@cache
def a_pack(which: int) -> bytes:
    return RECIPES[which].written()


@cache
def its_parts(which: int) -> Parts:
    return RECIPES[which].parts()


class Mutated(NamedTuple):
    """A pack that was tampered with, and where: the member, and the lines of the ledger next to the change."""

    data: bytes
    member: str | None = None
    lines: Sequence[int] = ()


Lines = list[bytes]


# What somebody does who cannot sign


def flip(which: int, chance: random.Random) -> Mutated:
    return Mutated(flipped(a_pack(which), chance))


def cut_off(which: int, chance: random.Random) -> Mutated:
    data = a_pack(which)
    return Mutated(data[: chance.randrange(len(data))])


def flip_within(which: int, chance: random.Random) -> Mutated:
    members = unpacked(a_pack(which))
    name = chance.choice(list(members))
    changed = flipped(members[name], chance)
    if name != "ledger.jsonl":
        return Mutated(packed_anew({**members, name: changed}))
    place = next(n for n, (old, new) in enumerate(zip(members[name], changed, strict=True)) if old != new)
    line = members[name][:place].count(b"\n")
    return Mutated(packed_anew({**members, name: changed}), name, [line])


def drop_member(which: int, chance: random.Random) -> Mutated:
    members = unpacked(a_pack(which))
    name = chance.choice(list(members))
    del members[name]
    return Mutated(packed_anew(members), name)


def add_member(which: int, chance: random.Random) -> Mutated:
    return Mutated(packed_anew({**unpacked(a_pack(which)), "more.json": b"{}"}), "more.json")


def swap_members(which: int, chance: random.Random) -> Mutated:
    members = unpacked(a_pack(which))
    one, other = chance.sample([name for name in members if not name.startswith("manifest")], 2)
    return Mutated(packed_anew({**members, one: members[other], other: members[one]}))


def of_lines(change: Callable[[Lines, int, random.Random], None]) -> Callable[[int, random.Random], Mutated]:
    def mutate(which: int, chance: random.Random) -> Mutated:
        members = unpacked(a_pack(which))
        lines = members["ledger.jsonl"].splitlines(keepends=True)
        place = chance.randrange(len(lines))
        change(lines, place, chance)
        return Mutated(packed_anew({**members, "ledger.jsonl": b"".join(lines)}), "ledger.jsonl", [place])

    return mutate


def edit(lines: Lines, place: int, chance: random.Random) -> None:
    event = json.loads(lines[place])
    event[chance.choice(["actor", "id", "subject", "correlationid"])] += "x"
    lines[place] = json.dumps(event, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def edit_and_hash(lines: Lines, place: int, chance: random.Random) -> None:
    lines[place] = releafed(lines[place], lambda event: event.update(actor="key/nobody")) + b"\n"


def drop(lines: Lines, place: int, chance: random.Random) -> None:
    del lines[place]


def drop_all_from_there(lines: Lines, place: int, chance: random.Random) -> None:
    del lines[place:]


def double(lines: Lines, place: int, chance: random.Random) -> None:
    lines.insert(place, lines[place])


def reorder(lines: Lines, place: int, chance: random.Random) -> None:
    other = place - 1 if place else 1
    lines[place], lines[other] = lines[other], lines[place]


def forge(lines: Lines, place: int, chance: random.Random) -> None:
    def another(event: dict[str, object]) -> None:
        event["id"] = "00000000-0000-5000-8000-000000000000"

    lines.insert(place, releafed(lines[place], another) + b"\n")


# What somebody does who signs


def hash_it_all(which: int, chance: random.Random) -> Mutated:
    """The manifest says what is there now, and the signature is of another key."""
    parts = its_parts(which)
    lines = parts.members["ledger.jsonl"].splitlines(keepends=True)
    edit_and_hash(lines, chance.randrange(len(lines)), chance)
    changed = Parts({**parts.members, "ledger.jsonl": b"".join(lines)}, parts.fields, THEIRS)
    return Mutated(changed.written(), "manifest.json")


def sign_it_as_another(which: int, chance: random.Random) -> Mutated:
    return Mutated(RECIPES[which].but(key=THEIRS).written(), "manifest.sig")


def sign_an_edited_event(which: int, chance: random.Random) -> Mutated:
    parts = its_parts(which)
    lines = parts.members["ledger.jsonl"].splitlines(keepends=True)
    place = chance.randrange(len(lines))
    edit_and_hash(lines, place, chance)
    return Mutated(Parts({**parts.members, "ledger.jsonl": b"".join(lines)}, parts.fields).written(), "ledger.jsonl")


def sign_without_an_event(which: int, chance: random.Random) -> Mutated:
    """An event in the middle of its stream is only a hash in the pack, as if it did not belong there."""
    recipe = RECIPES[which]
    held = [one for one in recipe.ledger if recipe.holds(one)]
    last = {one.stream: one.version for one in held}
    dropped = chance.choice([one for one in held if one.version < last[one.stream]])
    data = recipe.but(holds=lambda one: recipe.holds(one) and one != dropped).written()
    following = [one.sequence for one in held if one.stream == dropped.stream and one.version == dropped.version + 1]
    rest = [one.sequence for one in held if one != dropped]
    return Mutated(data, "ledger.jsonl", [rest.index(following[0])])


MUTATIONS: Mapping[str, Callable[[int, random.Random], Mutated]] = {
    "a flipped bit": flip,
    "a cut-off file": cut_off,
    "a flipped bit in a member": flip_within,
    "a dropped member": drop_member,
    "an added member": add_member,
    "two members swapped": swap_members,
    "an edited event": of_lines(edit),
    "an edited event with its leaf": of_lines(edit_and_hash),
    "a dropped event": of_lines(drop),
    "a truncated tail": of_lines(drop_all_from_there),
    "a doubled event": of_lines(double),
    "reordered events": of_lines(reorder),
    "a forged event": of_lines(forge),
    "everything hashed anew": hash_it_all,
    "everything signed by another key": sign_it_as_another,
    "an edited event, signed": sign_an_edited_event,
    "a dropped event of a stream, signed": sign_without_an_event,
}


@pytest.mark.soak
@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_is_found_and_misplaced_by_no_more_than_one_event(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    for n in range(2 * rounds(300)):
        which = n % len(RECIPES)
        mutated = MUTATIONS[name](which, chance)

        verdict = judged(mutated.data, tmp_path, trusted=[OURS.public])

        problem = verdict.problem
        assert problem is not None, (name, n)
        assert mutated.member in (None, problem.member), (name, n, problem)
        if mutated.lines:
            held = [one.sequence for one in RECIPES[which].ledger if RECIPES[which].holds(one)]
            assert problem.sequence in held, (name, n, problem)
            misplaced = min(abs(held.index(problem.sequence) - line) for line in mutated.lines)
            assert misplaced <= 1, (name, n, mutated.lines, problem)


@pytest.mark.soak
def test_what_was_not_touched_raises_no_alarm(tmp_path: Path) -> None:
    chance = random.Random(3)
    ledger = a_ledger()
    streams = sorted({one.stream for one in ledger})
    for _ in range(10 * rounds(100)):
        size = chance.randint(1, len(ledger))
        held = set(chance.sample(streams, chance.randint(0, len(streams))))
        recipe = Recipe(
            ledger[:size],
            holds=lambda one, held=held: one.stream in held,
            key=chance.choice([OURS, THEIRS]),
            previous=chance.choice([None, chance.randint(1, size)]),
            services=chance.choice([None, ("ash-court",)]),
            made_after=chance.choice([0, 10, 100]),
        )
        seen = chance.randint(1, size)
        given = {"checkpoints": [recipe.note(seen)], "trusted": [recipe.key.public]}

        verdict = judged(recipe.written(), tmp_path, **given)

        assert verdict.ok, (recipe, verdict.problem)
        assert verdict.facts["earlier"][0]["held"] in (True, None)


@pytest.mark.soak
def test_every_flipped_bit_of_a_file_is_found(tmp_path: Path) -> None:
    data = a_pack(1)
    step = max(1, 1500 // rounds(1500))
    for place in range(0, len(data), step):
        altered = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]

        assert not judged(altered, tmp_path).ok, place
