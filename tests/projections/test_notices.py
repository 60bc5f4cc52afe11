"""The rows of notices: one for each command, stream and addressee, wherever the pages of the ledger end."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest

from app.clock import system_clock
from app.database.tables import notices
from app.domain.moment import parse_instant, to_micros
from app.domain.notice import Notice, notices_of
from app.events.codec import decode
from app.operations.follow import step
from app.operations.rebuild import rebuild
from app.operations.tick import tick
from tests.office import Office, opened
from tests.operations.undertakings import agreed, look


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def rows(office: Office) -> list[dict[str, Any]]:
    """Every notice, in the ledger's order."""
    office.follow()
    found = [dict(zip(notices.c.keys(), row, strict=True)) for row in office.rows(notices)]
    return sorted(found, key=lambda row: (row["sequence"], row["place"]))


def told(office: Office) -> list[tuple[str, str, int]]:
    """Who was told why, and of how many events."""
    return [(row["addressee"], row["whys"], row["events"]) for row in rows(office)]


def of_each_command(office: Office) -> list[Notice]:
    """What the rule makes of the ledger, command by command."""
    ledger = [one for one in office.ledger() if one.type != "action.overdue"]  # Its owner is told besides.
    return [
        one
        for _, command in groupby(ledger, lambda envelope: envelope.correlation_id)
        for one in notices_of([(envelope.stream, decode(envelope)) for envelope in command])
    ]


def three(office: Office) -> str:
    for _ in range(3):
        office.submit()
    (escalation,) = office.escalations()
    return escalation["id"]


def a_month_in_which_nobody_looked(office: Office) -> None:
    """One run answers what was due for thirty days, of the review's records too."""
    three(office)
    office.clock.go_on(days=30)
    while tick(office.house, "worker", system_clock()):
        pass


@pytest.mark.parametrize("page", [1, 2, 3, 500])
def test_wherever_a_page_ends_within_a_command_the_rows_are_those_of_the_rule_and_of_a_rebuild(
    office: Office, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr("app.operations.follow.PAGE", page)
    a_month_in_which_nobody_looked(office)

    followed = rows(office)

    kept = office.rows(notices)
    assert [(row["subject"], row["addressee"], row["events"], row["why"]) for row in followed] == [
        (one.subject, one.to, one.events, one.why) for one in of_each_command(office)
    ]
    assert max(row["events"] for row in followed) > 20
    assert rebuild(office.house, office.organisation, "notices")[0] == len(kept)
    assert office.rows(notices) == kept


def test_a_command_that_is_half_followed_is_gone_on_with(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    a_month_in_which_nobody_looked(office)
    monkeypatch.setattr("app.operations.follow.PAGE", 5)
    house = office.house
    for _ in range(2):
        step(house.database, house.batches.dialect, house.configurations, office.organisation, "notices")
    begun = {row[1]: row for row in office.rows(notices)}

    rows(office)

    events = list(notices.c.keys()).index("events")
    grown = [row for row in office.rows(notices) if row[1] in begun and row[events] > begun[row[1]][events]]
    assert grown


def test_a_row_says_what_it_is_about_and_between_which_instants_it_was_due(office: Office) -> None:
    escalation_id = three(office)
    office.clock.go_on(days=6)
    look(office)

    first, *_, last = rows(office)

    (escalation,) = office.escalations()
    about = {"subject": f"escalation/{escalation_id}", "service_id": "willow-house"}
    assert about.items() <= first.items()
    assert (first["addressee"], first["why"], first["level"], first["scheduled_at"]) == ("manager", "opened", 0, None)
    assert (last["escalation_id"], last["review_id"]) == (escalation_id, escalation["review_id"])
    assert (last["addressee"], last["events"], last["level"]) == ("leadership", 3, None)
    assert (last["first_scheduled_at"], last["scheduled_at"], last["respond_by"]) == tuple(
        to_micros(parse_instant(f"2026-03-{day:02}T10:00:00Z")) for day in (6, 8, 9)
    )
    ledger = office.ledger()
    assert (ledger[last["sequence"] - 1].type, last["last_sequence"]) == ("escalation.chain_exhausted", len(ledger))


def test_the_owner_of_an_overdue_action_is_told_with_those_above(office: Office) -> None:
    action_id = agreed(office, "2026-04-01")
    (escalation,) = office.escalations()
    office.clock.now = parse_instant("2026-04-02T12:00:00Z")
    look(office)

    overdue = [row for row in rows(office) if row["subject"] == f"action/{action_id}"]

    owner = office.person("manager-2").name
    assert [(row["addressee"], row["events"]) for row in overdue] == [("manager", 1), (owner, 2), ("deputy", 1)]
    assert {(row["escalation_id"], row["review_id"]) for row in overdue} == {
        (escalation["id"], escalation["review_id"])
    }


def test_what_a_near_miss_owes_is_told_of_the_near_miss(office: Office) -> None:
    near_miss_id = office.submit()["id"]
    office.clock.go_on(days=7)
    look(office)

    (row,) = rows(office)

    assert (row["subject"], row["why"]) == (f"near_miss/{near_miss_id}", "workflow_link_due")
    assert (row["service_id"], row["escalation_id"]) == ("willow-house", None)


def test_who_is_told_by_two_commands_is_told_twice(office: Office) -> None:
    three(office)
    office.submit()

    assert told(office) == [("manager", "opened", 1), ("manager", "grew", 1)]


def test_who_is_told_of_two_escalations_by_one_report_is_told_twice(office: Office) -> None:
    office.do(office.adoption({"id": "similar"}, {"id": "anywhere", "group_by": ["incident_type"]}))
    for _ in range(3):
        office.submit()

    assert told(office) == [("manager", "opened", 1)] * 2


def test_what_is_found_in_imported_history_tells_nobody(office: Office) -> None:
    for _ in range(3):
        office.house.ask(office.submission(as_history=True, occurred_at="2025-03-02T09:00:00Z"))

    assert told(office) == []
