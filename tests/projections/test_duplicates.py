"""What is proposed is what the records look like, wherever pages end and however often it is made anew."""

import random
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from sqlalchemy import delete, update

from app.database.tables import duplicate_proposals, followers, occurrence_refs, occurrences, timers, window_entries
from app.domain import duplicate_rule, near_miss
from app.domain.decider import Refused
from app.domain.likeness import Occurrence, likeness
from app.domain.moment import parse_moment
from app.domain.near_miss import NearMiss
from app.domain.zones import zone
from app.events.codec import decode
from app.operations import duplicating, follow, settle
from app.operations import rebuild as rebuilding
from app.operations.attending import Attendant
from app.operations.audit import Auditor
from app.operations.rebuild import rebuild
from app.projections.duplicates import COLUMNS, Proposal, proposal_id_of
from app.projections.occurrences import Row
from tests.office import Office, assert_intact, current, opened
from tests.operations.test_audit import audited

MEMBER = {"deviation": "late", "person_ref": "resident-31"}
TABLES = (occurrences, occurrence_refs, duplicate_proposals)


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def proposals(office: Office) -> list[Proposal]:
    office.follow()
    return [Proposal._make(row[1:]) for row in office.rows(duplicate_proposals)]


def deciding(office: Office, proposal_id: str, step: str) -> None:
    def run(desk: Any, cause: Any) -> None:
        pair = duplicating.load(desk, proposal_id)
        match step:
            case "confirm":
                duplicating.confirm(desk, cause, pair, None, None)
            case "turn round":
                duplicating.confirm(desk, cause, pair, pair.later.near_miss_id, None)
            case "dismiss":
                duplicating.dismiss(desk, cause, pair, "Two doses.")
            case _:
                duplicating.undo(desk, cause, pair, "Two doses.")

    office.do(office.command(run, proposal_id))


def counted(office: Office) -> set[str]:
    """The near misses that the rule `similar` counts now."""
    return {row[5] for row in current(office.rows(window_entries)) if row[1] == "similar"}


def adopting(office: Office, **rule: Any) -> None:
    command = duplicate_rule.Adopt(**rule)
    office.do(office.command(lambda desk, cause: settle.adopt_duplicate_rule(desk, cause, command, None)))


def a_day_of_two_systems(office: Office, seed: int) -> None:
    """Reports, corrections and decisions at random; now and then somebody follows."""
    chance = random.Random(seed)
    ids: list[str] = []
    for n in range(45):
        roll = chance.random()
        try:
            if roll < 0.5 or not ids:
                at = f"2026-03-02T08:{chance.randrange(0, 40):02d}:00Z" if chance.random() < 0.95 else "2026-03-02"
                told = office.submit(
                    source=chance.choice(["emar", "rota", "sensor", None]),
                    source_event_id=None,
                    occurred_at=at,
                    person_ref=chance.choice(["p1", "p1", "p2", None]),
                    staff_involved=[{"ref": chance.choice(["s1", "s2"])}],
                    incident_type="medication",
                    deviation=chance.choice(["late", "omitted", "wrong_dose", None]),
                )
                ids.append(told["id"])
            elif roll < 0.6:
                office.do(office.correction(chance.choice(ids), occurred_at=f"2026-03-02T08:{n % 40:02d}:00Z"))
            elif roll < 0.65:
                office.do(office.correction(chance.choice(ids), person_ref=chance.choice(["p1", "p2"])))
            elif roll < 0.7:
                office.do(office.withdrawal(chance.choice(ids)))
            elif roll < 0.95:
                if known := sorted(proposals(office), key=lambda one: (one.later_sequence, one.earlier_sequence)):
                    step = chance.choice(["confirm", "turn round", "confirm", "undo", "undo", "dismiss"])
                    fitting = [one for one in known if (one.status == "confirmed") is (step == "undo")]
                    deciding(office, chance.choice(fitting or known).proposal_id, step)
            else:
                adopting(office, within=chance.choice(["PT30M", "PT10M"]), propose_at=chance.choice([0.6, 0.7]))
        except Refused:
            pass  # What may not be is refused; what is refused changes nothing.


