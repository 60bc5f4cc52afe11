"""Personal data is nowhere in clear, and erasing a key takes what it sealed and nothing else."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select

from app.database.tables import api_keys, data_keys, metadata, subjects
from app.domain.organisation import SCOPES
from app.domain.service import RoleHolder
from app.operations import keys
from app.operations.reporting import Sealer
from app.operations.show import Reader
from tests.office import LINK, Office, assert_intact, opened

ERASED = {"erased": True}
MARK = "Xq7Zv"
"""Begins every personal word of these tests; nothing of the house spells it by chance."""


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def private(what: str) -> str:
    return f"{MARK}-{what}-é"


def live_through(office: Office) -> list[str]:
    """Everything that can be said of people, said once, by somebody who is named."""
    somebody = office.person(private("actor"))
    ids = [
        office.submit(
            actor=somebody,
            narrative=private("narrative"),
            person_ref=private("person"),
            staff_involved=[{"ref": private("staff"), "role": "senior carer"}],
            source="emar",
            source_event_id=f"e-{n}",
            idempotency_key=f"key-{n}",
            workflow_link={**LINK, "deviation_from_plan": private("plan"), "corrective_action": private("corrective")},
        )["id"]
        for n in range(3)
    ]
    ids.append(office.submit(staff_involved=None, staff_not_known_reason=private("not-known"))["id"])
    office.do(office.correction(ids[0], private("reason"), narrative=private("second-narrative")))
    note = {name: {"status": "not_available", "note": private("note")} for name in ("scheduling", "travel_time")}
    office.do(office.link(ids[3], deviation_from_plan=private("linked"), mapped_against=note))
    office.do(office.withdrawal(ids[1], private("withdrawn")))
    office.do(office.duplicate(ids[2], ids[0], private("duplicate")))
    (escalation,) = office.escalations()
    office.do(office.review_closure(escalation["review_id"], "action_agreed"))
    single = office.submit(
        service_id="elm", workflow_link={**LINK, "stage_affected": "administer"}, narrative=private("single")
    )["id"]
    key = keys.new_key((SCOPES[0],), actor=private("key-actor"))
    office.do(office.command(lambda desk, cause: keys.create(desk, cause, key)))

    def register(desk: Any, cause: Any) -> None:
        from app.domain.service import Particulars
        from app.operations import settle

        holder = RoleHolder("manager", Sealer(desk).reference("staff", private("holder")), date(2026, 1, 1))
        said = Particulars("Elm", "care_home", role_holders=(holder,))
        settle.register_service(desk, cause, "elm", said, None)

    office.do(office.command(register))
    return [*ids, single]


def everything(connection: Connection) -> str:
    """Every value of every row of every table."""
    found: list[str] = []
    for table in metadata.sorted_tables:
        for row in connection.execute(select(table)):
            found += [bytes(value).decode("latin-1") if isinstance(value, bytes) else str(value) for value in row]
    return "\n".join(found)


def test_no_personal_word_stands_in_clear_in_any_table(office: Office) -> None:
    ids = live_through(office)

    with office.house.database.read() as connection:
        stored = everything(connection)
    assert ids[0] in stored
    assert MARK not in stored


def test_no_personal_word_stands_in_clear_in_the_sqlite_file(sqlite_url: str) -> None:
    with opened(sqlite_url) as office:
        live_through(office)
        path = office.house.settings.sqlite_path
        assert path is not None
        stored = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*") if file.is_file())

    assert b"willow-house" in stored
    assert MARK.encode() not in stored


def test_what_was_sealed_is_shown_in_clear(office: Office) -> None:
    near_miss_id = office.submit(narrative=private("narrative"), person_ref=private("person"))["id"]

    shown = office.near_miss(near_miss_id)

    assert shown["narrative"] == private("narrative")
    assert shown["person_ref"] == private("person")
    assert shown["staff_involved"] == [{"ref": "staff-7", "role": "senior carer"}]


def test_one_person_has_one_token_and_one_key_whoever_reports(office: Office) -> None:
    for n in range(3):
        office.submit(person_ref="resident-31", service_id=f"s{n}")
    office.submit(person_ref="resident-32")

    with office.house.database.read() as connection:
        tokens = connection.execute(select(subjects.c.token)).scalars().all()
    assert len(tokens) == 3  # Two residents, and staff-7.


def test_who_acts_is_named_by_token_and_can_be_told_by_whoever_holds_the_keys(office: Office) -> None:
    somebody = office.person("nurse-9")

    office.submit(actor=somebody)

    assert office.ledger()[-1].actor == somebody.name
    assert "nurse-9" not in somebody.name
    with office.house.database.read() as connection:
        row = connection.execute(select(subjects).where(subjects.c.token == somebody.token)).one()
        opener = office.house.vault.opener(connection, "default", [row.key_id])
        from app.domain.sealed import Reference

        assert opener(Reference(row.sealed, row.key_id, row.token)) == "nurse-9"


def test_a_key_that_names_its_actor_names_the_same_one_as_the_header_would(office: Office) -> None:
    key = keys.new_key(("near-misses:write",), actor="nurse-9")

    office.do(office.command(lambda desk, cause: keys.create(desk, cause, key)))

    principal = office.house.keys.recognise(key.secret)
    assert principal is not None
    assert principal.actor == office.person("nurse-9").name
    with office.house.database.read() as connection:
        assert "nurse-9" not in str(connection.execute(select(api_keys)).all())


# Erasing


def erase(office: Office, key_ids: set[str]) -> None:
    with office.house.database.write() as connection:
        connection.execute(delete(data_keys).where(data_keys.c.key_id.in_(key_ids)))
    office.house.vault.forget()


def key_of(office: Office, near_miss_id: str, field: str) -> str:
    import json

    (event,) = [one for one in office.ledger() if one.stream == f"near_miss/{near_miss_id}" and one.version == 1]
    return json.loads(event.payload)["report"][field]["key"]


def test_an_erased_word_is_shown_as_erased_and_every_leaf_stays_true(office: Office) -> None:
    near_miss_id = office.submit(narrative=private("narrative"), person_ref=private("person"))["id"]
    before = office.root()

    erase(office, {key_of(office, near_miss_id, "narrative")})

    shown = office.near_miss(near_miss_id)
    assert shown["narrative"] == ERASED
    assert shown["person_ref"] == private("person")
    assert office.root() == before
    with office.house.database.read() as connection:
        assert_intact(connection)


def test_an_erased_person_is_erased_from_every_record_and_from_no_count(office: Office) -> None:
    ids = [office.submit(person_ref="resident-31", service_id=f"s{n}")["id"] for n in range(2)]

    erase(office, {key_of(office, ids[0], "person_ref")})

    assert [office.near_miss(one)["person_ref"] for one in ids] == [ERASED, ERASED]
    third = office.submit(service_id="s3")
    assert third["staff_involved"] == [{"ref": "staff-7", "role": "senior carer"}]


def test_a_person_who_was_erased_can_be_reported_about_again(office: Office) -> None:
    first = office.submit(person_ref="resident-31", service_id="s1")["id"]
    erase(office, {key_of(office, first, "person_ref")})

    again = office.submit(person_ref="resident-31", service_id="s2")["id"]

    assert office.near_miss(first)["person_ref"] == ERASED
    assert office.near_miss(again)["person_ref"] == "resident-31"
    checks = {rule["rule_id"]: rule for rule in office.near_miss(again)["similarity_check"]["rules"]}
    assert checks["same-person"]["matched_ids"] == [first]


def test_an_escalation_outlives_the_erasure_of_everybody_in_it(office: Office) -> None:
    for n in range(3):
        office.submit(person_ref=f"resident-{n}", narrative="Seen.")
    with office.house.database.read() as connection:
        every = set(connection.execute(select(data_keys.c.key_id)).scalars())

    erase(office, every)

    (escalation,) = office.escalations()
    assert [member["kind"] for member in escalation["members"]] == ["member"] * 3
    fourth = office.submit()
    assert fourth["escalation_ids"] == [escalation["id"]]
    with office.house.database.read() as connection:
        reader = Reader(connection, office.house.vault, "default")
        assert reader.near_misses([escalation["members"][0]["near_miss_id"]])[0]["narrative"] == ERASED


def test_what_a_former_process_knew_of_people_is_found_again(database_url: str) -> None:
    with opened(database_url) as office:
        near_miss_id = office.submit(staff_involved=[{"ref": "staff-7"}, {"ref": "staff-8"}])["id"]

    with opened(database_url) as office:
        changed = office.do(office.correction(near_miss_id, staff_involved=[{"ref": "staff-8"}, {"ref": "staff-9"}]))
        office.do(office.command(lambda _desk, _cause: None, actor=office.person("staff-7")))
        with office.house.database.read() as connection:
            people = connection.execute(select(subjects)).all()

    assert changed["staff_involved"] == [{"ref": "staff-8"}, {"ref": "staff-9"}]
    assert len(people) == 3
