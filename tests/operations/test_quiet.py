"""Sources that are expected to speak: heard in what is recorded, asked for by a timer, told once when silent."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import delete, update

from app.database.tables import followers, heard_sources, timers
from app.domain.intake import Finding, Received
from app.domain.near_miss import Recorded
from app.domain.sealed import Reference, SealedText
from app.domain.service import RoleHolder
from app.domain.source import Declare
from app.events.codec import decode
from app.events.codec import told as decoded
from app.events.sealing import token
from app.events.store import Draft
from app.operations import quiet
from app.operations.attending import Attendant
from app.operations.audit import Auditor
from app.operations.quiet import NEVER, last_heard
from app.operations.rebuild import rebuild
from app.operations.tick import LEASE, tick
from app.projections.heard import speaker
from tests.journeys.inside import opened as opened_inside
from tests.journeys.ward import pointers
from tests.office import Office, assert_intact, opened
from tests.operations.test_audit import NOW, audited


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def declared(office: Office, name: str = "emar", every: str | None = "P1D", **said: Any) -> dict[str, Any]:
    command = Declare(name, every, **said)
    return office.do(
        office.command(lambda desk, cause: quiet.declare(desk, cause, name, command, None), name, quiet.show)
    )


def shown(office: Office, name: str = "emar") -> dict[str, Any]:
    with office.house.reader(office.organisation) as reader:
        return quiet.show(reader, name)


def told(office: Office, name: str = "emar") -> list[str]:
    """What the source's stream has told."""
    return [one.type.removeprefix("source.") for one in office.ledger() if one.stream == f"source/{name}"]


def asked(office: Office, **later: float) -> None:
    """The clock goes on, and a worker has what is due asked."""
    office.clock.go_on(**later)
    tick(office.house, "worker", NOW)


def received(office: Office, source: str) -> None:
    """Something came in that is no near miss."""
    finding = Finding("not_a_near_miss", "inside_tolerance", 1)
    event = Received(
        source,
        "e-1",
        "care.emar.administration.v1",
        "events",
        fingerprint="f",
        read_as="r",
        sent=SealedText("", ""),
        finding=finding,
    )
    office.do(office.command(lambda desk, cause: desk.append(cause, [Draft("intake/int_1", 0, [event])])))


def deadlines(office: Office) -> list[str]:
    return [row[2] for row in office.rows(timers) if row[1] == "source"]


def test_a_source_that_speaks_in_time_writes_nothing_of_it_until_it_is_asked_for(office: Office) -> None:
    declared(office)
    office.clock.go_on(hours=20)
    office.submit(source="emar", source_event_id="e-1")
    assert told(office) == ["declared"]

    asked(office, hours=4)

    assert told(office) == ["declared", "heard"]
    assert shown(office) == {
        "source": "emar",
        "expected_every": "P1D",
        "status": "active",
        "last_heard_at": "2026-03-03T06:00:00.000000Z",
        "next_due": "2026-03-04T06:00:00.000000Z",
        "version": 2,
    }
    asked(office, hours=19)
    assert told(office) == ["declared", "heard"]


def test_a_source_gone_quiet_is_told_once_to_the_managers_of_its_service(office: Office) -> None:
    manager = RoleHolder("manager", holder(office), office.clock().date())
    office.do(office.registration("willow-house", aliases=("W-1",), role_holders=(manager,)))
    declared(office, service_id="W-1")

    for _ in range(3):
        asked(office, hours=25)

    assert told(office) == ["declared", "silent"]
    silent = decode(next(one for one in office.ledger() if one.type == "source.silent"))
    assert silent.notify == ("manager", f"staff/{manager.ref.token}")
    assert (silent.service_id, silent.nobody_reachable, silent.last_heard_at) == ("willow-house", False, None)
    assert silent.scheduled_at == silent.due_at
    assert shown(office)["status"] == "silent"
    assert shown(office)["silent_since"] == "2026-03-02T10:00:00.000000Z"
    assert "next_due" not in shown(office)
    assert deadlines(office) == []


