"""The demo: a year comes in as history, and its last report opens one review."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.commands import cli
from app.cli.entrance import INTAKE
from app.intake.demo_stories import HOMES
from app.operations.demo import NotADemo, Story, tell
from tests.office import Office, opened
from tests.service import MASTER_KEY


def told(room: Office, organisation: str = "demo-provider") -> tuple[Story, Office]:
    story = tell(room.house, organisation, INTAKE.check)
    return story, Office(room.house, room.clock, organisation)


def test_the_last_report_opens_the_only_review(database_url: str) -> None:
    with opened(database_url) as room:
        story, demo = told(room)

        (live,) = demo.open_escalations()
        assert story.escalation == live
        assert live["key"] == {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}
        assert len(live["members"]) == 3
        assert live["review_id"] is not None
        assert live["detected_late"] is False
        assert demo.types().count("review.opened") == 1
        assert story.historical == demo.types().count("escalation.raised") - 1 > 0
        assert "evening_handover" in {one["shift_bracket"] for one in story.members}


def test_the_year_and_its_services_are_there(sqlite_url: str) -> None:
    with opened(sqlite_url) as room:
        story, demo = told(room)

        assert story.near_misses == story.recorded == demo.types().count("near_miss.recorded")
        assert 300 < story.near_misses < 900
        assert demo.types().count("service.registered") == len(HOMES) == 6
        assert story.hot.shift_bracket == "evening_handover"
        assert story.hot.near_misses > 10
        assert story.key is not None


def test_telling_it_again_changes_nothing(sqlite_url: str) -> None:
    with opened(sqlite_url) as room:
        first, demo = told(room)
        before = demo.ledger()
        room.clock.go_on(hours=3)

        second, _ = told(room)

        assert demo.ledger() == before
        assert (second.recorded, second.key) == (0, None)
        assert (second.near_misses, second.escalation) == (first.near_misses, first.escalation)


def test_an_organisation_of_somebody_s_own_is_left_alone(sqlite_url: str) -> None:
    with opened(sqlite_url) as room:
        before = room.ledger()

        with pytest.raises(NotADemo):
            tell(room.house, "default", INTAKE.check)

        assert room.ledger() == before


def test_the_command_tells_the_story_with_a_key_once(
    empty_sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOREWARN_DATABASE_URL", empty_sqlite_url)
    monkeypatch.setenv("FOREWARN_MASTER_KEY", MASTER_KEY)

    first = CliRunner().invoke(cli, ["demo"])
    again = CliRunner().invoke(cli, ["demo"])

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert "one review opened" in first.stdout
    assert "export KEY=fw_" in first.stdout
    assert "is there already" in again.stdout
    assert "fw_" not in again.stdout
