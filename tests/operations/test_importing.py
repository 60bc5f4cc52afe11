"""A file of near misses goes into the ledger row by row: resumable, nothing dropped, the past without alarm."""

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli.commands import cli
from app.cli.entrance import INTAKE
from app.domain.decider import NotFound
from app.intake.mapping_file import parse_mapping
from app.operations.importing import LONGEST_LINE, BrokenOff, FileBroken, Import, RowRefused, Summary
from tests.office import MONDAY, Office, opened
from tests.service import API_KEY, MASTER_KEY

LONG_AGO = datetime(2024, 5, 1, 9, tzinfo=UTC)
NEWS = datetime(2026, 2, 24, 9, tzinfo=UTC)


def row(number: int, when: datetime = NEWS, **changes: Any) -> dict[str, Any]:
    """A row as a system exports it; None takes a field out."""
    said = {
        "source_system": "emar",
        "source_event_id": f"e-{number}",
        "occurred_at": when.isoformat(),
        "recorded_at": (when + timedelta(hours=2)).isoformat(),
        "service_id": "willow-house",
        "incident_type": "medication",
        "deviation": "late",
        "classification": "near_miss",
        "staff_ids": ["staff-7"],
        "narrative": "Seen in time.",
        "raw": {"row": number},
    }
    return {name: value for name, value in {**said, **changes}.items() if value is not None}


def rows(count: int, start: datetime, apart: timedelta = timedelta(days=1), first: int = 1) -> list[dict[str, Any]]:
    return [row(first + at, start + at * apart) for at in range(count)]


def file_of(directory: Path, lines: Sequence[Mapping[str, Any] | str], name: str = "rows.jsonl") -> Path:
    path = directory / name
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines), "utf-8")
    return path


def imported(
    room: Office, path: Path, mapping: str = "", *, as_history: bool = False, refused: list[RowRefused] | None = None
) -> Summary:
    told = [] if refused is None else refused
    return Import(room.house, "default", path, parse_mapping(mapping), INTAKE, as_history, told.append).run()


def test_a_second_run_is_answered_from_the_ledger(database_url: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, rows(5, NEWS - timedelta(days=300), timedelta(days=30)))
    with opened(database_url) as room:
        first = imported(room, path)
        before = room.ledger()

        second = imported(room, path)

        assert (first.recorded, first.already_there) == (5, 0)
        assert (second.recorded, second.already_there) == (0, 5)
        assert room.ledger() == before


def test_an_import_that_broke_off_goes_on_where_it_was(sqlite_url: str, tmp_path: Path) -> None:
    all_rows = rows(5, NEWS - timedelta(days=300), timedelta(days=30))
    with opened(sqlite_url) as room:
        imported(room, file_of(tmp_path, all_rows[:2], "half.jsonl"))

        whole = imported(room, file_of(tmp_path, all_rows))

        assert (whole.recorded, whole.already_there) == (3, 2)


def test_a_later_recorded_time_of_the_source_is_no_other_content(sqlite_url: str, tmp_path: Path) -> None:
    with opened(sqlite_url) as room:
        imported(room, file_of(tmp_path, [row(1)]))

        again = imported(room, file_of(tmp_path, [row(1, recorded_at="2026-03-01T00:00:00Z")]))

        assert (again.already_there, again.refused.total()) == (1, 0)


def test_a_row_with_the_name_of_another_is_told_by_its_line(sqlite_url: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, [row(1), row(2), row(1, narrative="Another story.")])
    refused: list[RowRefused] = []
    with opened(sqlite_url) as room:
        summary = imported(room, path, refused=refused)

    assert summary.recorded == 2
    assert summary.refused == {"source-event-conflict": 1}
    assert [(one.line, one.code) for one in refused] == [(3, "source-event-conflict")]