def holder(office: Office) -> Reference:
    """A manager as the register names one, sealed."""
    its_token = token(office._pepper, "staff", "manager-2")
    return Reference("", "key", its_token)


def test_whoever_was_silent_and_speaks_again_is_expected_again_and_told_anew_when_it_falls_silent(
    office: Office,
) -> None:
    declared(office)
    asked(office, days=2)
    office.clock.go_on(hours=5)
    office.submit(source="emar", source_event_id="e-1")
    assert shown(office)["status"] == "active"  # Seen in the ledger, before anybody told it.
    office.follow()

    assert Attendant(office.house).attend() == 1
    office.follow()
    assert Attendant(office.house).attend() == 0

    assert told(office) == ["declared", "silent", "spoke_again"]
    assert shown(office)["next_due"] == "2026-03-05T15:00:00.000000Z"
    asked(office, days=2)
    assert told(office) == ["declared", "silent", "spoke_again", "silent"]
    assert shown(office)["silent_since"] == "2026-03-04T15:00:00.000000Z"


def test_what_was_heard_before_the_silence_was_told_does_not_end_it(office: Office) -> None:
    office.submit(source="emar", source_event_id="e-1")
    declared(office)
    asked(office, days=2)

    office.do(office.command(lambda desk, cause: quiet.speak_again(desk, cause, "emar")))

    assert told(office) == ["declared", "silent"]


def test_two_workers_that_notice_it_tell_it_once(office: Office) -> None:
    declared(office)
    asked(office, days=2)
    office.submit(source="emar", source_event_id="e-1")
    office.follow()

    assert Attendant(office.house).attend() == Attendant(office.house).attend() == 1  # Nobody has followed in between.

    assert told(office) == ["declared", "silent", "spoke_again"]


def test_what_comes_in_and_is_no_near_miss_is_heard_too(office: Office) -> None:
    declared(office)
    office.clock.go_on(hours=20)
    received(office, "emar")

    asked(office, hours=4)

    assert told(office) == ["declared", "heard"]
    office.follow()
    assert shown(office)["last_heard_at"] == "2026-03-03T06:00:00.000000Z"


@pytest.mark.parametrize(
    "particulars",
    [
        {"source": "rota", "source_event_id": "e-1"},
        {"source": "EMAR", "source_event_id": "e-1"},
        {"attributes": {"source": "emar"}},
        {"source": "emar", "source_event_id": "e-1", "as_history": True, "intake": True},
    ],
)
def test_nothing_else_is_heard_as_this_source(office: Office, particulars: dict[str, Any]) -> None:
    declared(office)
    office.clock.go_on(hours=20)
    office.submit(**particulars)

    asked(office, hours=4)

    assert told(office) == ["declared", "silent"]


def test_a_person_who_types_in_what_a_silent_source_should_have_sent_does_not_speak_for_it(office: Office) -> None:
    declared(office)
    asked(office, days=2)

    office.submit(source="emar", source_event_id="e-1", actor=office.person("manager-2"))

    assert shown(office)["status"] == "silent"
    office.follow()
    assert Attendant(office.house).attend() == 0
    assert told(office) == ["declared", "silent"]
    assert shown(office)["status"] == "silent"


def test_what_is_read_again_of_what_a_silent_source_sent_long_ago_does_not_speak_for_it(database_url: str) -> None:
    with opened_inside(database_url) as inside:
        ward = inside.ward
        dose = {
            "specversion": "1.0",
            "id": "d-1",
            "source": "emar",
            "type": "care.emar.administration.v1",
            "data": {
                "service_id": "willow-house",
                "person_ref": "resident-31",
                "staff_ref": "staff-7",
                "medicine": "paracetamol",
                "scheduled_at": "2026-03-02T08:00:00Z",
                "status": "MISSED-X",
            },
        }
        taken = ward.post("/v1/events", dose, 202)
        ward.put("/v1/sources/emar", {"expected_every": "P1D"})
        rules = ward.get("/v1/recognition")
        ward.put("/v1/recognition", {"dose_statuses": {**rules["dose_statuses"], "missed-x": "not_delivered"}})
        inside.clock.advance(days=2)
        ward.submit()  # What is due goes first.
        assert ward.get("/v1/sources/emar")["status"] == "silent"

        read_again = ward.post(f"/v1/intake-records/{taken['intake_record_id']}/replay", {})

        assert read_again["status"] == "recognised"
        assert ward.get("/v1/sources/emar")["status"] == "silent"
        assert ward.get("/v1/sources/emar")["last_heard_at"] == "2026-03-02T10:00:00.000000Z"


