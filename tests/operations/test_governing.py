"""Governance behind the door: the cadence that a timer asks for, snapshots that the ledger gives again, who is told."""

import importlib.util
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event

from app.database.tables import actions, governance_carried, governance_review_places, governance_reviews, timers
from app.domain.decider import GateNotMet
from app.domain.governance_cadence import Missed
from app.domain.moment import from_micros
from app.domain.sealed import Reference
from app.domain.service import RoleHolder
from app.events.codec import decode
from app.operations import acting, climbing, governance_bounds, merging, reviewing, signalling
from app.operations.governing import matters_of
from app.operations.rebuild import rebuild
from app.operations.tick import tick
from tests.house import ROOT
from tests.office import Office, answers_of, assert_intact, opened
from tests.operations import governing
from tests.operations.governing import period_of, reopened, shown, snapshot
from tests.operations.hearing import assert_thin, bodies, register
from tests.operations.test_audit import NOW, audited

RISK = ("system_risk", "The same handover was involved each time.")


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def asked(office: Office, **later: float) -> None:
    """The clock goes on, and a worker has what is due asked."""
    office.clock.go_on(**later)
    tick(office.house, "worker", NOW)


def missed(office: Office) -> list[Missed]:
    return [decode(one) for one in office.ledger() if one.type == "governance_cadence.missed"]


def due(office: Office) -> datetime:
    (at,) = (row[3] for row in office.rows(timers) if row[1] == "governance_cadence")
    return from_micros(at)


def day(at: datetime) -> str:
    return at.date().isoformat()


def three(office: Office, **changes: Any) -> str:
    """The review of the escalation that three similar near misses raise."""
    for _ in range(3):
        last = office.submit(**changes)
    (escalation,) = (one for one in office.escalations() if one["id"] in last["escalation_ids"])
    return escalation["review_id"]


def at_risk(office: Office, review_id: str) -> None:
    """Have a review determined a system risk."""
    office.do(
        office.command(
            lambda desk, cause: reviewing.determine_system_risk(desk, cause, reviewing.load(desk, review_id), *RISK)
        )
    )


# The cadence (S12)


def test_an_organisation_that_closes_no_governance_review_in_a_month_hears_of_it(office: Office) -> None:
    assert day(due(office)) == "2026-04-02"
    asked(office, days=30)
    assert missed(office) == []

    asked(office, days=1)
    asked(office, days=7)
    asked(office, days=7)
    asked(office, days=7)

    told = missed(office)
    assert [(day(one.scheduled_at), one.times, one.notify, one.level) for one in told] == [
        ("2026-04-02", 1, ("leadership",), 0),
        ("2026-04-09", 2, ("admin",), None),
        ("2026-04-16", 3, ("admin",), None),
        ("2026-04-23", 4, ("admin",), None),
    ]
    assert [one.nobody_reachable for one in told] == [True, False, False, False]  # There is a key for the admin.
    assert day(due(office)) == "2026-04-30"


def test_whoever_holds_leadership_of_any_service_is_told_by_name(office: Office) -> None:
    holder = RoleHolder("leadership", Reference("", "key", "its-token"), office.clock().date())
    for service_id in ("willow-house", "ash-court"):
        office.do(office.registration(service_id, role_holders=(holder,)))

    asked(office, days=31)

    (told,) = missed(office)
    assert (told.notify, told.nobody_reachable) == (("leadership", "staff/its-token"), False)


def test_a_review_that_is_open_when_the_cadence_is_missed_is_overdue_until_it_is_closed(office: Office) -> None:
    review_id = governing.opened(office)["id"]

    asked(office, days=40)
    asked(office, days=7)

    assert [(one.times, one.governance_review_ids) for one in missed(office)] == [(2, (review_id,)), (3, (review_id,))]
    assert office.types().count("governance_review.overdue") == 1
    assert shown(office, review_id)["status"] == "overdue"
    assert governing.closed(office, review_id)["status"] == "closed"
    assert day(due(office)) == "2026-05-18"  # A month after it was closed.
    asked(office, days=29)
    assert len(missed(office)) == 2
    asked(office, days=5)
    assert [(one.times, one.notify[0]) for one in missed(office)[2:]] == [(1, "leadership")]