def expected(office: Office) -> dict[str, tuple[str, float | None]]:
    """Proposal → its status, and the score of what is only proposed; told by the ledger alone, pair by pair."""
    states: dict[str, NearMiss] = {}
    order: list[str] = []
    said: dict[str, str] = {}
    changed: dict[str, int] = {}
    rules: list[tuple[int, Any]] = [(0, duplicate_rule.INITIAL)]
    for one in office.ledger():
        event = decode(one)
        if isinstance(event, duplicate_rule.Adopted):
            rules.append((one.sequence, duplicate_rule.evolve(duplicate_rule.INITIAL, event)))
        if one.kind != "near_miss":
            continue
        before = states.get(one.subject, near_miss.UNRECORDED)
        if before.report is None:
            order.append(one.subject)
        states[one.subject] = near_miss.evolve(before, event)
        if not _is_the_same(before, states[one.subject]):
            changed[one.subject] = one.sequence
        other = getattr(event, "duplicate_of", None) or getattr(event, "other_id", None)
        if other is not None:
            earlier, later = sorted((one.subject, other), key=order.index)
            said[proposal_id_of(earlier, later)] = one.type.rpartition(".")[2]
    found: dict[str, tuple[str, float | None]] = {}
    for earlier, later in combinations(order, 2):
        rule = next(it for at, it in reversed(rules) if at < max(changed[earlier], changed[later]))
        if states[earlier].counts and states[later].counts:
            like = likeness(_occurrence(states[earlier]), _occurrence(states[later]), rule.within)
            if like.against is None and like.score >= rule.propose_at:
                found[proposal_id_of(earlier, later)] = ("proposed", like.score)
    words = {"marked_duplicate": "confirmed", "duplicate_undone": "undone", "duplicate_dismissed": "dismissed"}
    return found | {one: (words[it], None) for one, it in said.items()}


def _is_the_same(before: NearMiss, after: NearMiss) -> bool:
    if before.report is None:
        return False
    return before.counts == after.counts and _occurrence(before) == _occurrence(after)


def _occurrence(state: NearMiss) -> Occurrence:
    report = state.report
    assert report is not None
    return Occurrence(
        state.source.source if state.source else None,
        report.service_id,
        parse_moment(report.occurred_at, zone(report.zone)),
        report.incident_type,
        report.deviation,
        frozenset({report.person_ref.token} if report.person_ref else ()),
        frozenset(one.ref.token for one in report.staff_involved),
    )


@pytest.mark.parametrize("seed", [3, 8])
def test_what_is_proposed_is_what_every_pair_of_records_looks_like(seed: int, office: Office) -> None:
    a_day_of_two_systems(office, seed)

    found = {
        one.proposal_id: (one.status, one.score if one.status == "proposed" else None) for one in proposals(office)
    }

    assert found == expected(office)
    assert {status for status, _ in found.values()} >= {"proposed", "undone"}
    with office.house.database.read() as connection:
        assert_intact(connection)