def test_everything_of_a_batch_is_heard(office: Office) -> None:
    for name in ("emar", "rota"):
        declared(office, name)
    asked(office, days=2)

    office.house.try_all([office.submission(source=name, source_event_id="1") for name in ("emar", "rota")])

    assert [shown(office, name)["status"] for name in ("emar", "rota")] == ["active", "active"]


def test_a_resend_that_is_known_already_is_not_heard(office: Office) -> None:
    office.submit(source="emar", source_event_id="e-1")
    declared(office)
    office.clock.go_on(hours=20)
    assert office.house.ask(office.submission(source="emar", source_event_id="e-1")).status == 200

    asked(office, hours=4)

    assert told(office) == ["declared", "silent"]


@pytest.mark.parametrize("follows", [True, False])
def test_what_was_heard_last_is_known_wherever_the_follower_is(office: Office, follows: bool) -> None:
    for n in range(3):
        office.clock.go_on(hours=1)
        office.submit(source='a "strange"/näme_%', source_event_id=f"e-{n}")
        office.submit(source="another", source_event_id=f"e-{n}")
        if follows and n == 1:
            office.follow()

    with office.house.database.read() as connection:
        heard = last_heard(connection, "default", 'a "strange"/näme_%')
        assert last_heard(connection, "default", "a_strange") is NEVER

    sequences = [one.sequence for one in office.ledger() if one.type == "near_miss.recorded"]
    assert heard is not None
    assert heard.sequence == sequences[-2]


