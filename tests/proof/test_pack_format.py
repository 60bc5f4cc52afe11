"""Writing packs: the same members make the same bytes, and nothing is written that no reader would take."""

import io
import random
from collections.abc import Callable
from typing import Any

import pytest

from app.proof.pack_format import PackTooLarge, PackWriter
from app.proof.pack_layout import Limits
from app.proof.pack_lines import first_changed_line
from app.proof.pack_manifest import Lines
from app.proof.pack_marks import MOST_MARKS, Marking
from tests.proof.packs import OURS, Recipe


def test_the_same_members_make_the_same_bytes_in_whatever_order_and_pieces_they_come() -> None:
    parts = Recipe().parts()

    file = io.BytesIO()
    with PackWriter(file) as writer:
        for name, data in reversed(parts.members.items()):
            with writer.member(name) as member:
                for start in range(0, len(data), 100):
                    member.write(data[start : start + 100])
        writer.finish(parts.fields, OURS.sign)

    assert file.getvalue() == parts.written()


def test_a_name_that_no_reader_takes_is_refused_and_so_is_one_that_is_taken() -> None:
    with PackWriter(io.BytesIO()) as writer:
        writer.add("governance/gov_1.html", b"x")
        for name in ("../x", "manifest.json", "manifest.sig", "governance/GOV_1.html", "a b"):
            with pytest.raises(ValueError, match=r"No member|there already"):
                writer.add(name, b"x")


def test_a_pack_without_what_proves_it_is_not_finished() -> None:
    parts = Recipe().parts()
    with PackWriter(io.BytesIO()) as writer:
        writer.add("ledger.jsonl", b"")

        with pytest.raises(ValueError, match=r"without assurance\.json, proofs\.json"):
            writer.finish(parts.fields, OURS.sign)


def test_a_member_whose_writing_broke_off_is_never_finished() -> None:
    parts = Recipe().parts()
    with PackWriter(io.BytesIO()) as writer:
        for name, data in parts.members.items():
            writer.add(name, data)
        with pytest.raises(KeyError), writer.member("more.json") as member:  # noqa: PT012
            member.write(b"{")
            raise KeyError

        with pytest.raises(ValueError, match="not written to its end"):
            writer.finish(parts.fields, OURS.sign)


def of_members(writer: PackWriter) -> None:
    writer.add("large.json", random.Random(1).randbytes(2000))


def of_a_bomb(writer: PackWriter) -> None:
    writer.add("large.json", b"0" * (2 << 20))


@pytest.mark.parametrize(
    ("limits", "write"),
    [
        (Limits(member=1999), of_members),
        (Limits(members=9), of_members),
        (Limits(total=2000), of_members),
        (Limits(packed=2000), of_members),
        (Limits(manifest=100), of_members),
        (Limits(), of_a_bomb),
    ],
)
def test_nothing_is_written_that_no_reader_would_take(limits: Limits, write: Callable[[PackWriter], Any]) -> None:
    parts = Recipe().parts()
    file = io.BytesIO()
    with pytest.raises(PackTooLarge), PackWriter(file, limits=limits) as writer:  # noqa: PT012
        for name, data in parts.members.items():
            writer.add(name, data)
        write(writer)
        writer.finish(parts.fields, OURS.sign)

    assert file.getvalue() == b""


def test_marks_tell_a_changed_line_to_the_line_or_nearly_so_when_there_are_many() -> None:
    chance = random.Random(5)
    for count in (1, 2, 100, MOST_MARKS, MOST_MARKS + 1, 3 * MOST_MARKS):
        lines = [f"{n} {chance.random()}\n".encode() for n in range(count)]
        text = b"".join(lines)
        marking = Marking()
        for start in range(0, len(text), 1000):
            marking.take(text[start : start + 1000])
        marks = marking.marks()
        said = Lines(marks.count, marks.every, list(marks.marks))
        place = chance.randrange(count)
        changed = [*lines[:place], b"x" + lines[place], *lines[place + 1 :]]

        first, last = first_changed_line([b"".join(changed)], said, "x.jsonl")

        assert marks.count == count
        assert len(marks.marks) <= MOST_MARKS
        assert first <= place + 1 <= last
        assert last - first < max(1, 2 * count / MOST_MARKS)