def test_a_service_that_was_down_for_years_tells_once_what_was_missed(office: Office) -> None:
    asked(office, days=31)

    asked(office, days=3650)
    asked(office)

    told = missed(office)
    assert [(one.times, day(one.scheduled_at), one.notify[0]) for one in told] == [
        (1, "2026-04-02", "leadership"),
        (522, "2026-04-09", "admin"),
    ]
    assert office.clock() < due(office) == told[-1].respond_by


def test_an_organisation_of_two_years_that_nobody_asked_for_a_review_is_told_of_it_once(office: Office) -> None:
    office.clock.go_on(days=731)
    for _ in range(2):
        asked(office)

    assert [(one.times, day(one.since or NOW), day(one.scheduled_at)) for one in missed(office)] == [
        (101, "2026-03-02", "2026-04-02")
    ]
    office.do(office.adoption({}, governance_cadence="P3M"))
    before = office.rows(timers)
    rebuild(office.house, office.organisation, "timers")
    assert office.rows(timers) == before
    assert audited(office)["findings"] == 0


def test_whoever_leads_many_services_is_found_in_one_query(office: Office) -> None:
    holder = RoleHolder("leadership", Reference("", "key", "its-token"), office.clock().date())
    for n in range(30):
        office.do(office.registration(f"house-{n}", role_holders=(holder,)))
    office.clock.go_on(days=31)
    asked_of: list[str] = []

    def heard(*told: Any) -> None:
        asked_of.append(told[2])

    event.listen(Engine, "before_cursor_execute", heard)
    try:
        asked(office)
    finally:
        event.remove(Engine, "before_cursor_execute", heard)

    (told,) = missed(office)
    assert told.notify == ("leadership", "staff/its-token")
    assert sum("FROM api_keys" in one and "role" in one for one in asked_of) <= 2


@pytest.mark.parametrize(
    ("cadence", "later", "due_on"),
    [("P3M", 0, "2026-06-02"), ("P7D", 0, "2026-03-09"), ("P7D", 10, "2026-03-12"), ("P1M", 10, "2026-04-02")],
    ids=["longer", "shorter", "shorter than has passed", "the same"],
)
def test_another_cadence_counts_from_where_the_former_did(
    office: Office, cadence: str, later: int, due_on: str
) -> None:
    office.clock.go_on(days=later)

    office.do(office.adoption({}, governance_cadence=cadence))

    assert day(due(office)) == due_on


def test_the_timer_asks_twice_and_early_and_nothing_goes_wrong(office: Office) -> None:
    asked(office, days=31)
    asked(office)
    asked(office, hours=1)

    assert len(missed(office)) == 1
    assert audited(office)["findings"] == 0
    with office.house.database.read() as connection:
        assert_intact(connection)


def test_the_auditor_misses_a_cadence_that_nobody_would_ask_for(office: Office) -> None:
    assert audited(office)["findings"] == 0

    with office.house.database.write() as connection:
        connection.execute(delete(timers).where(timers.c.kind == "governance_cadence"))

    assert audited(office)["findings"] == 1


def test_an_organisation_that_was_there_before_has_its_timer_as_if_it_had_it_from_its_beginning(
    office: Office,
) -> None:
    at_risk(office, three(office))
    three(office, service_id="ash-court")
    office.clock.go_on(days=20)
    office.do(office.adoption({}, governance_cadence="P14D", time_zone="Europe/London"))
    before = [office.rows(timers), office.rows(governance_carried)]
    with office.house.database.write() as connection:
        connection.execute(delete(timers).where(timers.c.kind == "governance_cadence"))
        connection.execute(delete(governance_carried))

        migration = migrated(ROOT / "alembic/versions/0011_governance.py")
        migration._expect(connection, office.organisation)
        migration._carry(connection, office.organisation)

    assert [office.rows(timers), office.rows(governance_carried)] == before
    assert len(before[1]) == 1