def test_a_timer_is_left_unanswered_while_the_follower_is_far_behind(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared(office)
    monkeypatch.setattr(quiet, "MOST_BEHIND", 0)
    asked(office, days=2)
    assert told(office) == ["declared"]
    assert deadlines(office) == ["emar"]

    office.follow()
    tick(office.house, "another", NOW + LEASE)  # It is asked again once the lease has run out.

    assert told(office) == ["declared", "silent"]


def test_a_command_on_a_source_comes_after_what_was_due_of_it(office: Office) -> None:
    declared(office)
    office.clock.go_on(days=2)

    declared(office, description="The eMAR of the ground floor.")

    assert told(office) == ["declared", "silent", "declared"]
    assert shown(office)["status"] == "silent"


def test_a_silent_source_is_accounted_for_and_a_timer_that_is_gone_is_named(office: Office) -> None:
    declared(office)
    auditor = Auditor(office.house)
    assert audited(office, auditor)["findings"] == 0
    asked(office, days=2)
    assert audited(office, auditor)["findings"] == audited(office)["findings"] == 0
    declared(office, every=None)
    assert audited(office, auditor)["findings"] == 0
    declared(office)
    assert audited(office, auditor)["findings"] == 0

    with office.house.database.write() as connection:
        connection.execute(delete(timers).where(timers.c.kind == "source"))

    assert audited(office, auditor)["findings"] == 1


def weeks_of_sources(office: Office) -> None:
    """Some speak, some fall silent, one speaks again; and the service records a breach, as no source of its own."""
    declared(office)
    declared(office, "rota", every="P2D")
    declared(office, "gone", every=None)
    for n in range(7):
        office.submit(source="emar" if n < 3 else "sensor", source_event_id=f"e-{n}")
        office.submit()
        asked(office, days=1)
        office.follow()
        Attendant(office.house).attend()
    asked(office, days=9)
    assert '"source":"forewarn"' in "".join(one.payload for one in office.ledger())
    office.submit(source="rota", source_event_id="r-1")
    office.follow()
    Attendant(office.house).attend()
    office.follow()


def test_what_is_known_of_sources_is_made_of_the_ledger_again(office: Office) -> None:
    weeks_of_sources(office)
    before, due = office.rows(heard_sources), office.rows(timers)
    assert [row[1] for row in before] == ["emar", "gone", "rota", "sensor"]

    rebuild(office.house, office.organisation, "heard_sources")
    rebuild(office.house, office.organisation, "timers")

    assert office.rows(heard_sources) == before
    assert office.rows(timers) == due
    assert {row[1]: row[5] is not None for row in before} == {
        "emar": True,
        "gone": False,
        "rota": False,
        "sensor": False,
    }
    with office.house.database.read() as connection:
        assert_intact(connection)


def test_the_table_says_what_the_ledger_says(office: Office) -> None:
    weeks_of_sources(office)
    last: dict[str, int] = {}
    for one in office.ledger():
        if (name := speaker(decoded(one))) is not None:
            last[name] = one.sequence

    assert {row[1]: row[4] for row in office.rows(heard_sources) if row[4] is not None} == last
    assert all(isinstance(decode(one), Recorded) for one in office.ledger() if one.sequence in last.values())


def test_a_follower_that_begins_anew_finds_the_same(office: Office) -> None:
    weeks_of_sources(office)
    before = office.rows(heard_sources)
    with office.house.database.write() as connection:
        connection.execute(delete(heard_sources))
        connection.execute(update(followers).where(followers.c.name == "heard_sources").values(position=0))

    office.follow()

    assert office.rows(heard_sources) == before


def test_over_http_sources_are_declared_listed_and_let_go(database_url: str) -> None:
    with opened_inside(database_url) as inside:
        ward = inside.ward
        ward.submit(source="//cloud/events?tenant=1", source_event_id="e-1")
        first = ward.put("/v1/sources/emar:willow/ground", {"expected_every": "P1D", "service_id": "willow-house"})
        assert first["next_due"] == "2026-03-03T10:00:00.000000Z"

        inside.clock.advance(days=2)
        ward.submit()  # What is due goes first.

        silent, heard = ward.get("/v1/sources")["items"]
        assert (silent["status"], silent["silent_since"]) == ("silent", "2026-03-02T10:00:00.000000Z")
        assert heard == {
            "source": "//cloud/events?tenant=1",
            "status": "active",
            "last_heard_at": "2026-03-02T10:00:00.000000Z",
            "version": 0,
        }
        assert ward.get("/v1/sources/emar:willow/ground") == silent
        assert ward.get("/v1/sources", limit=1)["items"] == [silent]
        (notice,) = ward.get("/v1/notices", service_id="willow-house", to="manager")["items"]
        assert (notice["why"], notice["subject"]) == ("source_silent", {"kind": "source", "id": "emar:willow/ground"})
        assert ward.get(notice["links"]["self"]) == silent
        assert "status" in ward.get("/v1/sources///cloud/events%3Ftenant%3D1")

        ward.ask("DELETE", "/v1/sources/emar:willow/ground", expect=412, **{"If-Match": '"1"'})
        gone = ward.ask("DELETE", "/v1/sources/emar:willow/ground", expect=200)
        assert gone == {"source": "emar:willow/ground", "service_id": "willow-house", "status": "active", "version": 3}
        ward.ask("DELETE", "/v1/sources/nobody", expect=404)
        ward.get("/v1/sources/nobody", expect=404)
        assert inside.other.get("/v1/sources")["items"] == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/expected_every"),
        ({"expected_every": "a day"}, "/expected_every"),
        ({"expected_every": "PT1S"}, "/expected_every"),
        ({"expected_every": 86400}, "/expected_every"),
        ({"expected_every": "P1D", "service_id": ""}, "/service_id"),
        ({"expected_every": "P1D", "every": "P1D"}, "/every"),
    ],
)
def test_a_declaration_that_cannot_be_kept_is_refused(body: dict[str, Any], pointer: str, sqlite_url: str) -> None:
    with opened_inside(sqlite_url) as inside:
        assert pointers(inside.ward.put("/v1/sources/emar", body, expect=422)) == {pointer}
        assert pointers(inside.ward.put("/v1/sources/%20", {"expected_every": None}, expect=422)) == {"/path/source"}
