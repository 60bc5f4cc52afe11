"""A mapping file is read strictly, and an operator's own stands over the shipped one of its name."""

import re
from pathlib import Path

import pytest

from app.domain.decider import Invalid
from app.intake.adapters import MappingRefused, apply, shelf
from app.intake.adapters.document import parse_adapter
from app.operations.house import CannotStart, House
from app.settings import Settings
from tests.house import ROOT
from tests.service import MASTER_KEY

GOOD = """
name = "own"
version = 2
description = "Visits of our own system."
[[event]]
type = "care.rostering.visit.v1"
fields = { status = "state", scheduled_start = { path = ["due", "at"] }, reason = { join = ["why", "note"] } }
constants = { system = "own" }
"""


def test_a_mapping_says_where_each_field_stands() -> None:
    (part,) = apply(parse_adapter(GOOD), {"state": "late", "at": "2026-03-02T08:00:00Z", "why": "Snow", "note": "Snow"})

    assert part.mapping == "own@2"
    assert part.raw.data == {
        "status": "late", "scheduled_start": "2026-03-02T08:00:00Z", "reason": "Snow", "system": "own",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("was", "becomes", "pointer"),
    [
        ('name = "own"', 'name = "Own Name"', "/name"),
        ('name = "own"', "", "/name"),
        ("version = 2", "", "/version"),
        ("version = 2", 'version = "2"', "/version"),
        ('description = "Visits of our own system."', "", "/description"),
        ("[[event]]", 'unkown = "x"\n[[event]]', "/unkown"),
        ("[[event]]", 'format = "csv"\n[[event]]', "/format"),
        ("[[event]]", 'time_zone = "Moon/Crater"\n[[event]]', "/time_zone"),
        ("[[event]]", 'unix = "hours"\n[[event]]', "/unix"),
        ("[[event]]", 'id = ["a..b"]\n[[event]]', "/id"),
        ("[[event]]", "id = [7]\n[[event]]", "/id"),
        ("[[event]]", 'fields = { colour = "red" }\n[[event]]', "/fields/colour"),
        ("[[event]]", "codes = { status = { DONE = [1] } }\n[[event]]", "/codes/status/DONE"),
        ("[[event]]", '[[not_ours]]\nreason = "x"\n[[event]]', "/not_ours/0/when"),
        ("[[event]]", '[[not_ours]]\nwhen = [{ path = "a" }]\nreason = "x"\n[[event]]', "/not_ours/0/when/0"),
        ("care.rostering.visit.v1", "care.visit.v9", "/event/0/type"),
        ('status = "state"', "status = 7", "/event/0/fields/status"),
        ('status = "state"', 'medication = "drug"', "/event/0/fields/medication"),
        ('join = ["why", "note"]', 'join = ["why"], path = "x"', "/event/0/fields/reason"),
        (GOOD[GOOD.index("[[event]]") :], "", "/event"),
    ],
)
def test_a_fault_in_a_mapping_is_named(was: str, becomes: str, pointer: str) -> None:
    assert was in GOOD

    with pytest.raises(Invalid) as refused:
        parse_adapter(GOOD.replace(was, becomes))

    assert pointer in [fault.pointer for fault in refused.value.faults]


def test_an_operators_mapping_stands_beside_the_shipped_ones_or_over_them(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(GOOD)
    (tmp_path / "deputy-roster.toml").write_text(GOOD.replace('"own"', '"deputy-roster"', 1))
    (tmp_path / "readme.txt").write_text("No mapping.")

    adapters = shelf(tmp_path)

    assert set(adapters) == {*shelf(), "own"}
    assert (adapters["deputy-roster"].version, shelf()["deputy-roster"].version) == (2, 1)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("own.toml", "name = ", "own.toml cannot be used. the file: Write the mapping file as TOML"),
        ("own.toml", GOOD.replace("version = 2", ""), "own.toml cannot be used. /version"),
        ("other.toml", GOOD, "other.toml is named own inside"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_named_with_its_fault_and_nothing_starts(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'forewarn.db'}", master_key=MASTER_KEY, mappings=str(tmp_path)
    )

    with pytest.raises(CannotStart, match=says):
        House(settings)


def test_a_directory_of_mappings_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingRefused, match="no directory"):
        shelf(tmp_path / "nowhere")


def test_a_mapping_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes(b"\xff")

    with pytest.raises(MappingRefused, match="UTF-8"):
        shelf(tmp_path)


def test_the_mapping_that_the_documents_show_reads_as_they_say() -> None:
    page = (ROOT / "docs/intake.md").read_text(encoding="utf-8")
    adapter = parse_adapter(page.partition("```toml\n")[2].partition("```")[0])
    call = {
        "callId": 7,
        "changed": 1772442000,
        "state": "NO_SHOW",
        "planned": {"at": "2026-07-02 08:00", "colour": "red"},
        "colour": "red",
        "stamps": [{"kind": "out", "at": "2026-07-02 09:00"}, {"kind": "in", "at": "2026-07-02 08:38"}],
        "client": "client/C-1",
        "carers": [{"ref": "S-1"}, {"ref": "S-2"}],
        "why": "Snow",
        "way": 12,
    }

    event, office = apply(adapter, {"branch": "oak-house", "calls": [call, {"callId": 8, "state": "DONE"}]})

    assert (event.raw.source, event.raw.id) == ("urn:acme:rota", "7/1772442000")
    assert event.raw.data == {
        "visit_id": "7",
        "status": "missed",
        "scheduled_start": "2026-07-02T08:00:00+01:00",
        "actual_start": "2026-07-02T08:38:00+01:00",
        "person_ref": "C-1",
        "staff_refs": ["S-1", "S-2"],
        "service_id": "oak-house",
        "reason": "Snow",
        "travel": {"planned_minutes": 12},
        "system": "ACME",
    }
    assert event.ignored_fields == ("calls/0/planned/colour", "calls/0/stamps/0/at")
    assert office.set_aside == ("not_ours", "A call for nobody is a plan of the office.")


def test_the_documents_name_each_shipped_adapter() -> None:
    page = (ROOT / "docs/intake.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| `([a-z0-9-]+)` \| ", page.partition("## Adapters")[2], re.MULTILINE)[: len(shelf())] == [
        *shelf()
    ]