BAD_ROWS = {
    "no JSON": ('{"source_event_id": ', "malformed-json", ""),
    "not a number": (json.dumps(row(9))[:-1] + ', "potential_harm": NaN}', "malformed-json", ""),
    "a key twice": (json.dumps(row(9))[:-1] + ', "service_id": "b"}', "duplicate-key", "/service_id"),
    "a list": ("[]", "wrong-type", ""),
    "too long": (json.dumps(row(9, narrative="x" * LONGEST_LINE)), "body-too-large", ""),
    "no name": (json.dumps(row(9, source_event_id=None)), "missing", "/source_event_id"),
    "no source": (json.dumps(row(9, source_system=None)), "missing", "/source"),
    "no time": (json.dumps(row(9, occurred_at=None)), "missing", "/occurred_at"),
    "a naive time": (json.dumps(row(9, occurred_at="2026-02-24T09:00:00")), "naive-time", "/occurred_at"),
    "a time to come": (json.dumps(row(9, MONDAY + timedelta(days=2))), "out-of-range", "/occurred_at"),
    "a code of nobody's": (json.dumps(row(9, incident_type="dose_late")), "unknown-code", "/incident_type"),
    "an empty object": ("{}", "missing", "/occurred_at"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_told_by_its_line_and_stops_no_other(name: str, sqlite_url: str, tmp_path: Path) -> None:
    line, code, pointer = BAD_ROWS[name]
    refused: list[RowRefused] = []
    with opened(sqlite_url) as room:
        summary = imported(room, file_of(tmp_path, [row(1), "", line, row(2)]), refused=refused)

    assert (summary.read, summary.recorded, summary.refused.total()) == (3, 2, 1)
    assert [one.line for one in refused] == [3]
    assert (code, pointer) in [(fault.code, fault.pointer) for one in refused for fault in one.faults]


def test_rows_that_the_mapping_leaves_out_are_counted_by_reason(sqlite_url: str, tmp_path: Path) -> None:
    mapping = '[[skip]]\nfield = "classification"\nvalues = ["observation"]\nreason = "An observation"'
    path = file_of(tmp_path, [row(1), row(2, classification="observation"), row(3, classification="observation")])
    with opened(sqlite_url) as room:
        summary = imported(room, path, mapping)

    assert (summary.recorded, summary.skipped, summary.refused.total()) == (1, {"An observation": 2}, 0)


def test_a_field_that_is_not_read_is_named_in_the_summary(sqlite_url: str, tmp_path: Path) -> None:
    with opened(sqlite_url) as room:
        summary = imported(room, file_of(tmp_path, [row(1, ward="first floor")]))

    assert summary.ignored_fields == {"ward"}


def test_the_file_s_recorded_time_is_kept_as_reported(sqlite_url: str, tmp_path: Path) -> None:
    with opened(sqlite_url) as room:
        imported(room, file_of(tmp_path, [row(1)]))

        (recorded,) = [one for one in room.ledger() if one.type == "near_miss.recorded"]
        shown = room.near_miss(recorded.subject)

    assert shown["reported_at"] == "2026-02-24T11:00:00.000000Z"
    assert shown["recorded_at"] == "2026-03-02T10:00:00.000000Z"


def test_an_imported_record_awaits_what_the_file_did_not_say(sqlite_url: str, tmp_path: Path) -> None:
    with opened(sqlite_url) as room:
        imported(room, file_of(tmp_path, [row(1, service_id="unknown", staff_ids=[])]))

        (recorded,) = [one for one in room.ledger() if one.type == "near_miss.recorded"]
        shown = room.near_miss(recorded.subject)

    assert shown["status"] == "awaiting_details"
    assert shown["awaiting"] == ["contributing_factors", "staff_involved", "service_id"]
    assert shown["similarity_check"]["rules"][0]["outcome"] == "unkeyed"


# Words


def test_the_words_that_a_file_needs_are_added_when_the_mapping_says_so(database_url: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, [row(1), row(2, incident_type="falls", deviation="near_fall", workflow_stage="walk")])
    mapping = '[taxonomy]\nextend = true\nincident_types = [{ code = "falls", label = "Falls and near falls" }]'
    with opened(database_url) as room:
        first = imported(room, path, mapping)
        second = imported(room, path, mapping)

        with room.house.database.read() as connection:
            words = room.house.configurations.now(connection, "default").taxonomy

    assert (first.recorded, first.refused.total()) == (2, 0)
    assert first.codes_added["incident_types"] == 1
    assert second.codes_added == {}
    assert {one.label for one in words.lists["incident_types"]} >= {"Falls and near falls"}
    assert words.deviations_of["falls"].in_use == {"other", "near_fall"}


def test_a_classification_is_never_added_unnamed(sqlite_url: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, [row(1, classification="nearmiss")])
    with opened(sqlite_url) as room:
        summary = imported(room, path, "[taxonomy]\nextend = true")

    assert (summary.recorded, summary.refused) == (0, {"validation": 1})


# History


def test_an_old_cluster_comes_in_as_history_and_alarms_nobody(database_url: str, tmp_path: Path) -> None:
    with opened(database_url) as room:
        summary = imported(room, file_of(tmp_path, rows(4, LONG_AGO)), as_history=True)

        (historical,) = room.escalations()
        assert (summary.escalations_raised, summary.historical_escalations) == (0, 1)
        assert historical["status"] == "historical"
        assert len(historical["members"]) == 4
        assert "review_id" not in historical
        assert room.open_escalations() == []
        assert "review.opened" not in room.types()


def test_live_reports_after_history_begin_an_episode_of_their_own(sqlite_url: str, tmp_path: Path) -> None:
    with opened(sqlite_url) as room:
        imported(room, file_of(tmp_path, rows(4, LONG_AGO)), as_history=True)

        for day in (24, 25, 26):
            answer = room.submit(deviation="late", occurred_at=f"2026-02-{day}T09:00:00Z")

        (live,) = room.open_escalations()
        assert answer["escalation_ids"] == [live["id"]]
        assert len(live["members"]) == 3
        assert live["review_id"] is not None


def test_history_that_reaches_into_the_window_opens_a_review(database_url: str, tmp_path: Path) -> None:
    with opened(database_url) as room:
        summary = imported(room, file_of(tmp_path, rows(3, NEWS)), as_history=True)

        (live,) = room.open_escalations()
        assert (summary.escalations_raised, summary.historical_escalations) == (1, 0)
        assert len(live["members"]) == 3
        assert live["review_id"] is not None


def test_a_long_history_of_one_key_is_one_episode_across_transactions(database_url: str, tmp_path: Path) -> None:
    hourly = rows(700, LONG_AGO, timedelta(hours=6))
    with opened(database_url) as room:
        summary = imported(room, file_of(tmp_path, hourly), as_history=True)

        (historical,) = room.escalations()
        assert summary.historical_escalations == 1
        assert len(historical["members"]) == 700
        assert historical["version"] == 1 + 700 - 3


def test_without_the_flag_an_old_cluster_opens_a_review(sqlite_url: str, tmp_path: Path) -> None:
    with opened(sqlite_url) as room:
        summary = imported(room, file_of(tmp_path, rows(3, LONG_AGO)))

        assert summary.escalations_raised == 1
        assert len(room.open_escalations()) == 1


# Files


def test_a_packed_file_is_read_whatever_it_is_called(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.data"
    path.write_bytes(gzip.compress(file_of(tmp_path, rows(2, LONG_AGO)).read_bytes()))

    with opened(sqlite_url) as room:
        assert imported(room, path).recorded == 2


def test_a_file_that_breaks_in_the_middle_says_after_which_line(sqlite_url: str, tmp_path: Path) -> None:
    whole = gzip.compress(file_of(tmp_path, rows(2, LONG_AGO)).read_bytes())
    path = tmp_path / "half.gz"
    path.write_bytes(whole[:-12])

    with opened(sqlite_url) as room, pytest.raises(FileBroken, match="after line"):
        imported(room, path)


def test_an_organisation_that_is_not_there_is_named(sqlite_url: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, [row(1)])
    with opened(sqlite_url) as room, pytest.raises(NotFound):
        Import(room.house, "nobody", path, parse_mapping(""), INTAKE).run()


def test_a_database_that_takes_nothing_more_ends_the_import_with_a_sentence(sqlite_url: str, tmp_path: Path) -> None:
    path = file_of(tmp_path, [row(1)])
    with opened(sqlite_url) as room:
        room.house.writer.stop()

        with pytest.raises(BrokenOff, match="run the import again"):
            Import(room.house, "default", path, parse_mapping(""), INTAKE, pause=0.0).run()


# The command


def test_the_command_prints_a_summary_and_fails_when_a_row_was_refused(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOREWARN_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("FOREWARN_MASTER_KEY", MASTER_KEY)
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('time_zone = "Europe/London"', encoding="utf-8")
    good = file_of(tmp_path, [row(1, occurred_at="2026-02-24 09:00")], "good.jsonl")
    bad = file_of(tmp_path, [row(2, incident_type="dose_late")], "bad.jsonl")
    with opened(sqlite_url):
        pass

    taken = CliRunner().invoke(cli, ["import", str(good), "--mapping", str(mapping)])
    refused = CliRunner().invoke(cli, ["import", str(bad)])

    assert (taken.exit_code, json.loads(taken.stdout)["recorded"]) == (0, 1)
    assert (refused.exit_code, json.loads(refused.stdout)["refused_as"]) == (1, {"validation": 1})
    assert refused.stderr.startswith("line 1: incident_type: ")
    assert API_KEY not in taken.output


def test_a_mapping_that_cannot_be_used_is_told_before_anything_is_read(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('stages = "stage_allowed"', encoding="utf-8")

    told = CliRunner().invoke(cli, ["import", str(file_of(tmp_path, [row(1)])), "--mapping", str(mapping)])

    assert told.exit_code == 2
    assert "mapping.toml: /stages: Leave this field out." in told.stderr
