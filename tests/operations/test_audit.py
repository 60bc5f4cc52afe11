"""The auditor speaks when all is well, and only then; what is not well it names."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from structlog.testing import capture_logs

from app.database.tables import installation, timers
from app.operations import acting, reviewing
from app.operations.audit import LATE, WATCHED, Auditor, last_audit
from app.operations.rebuild import rebuild
from app.operations.tick import tick
from tests.office import Office, answers_of, opened

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""Real time, as the worker sees it; the office's clock stands still elsewhere."""
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def audited(office: Office, auditor: Auditor | None = None, at: datetime = NOW) -> dict[str, Any]:
    """What `/readyz` would say after a pass that began at that instant."""
    for _ in (auditor or Auditor(office.house)).audit(at):
        pass
    with office.house.database.read() as connection:
        return last_audit(connection, at)


def stored(office: Office, name: str) -> Any:
    with office.house.database.read() as connection:
        value = connection.execute(select(installation.c.value).where(installation.c.name == name)).scalar()
    return None if value is None else json.loads(value)


def three(office: Office, **changes: Any) -> dict[str, Any]:
    """Three similar near misses, and the escalation that they raise."""
    answers_of(office.house.try_all([office.submission(**changes) for _ in range(3)]))
    return office.escalations()[-1]


def drop_timers(office: Office, kind: str = "escalation") -> None:
    with office.house.database.write() as connection:
        connection.execute(delete(timers).where(timers.c.kind == kind))


def missing(office: Office) -> list[tuple[str, str]]:
    return [(one["stream"], one["missing"]) for one in stored(office, "audit_findings")]


def test_a_clean_house_passes_and_the_heartbeat_says_what_was_looked_at(office: Office) -> None:
    escalation = three(office)
    office.do(office.review_closure(escalation["review_id"], "action_agreed"))
    three(office, service_id="elsewhere")

    told = audited(office)

    assert told == {"findings": 0, "at": "2026-11-23T12:00:00.000000Z", "age_seconds": 0.0}
    assert stored(office, "audit") == {
        "at": "2026-11-23T12:00:00.000000Z",
        "organisations": 1,
        "escalations": 1,
        "actions": 1,
        "near_misses": 3,
        "position": len(office.ledger()),
    }


def test_an_empty_house_passes_too(office: Office) -> None:
    assert audited(office)["findings"] == 0


def test_a_timer_that_is_gone_is_named_and_stops_the_heartbeat_until_it_is_rebuilt(office: Office) -> None:
    escalation = three(office)
    auditor = Auditor(office.house)
    audited(office, auditor)

    drop_timers(office)
    with capture_logs() as logs:
        told = audited(office, auditor, LATER)

    assert told == {"findings": 1, "at": "2026-11-23T12:00:00.000000Z", "age_seconds": 300.0}
    finding = {
        "organisation": "default",
        "stream": f"escalation/{escalation['id']}",
        "missing": "timer_missing",
        "due_at": escalation["next_deadlines"][0]["due_at"],
    }
    assert stored(office, "audit_findings") == [finding]
    (logged,) = [one for one in logs if one["event"] == "audit.finding"]
    assert logged.items() >= finding.items()

    rebuild(office.house, "default", "timers")

    assert audited(office, auditor, LATER) == {"findings": 0, "at": "2026-11-23T12:05:00.000000Z", "age_seconds": 0.0}


@pytest.mark.parametrize("kind", ["escalation", "action", "near_miss"])
def test_every_kind_of_deadline_is_held_against_its_timer(office: Office, kind: str) -> None:
    first = three(office)
    office.do(office.review_closure(first["review_id"], "action_agreed"))
    three(office, service_id="elsewhere")
    assert audited(office)["findings"] == 0

    drop_timers(office, kind)

    audited(office)
    assert {(stream.split("/")[0], what) for stream, what in missing(office)} == {(kind, "timer_missing")}