@pytest.mark.parametrize("pages", [1, 3, 1000])
def test_where_pages_end_makes_no_difference(pages: int, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    a_day_of_two_systems(office, 7)
    office.follow()
    before = [office.rows(table) for table in TABLES]

    monkeypatch.setattr(rebuilding, "PAGE", pages)
    rebuild(office.house, office.organisation, "duplicates")
    assert [office.rows(table) for table in TABLES] == before

    with office.house.database.write() as connection:
        for table in TABLES:
            connection.execute(delete(table))
        connection.execute(update(followers).where(followers.c.name == "duplicates").values(position=0))
    monkeypatch.setattr(follow, "PAGE", pages)
    office.follow()
    assert [office.rows(table) for table in TABLES] == before


def test_windows_and_timers_are_made_of_the_ledger_again_and_all_is_accounted_for(office: Office) -> None:
    auditor = Auditor(office.house)
    assert audited(office, auditor)["findings"] == 0
    a_day_of_two_systems(office, 4)
    assert "near_miss.duplicate_undone" in office.types()
    before = [office.rows(table) for table in (window_entries, timers)]

    for name in ("windows", "timers", "register", "heatmap"):
        rebuild(office.house, office.organisation, name)

    assert [office.rows(table) for table in (window_entries, timers)] == before
    assert audited(office, auditor)["findings"] == audited(office)["findings"] == 0


@pytest.mark.parametrize("order", [("rota", "emar", "emar"), ("emar", "rota", "emar"), ("emar", "emar", "rota")])
def test_the_rule_makes_two_doses_of_one_visit_into_one_in_no_order(order: tuple[str, ...], office: Office) -> None:
    adopting(office, confirm_at=0.85)
    ids = [office.submit(source=source, source_event_id=str(n), **MEMBER)["id"] for n, source in enumerate(order)]
    attendant = Attendant(office.house)

    for _ in range(3):
        office.follow()
        attendant.attend()

    assert sorted(office.near_miss(one)["status"] for one in ids).count("duplicate") == 1
    assert len(counted(office)) == 2
    statuses = sorted(one.status for one in proposals(office))
    assert statuses in (["confirmed"], ["confirmed", "proposed"])
    assert attendant.attend() == 0
    if "proposed" in statuses:  # A person may know that it was one.
        deciding(office, next(one.proposal_id for one in proposals(office) if one.status == "proposed"), "confirm")
        assert len(counted(office)) == 1


def test_a_record_with_a_dose_counted_as_it_is_not_made_a_duplicate_of_another_dose_by_the_rule(office: Office) -> None:
    first = office.submit(source="emar", source_event_id="1", **MEMBER)["id"]
    rota = office.submit(source="rota", source_event_id="1", **MEMBER)["id"]
    second = office.submit(source="emar", source_event_id="2", **MEMBER)["id"]
    office.do(office.duplicate(second, rota))
    adopting(office, confirm_at=0.85)
    assert sorted(one.status for one in proposals(office)) == ["confirmed", "proposed"]

    Attendant(office.house).attend()

    assert counted(office) == {first, rota}


def test_when_a_master_is_withdrawn_what_was_counted_as_it_counts_again(office: Office) -> None:
    emar = office.submit(source="emar", source_event_id="1", **MEMBER)["id"]
    rota = office.submit(source="rota", source_event_id="1", **MEMBER)["id"]
    office.do(office.duplicate(rota, emar))
    assert counted(office) == {emar}

    office.do(office.withdrawal(emar, "Another resident's chart."))

    assert counted(office) == {rota}
    assert [office.near_miss(one)["status"] for one in (emar, rota)] == ["withdrawn", "awaiting_workflow_link"]
    assert "other_sources" not in office.near_miss(emar)
    undone = next(one for one in office.ledger() if one.type == "near_miss.duplicate_undone")
    assert (
        undone.correlation_id == next(one for one in office.ledger() if one.type.endswith("withdrawn")).correlation_id
    )
    assert [one.status for one in proposals(office)] == ["undone"]
    before = office.rows(window_entries)
    rebuild(office.house, office.organisation, "windows")
    assert office.rows(window_entries) == before
    length = len(office.ledger())
    office.do(office.withdrawal(emar))
    assert len(office.ledger()) == length  # Asking twice changes nothing.


def test_the_one_that_takes_its_masters_place_is_never_counted_beside_it(office: Office) -> None:
    emar = office.submit(source="emar", source_event_id="1", **MEMBER)["id"]
    rota = office.submit(source="rota", source_event_id="1", **MEMBER)["id"]
    office.do(office.duplicate(rota, emar))
    office.submit(source="emar", source_event_id="2", **MEMBER)

    office.do(office.withdrawal(emar))

    assert len(counted(office)) == 2
    assert office.escalations() == []


def test_through_a_chain_of_duplicates_an_occurrence_is_counted_once_whoever_is_withdrawn(office: Office) -> None:
    sensor, rota, emar = (
        office.submit(source=source, source_event_id="1", **MEMBER)["id"] for source in ("sensor", "rota", "emar")
    )
    office.do(office.duplicate(sensor, rota))
    office.do(office.duplicate(rota, emar))
    assert counted(office) == {emar}
    with pytest.raises(near_miss.AlreadyWithdrawn):
        office.do(office.withdrawal(rota))

    office.do(office.withdrawal(emar))
    assert counted(office) == {rota}
    assert [one["source"] for one in office.near_miss(rota)["other_sources"]] == ["sensor"]

    office.do(office.withdrawal(rota))
    assert counted(office) == {sensor}
    assert "other_sources" not in office.near_miss(rota)


def test_a_record_that_was_imported_as_history_is_compared_too(office: Office) -> None:
    office.submit(source="emar", source_event_id="1", as_history=True, intake=True, **MEMBER)
    office.submit(source="rota", source_event_id="1", **MEMBER)

    assert [one.status for one in proposals(office)] == ["proposed"]


def test_what_the_service_records_itself_is_a_duplicate_of_nothing(office: Office) -> None:
    for _ in range(3):
        office.submit(source="emar")
    office.clock.go_on(days=15)
    office.submit(source="emar", incident_type="escalation", deviation="late", occurred_at="2026-03-16T10:00:00Z")

    assert '"source":"forewarn"' in "".join(one.payload for one in office.ledger())
    assert proposals(office) == []


def test_a_row_is_read_in_the_order_in_which_it_is_written() -> None:
    assert [column.name for column in COLUMNS] == list(Proposal._fields)
    assert [column.name for column in occurrences.c][1:] == list(Row._fields)