def migrated(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location("migration", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# The snapshot (S13)


def test_the_ledger_gives_a_frozen_snapshot_again_whatever_came_since(office: Office) -> None:
    office.do(office.registration("willow-house"))
    review_id = three(office)
    at_risk(office, review_id)
    action = {"description": "Name doses.", "owner": "manager-2", "due": "2026-04-01"}
    office.do(
        office.command(lambda desk, cause: reviewing.agree_action(desk, cause, reviewing.load(desk, review_id), action))
    )
    office.submit(service_id="ash-court", contributing_factors=["staffing"])
    first = governing.opened(office)
    (agreed,) = first["snapshot"]["open_actions"]
    of_one = governing.opened(office, services=["willow-house"])

    office.clock.go_on(hours=1)
    office.do(office.review_closure(review_id))
    office.do(
        office.command(
            lambda desk, cause: acting.complete(
                desk, cause, acting.load(desk, agreed["id"]), "2026-03-02", "The sheet of Monday."
            )
        )
    )
    three(office, deviation="late", occurred_at="2026-02-25T09:00:00Z")
    office.do(office.correction(office.submit()["id"], service_id="elm-lodge"))
    office.do(office.registration("ash-court"))
    office.do(office.adoption({"threshold": 9}, time_zone="America/New_York"))
    governing.closed(office, first["id"], *(one["id"] for one in office.escalations()), review_id)
    asked(office, days=200)

    for review in (first, of_one):
        assert reopened(office, review) == review["snapshot"] == shown(office, review["id"])["snapshot"]


def test_what_is_frozen_holds_no_words_of_people(office: Office) -> None:
    review_id = three(office, narrative="Nobody reads this.", person_ref="resident-31")
    office.do(office.review_closure(review_id, "action_agreed"))

    frozen = json.dumps(governing.opened(office)["snapshot"])

    assert [one for one in ("Nobody", "resident-31", "staff-7", "manager-2", "Name doses") if one in frozen] == []


def test_a_signal_that_nobody_answered_is_carried_in_and_gates_the_closing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the list of signals is laid in: how they come about stands in the tests of signals."""
    open_ones = [
        {"id": "sig_1", "kind": "rising", "service_id": "willow-house", "raised_at": "2026-03-01T00:00:00Z"},
        {"id": "sig_2", "kind": "drought", "service_id": "ash-court", "raised_at": "2026-03-01T00:00:00Z"},
    ]
    monkeypatch.setattr(signalling, "unanswered", lambda *_: list(open_ones))
    whole, of_one = governing.opened(office), governing.opened(office, services=["willow-house"])
    assert [[one["id"] for one in review["snapshot"]["signals"]] for review in (whole, of_one)] == [
        ["sig_1", "sig_2"],
        ["sig_1"],
    ]
    open_ones.append({**open_ones[0], "id": "sig_3"})  # Raised since: it waits for the next review.

    with pytest.raises(GateNotMet) as refusal:
        governing.closed(office, whole["id"])

    assert [(gate.code, gate.ids) for gate in refusal.value.gates] == [("signal_not_considered", ("sig_1", "sig_2"))]
    del open_ones[0]
    with pytest.raises(GateNotMet):
        governing.closed(office, whole["id"])
    del open_ones[0]
    assert governing.closed(office, whole["id"])["status"] == "closed"


def test_an_escalation_that_went_on_in_another_is_considered_with_that(office: Office) -> None:
    three(office)
    three(office, deviation="late")
    one, other = (escalation["id"] for escalation in office.escalations())
    review = governing.opened(office)

    office.do(office.command(lambda desk, cause: merging.merge(desk, cause, climbing.load(desk, one), other)))

    assert governing.closed(office, review["id"], other)["status"] == "closed"


def test_what_is_imported_as_history_is_in_no_governance_review(office: Office) -> None:
    for _ in range(3):
        office.house.ask(office.submission(as_history=True, occurred_at="2025-12-24T09:00:00Z"))
    assert [one["status"] for one in office.escalations()] == ["historical"]

    seen = snapshot(office, period_of(office, **{"from": "2025-12-01"}))

    assert (seen["escalations"], seen["services_affected"][0]["count"]) == ([], 3)


# What a review that was closed early has missed


def test_what_is_raised_after_a_review_was_closed_early_is_carried_until_a_closed_one_has_cited_it(
    office: Office,
) -> None:
    month = {"from": "2026-03-01", "to": "2026-04-01"}
    early = governing.opened(office, **month)
    governing.closed(office, early["id"])
    office.clock.go_on(days=3)
    for service_id in ("willow-house", "ash-court"):
        three(office, service_id=service_id, occurred_at="2026-03-05T09:00:00Z")
    here, there = (one["id"] for one in office.escalations())
    april = {"from": "2026-04-01", "to": "2026-05-01"}

    def carried(**changes: Any) -> list[tuple[str, bool]]:
        found = snapshot(office, period_of(office, **april, **changes))["escalations"]
        return [(one["id"], one.get("carried", False)) for one in found]

    assert carried() == [(here, True), (there, True)]
    assert carried(services=["ash-court"]) == [(there, True)]
    again = snapshot(office, period_of(office, **month))
    assert [(one["id"], "carried" in one) for one in again["escalations"]] == [(here, False), (there, False)]
    assert snapshot(office, period_of(office, **april), as_of=early["sequence"])["escalations"] == []

    of_one, whole = governing.opened(office, **april, services=["ash-court"]), governing.opened(office, **april)
    for review, left_out in ((of_one, (there,)), (whole, (here, there))):
        with pytest.raises(GateNotMet) as refusal:
            governing.closed(office, review["id"])
        assert [(gate.code, gate.ids) for gate in refusal.value.gates] == [("escalation_not_considered", left_out)]
    governing.closed(office, of_one["id"], there)
    assert carried() == [(here, True)]
    governing.closed(office, whole["id"], here, there)
    assert carried() == []
    for review in (of_one, whole):
        assert reopened(office, review) == review["snapshot"]


def test_what_is_raised_while_the_next_review_is_open_gates_that_too(office: Office) -> None:
    governing.closed(office, governing.opened(office, **{"from": "2026-03-01", "to": "2026-04-01"})["id"])
    following = governing.opened(office, **{"from": "2026-04-01", "to": "2026-05-01"})
    office.clock.go_on(days=3)
    three(office, occurred_at="2026-03-05T09:00:00Z")
    (escalation,) = office.escalations()

    with pytest.raises(GateNotMet) as refusal:
        governing.closed(office, following["id"])

    assert [gate.ids for gate in refusal.value.gates] == [(escalation["id"],)]


def test_a_review_of_elsewhere_or_one_closed_when_its_period_was_over_carries_nothing_on(office: Office) -> None:
    three(office, occurred_at="2026-03-02T08:00:00Z")
    (escalation,) = office.escalations()
    governing.closed(office, governing.opened(office)["id"], escalation["id"])
    elsewhere = governing.opened(office, **{"from": "2026-03-01", "to": "2026-04-01"}, services=["elm-lodge"])
    governing.closed(office, elsewhere["id"])
    office.clock.go_on(days=3)
    three(office, deviation="late", occurred_at="2026-03-05T09:00:00Z")

    assert snapshot(office, period_of(office, **{"from": "2026-04-01", "to": "2026-05-01"}))["escalations"] == []


def test_only_the_escalations_that_are_of_a_period_are_read_to_close_its_review(office: Office) -> None:
    three(office)
    review = governing.opened(office)
    office.clock.go_on(days=30)
    for deviation in ("late", "wrong_dose", "wrong_person"):
        three(office, deviation=deviation, occurred_at="2026-04-01T09:00:00Z")
    asked_of: list[Any] = []

    def heard(*told: Any) -> None:
        asked_of.append(told[3])

    event.listen(Engine, "before_cursor_execute", heard)
    try:
        with office.house.reader(office.organisation) as reader:
            opening = reader.told([f"governance_review/{review['id']}"])[f"governance_review/{review['id']}"][0].event
            found = matters_of(reader, opening)
    finally:
        event.remove(Engine, "before_cursor_execute", heard)

    ids = [one["id"] for one in office.escalations()]
    assert [one.id for one in found] == ids[:1]
    assert len(ids) == 4
    assert [one for one in ids[1:] if one in str(asked_of)] == []


# How large a snapshot becomes


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # A size is the same on any.
def test_a_provider_of_sixty_services_has_a_snapshot_of_bounded_size(office: Office) -> None:
    kinds = (("medication", "omitted"), ("records", "other"))
    jobs = [
        office.submission(
            as_history=True,
            service_id=f"service-{service:02d}",
            occurred_at=f"2026-{month:02d}-01T09:{service:02d}:00Z" if month < 3 else f"2025-{month:02d}-01T09:00:00Z",
            incident_type=incident_type,
            deviation=deviation,
            contributing_factors=["workload", "staffing"],
        )
        for service in range(60)
        for month in (1, 7)
        for incident_type, deviation in kinds
    ]
    for start in range(0, len(jobs), 240):
        answers_of(office.house.try_all(jobs[start : start + 240]))
    two_years = {"from": "2024-03-03", "to": "2026-03-03"}
    named = [f"service-{n:02d}" for n in range(50)]

    whole = snapshot(office, period_of(office, **two_years))
    of_fifty = governing.opened(office, **two_years, services=named)["snapshot"]

    for seen in (whole, of_fifty):
        assert len(json.dumps(seen, separators=(",", ":"))) < 256 * 1024
        says = [one["says"] for answer in seen["trends"] for one in answer["series"]]
        assert len(says) >= 50  # A sentence for every service, whatever was left out.
        assert seen["trends"][0]["series"][0]["points"]
    assert len(whole["services_affected"]) == 60
    assert whole["contributing_factors"][0]["other_services"] == 52
    assert of_fifty["left_out"].keys() >= {"charts", "trends", "weekly_points"}
    assert [one["filters"]["service_id"] for one in of_fifty["trends"] if one["group_by"] is None][::2][:2] == named[:2]


def test_what_a_snapshot_has_no_room_for_is_counted_and_the_first_are_kept() -> None:
    whole: dict[str, Any] = {name: [] for name in governance_bounds.SHARES}
    escalations = [{"id": f"esc_{n:032d}", "rule_id": "similar", "key": {"service_id": "x" * 128}} for n in range(2000)]

    kept = governance_bounds.bounded({**whole, "escalations": escalations})

    shown = kept["escalations"]
    assert shown == escalations[: len(shown)]
    assert 100 < len(shown) == 2000 - kept["left_out"]["escalations"]
    assert len(json.dumps(kept, separators=(",", ":"))) < 50 * 1024


# Who is told


def test_a_missed_cadence_and_a_closing_are_told_to_endpoints(office: Office) -> None:
    endpoint_id = register(office, "governance_review.overdue", "governance_review.closed")
    asked(office, days=31)
    review_id = governing.opened(office)["id"]
    asked(office, days=7)
    governing.closed(office, review_id)

    alone, again, ended = bodies(office, endpoint_id)

    sequences = [one.sequence for one in office.ledger() if one.type in (
        "governance_cadence.missed", "governance_review.closed",
    )]  # fmt: skip
    assert alone == {
        "type": "governance_review.overdue",
        "timestamp": "2026-04-02T10:00:00.000000Z",
        "data": {
            "status": "overdue",
            "level": 0,
            "respond_by": "2026-04-09T10:00:00.000000Z",
            "scheduled_at": "2026-04-02T10:00:00.000000Z",
            "sequence": sequences[0],
            "links": {"self": "/v1/governance-reviews"},
        },
    }
    assert (again["data"]["governance_review_id"], again["data"]["status"]) == (review_id, "overdue")
    assert again["data"]["links"] == ended["data"]["links"] == {"self": f"/v1/governance-reviews/{review_id}"}
    assert (ended["type"], ended["data"]["status"]) == ("governance_review.closed", "closed")
    for one in (again, ended):
        assert_thin(one)


# Rebuilding


@pytest.mark.parametrize("name", ["governance", "timers", "actions"])
def test_what_is_made_of_governance_is_made_of_the_ledger_again(name: str, office: Office) -> None:
    at_risk(office, three(office))
    asked(office, days=31)
    first = governing.opened(office, services=["willow-house"], localities=["north"])
    office.do(office.adoption({}, governance_cadence="P7D"))
    asked(office, days=9)
    governing.closed(office, first["id"], *(one["id"] for one in office.escalations()))
    office.do(office.adoption({}, governance_cadence="P10D"))
    governing.opened(office)
    tables = (timers, actions, governance_reviews, governance_review_places, governance_carried)
    before = [office.rows(table) for table in tables]

    rebuild(office.house, office.organisation, name)

    assert [office.rows(table) for table in tables] == before