def test_what_is_open_and_waits_for_nothing_is_named(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    escalation = three(office)
    forgetful = replace(WATCHED["escalation"], due_at=lambda _state: None)

    monkeypatch.setitem(WATCHED, "escalation", forgetful)  # No event that there is makes a rule so.

    audited(office)
    assert missing(office) == [(f"escalation/{escalation['id']}", "no_deadline")]


def test_a_timer_that_is_late_by_a_moment_is_named(office: Office) -> None:
    escalation = three(office)
    with office.house.database.write() as connection:
        connection.execute(update(timers).where(timers.c.kind == "escalation").values(due_at=timers.c.due_at + 1))

    audited(office)

    assert missing(office) == [(f"escalation/{escalation['id']}", "timer_wrong")]


def test_a_timer_of_what_is_not_open_is_named(office: Office) -> None:
    with office.house.database.write() as connection:
        row = {"organisation": "default", "kind": "escalation", "subject": "esc_x", "due_at": 2**50}
        connection.execute(insert(timers).values(row))

    audited(office)

    assert missing(office) == [("escalation/esc_x", "nothing_open")]


def test_a_later_pass_reads_only_what_came_since(office: Office) -> None:
    three(office)
    auditor = Auditor(office.house, page=3)

    assert list(auditor.audit(NOW)) == [3, 1]  # Three records and what they raised; reviews have no deadline.
    assert list(auditor.audit(NOW)) == [0]
    office.submit(service_id="elsewhere")
    assert list(auditor.audit(NOW)) == [1]
    assert stored(office, "audit")["position"] == len(office.ledger())


def test_what_the_auditor_remembers_is_what_a_new_one_finds(office: Office) -> None:
    auditor = Auditor(office.house, page=3)
    first = three(office)
    audited(office, auditor)
    office.do(office.review_closure(first["review_id"], "action_agreed"))
    assert audited(office, auditor)["findings"] == 0
    (action_id,) = [one.subject for one in office.ledger() if one.type == "action.agreed"]

    office.clock.go_on(days=60)
    while tick(office.house, "worker", NOW):
        assert audited(office, auditor)["findings"] == 0
    office.do(
        office.command(
            lambda desk, cause: acting.complete(desk, cause, acting.load(desk, action_id), "2026-05-01", "Seen."),
            action_id,
        )
    )

    assert audited(office, auditor)["findings"] == 0
    remembered = stored(office, "audit")
    assert remembered["escalations"] == remembered["actions"] == 0
    audited(office)
    assert stored(office, "audit") == remembered


def test_what_was_reopened_is_watched_again(office: Office) -> None:
    first = three(office)
    office.do(office.review_closure(first["review_id"]))
    auditor = Auditor(office.house)
    audited(office, auditor)
    assert stored(office, "audit")["escalations"] == 0

    office.do(reopening(office, first["review_id"]))
    assert audited(office, auditor)["findings"] == 0
    assert stored(office, "audit")["escalations"] == 1

    drop_timers(office)
    audited(office, auditor)
    assert missing(office) == [(f"escalation/{first['id']}", "timer_missing")]


def reopening(office: Office, review_id: str) -> Any:
    return office.command(
        lambda desk, cause: reviewing.reopen(desk, cause, reviewing.load(desk, review_id), "It came back."), review_id
    )


def test_a_due_timer_is_given_time_to_be_asked_and_then_named(office: Office) -> None:
    escalation = three(office)
    auditor = Auditor(office.house)
    office.clock.go_on(days=1, minutes=30)

    assert audited(office, auditor)["findings"] == 0  # The clock was set, or the service was down: not seen before.
    assert audited(office, auditor, NOW + LATE - timedelta(seconds=1))["findings"] == 0
    assert audited(office, auditor, NOW + LATE)["findings"] == 1
    assert missing(office) == [(f"escalation/{escalation['id']}", "left_unasked")]

    while tick(office.house, "worker", NOW):
        pass
    assert audited(office, auditor, NOW + LATE)["findings"] == 0


def test_a_timer_that_is_late_by_less_is_not_named(office: Office) -> None:
    three(office)
    auditor = Auditor(office.house)
    office.clock.go_on(days=1, minutes=9)

    audited(office, auditor)

    assert audited(office, auditor, NOW + 2 * LATE)["findings"] == 0


def test_each_organisation_is_audited_and_named(office: Office) -> None:
    office.house.open_organisation("other", "other")
    other = Office(office.house, office.clock, "other")
    three(office)
    three(other)
    with office.house.database.write() as connection:
        connection.execute(delete(timers).where(timers.c.organisation == "other", timers.c.kind == "escalation"))

    audited(office)

    assert [one["organisation"] for one in stored(office, "audit_findings")] == ["other"]


def test_no_more_findings_are_kept_than_anybody_reads(office: Office) -> None:
    rows = [{"organisation": "default", "kind": "action", "subject": f"act_{n}", "due_at": 2**50} for n in range(120)]
    with office.house.database.write() as connection:
        connection.execute(insert(timers), rows)

    assert audited(office)["findings"] == 100
