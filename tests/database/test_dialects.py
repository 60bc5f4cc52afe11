"""The hot statements say the same on both databases, whatever stands in the values."""

import math
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from app.database.dialects import postgresql, sqlite
from app.database.engine import Database
from app.database.prefetch import Ask, CommandKey, Range, SourceKey
from app.database.tables import (
    FOR_EVER,
    commands,
    data_keys,
    escalation_members,
    escalations,
    events,
    ledgers,
    sources,
    subjects,
    timers,
    window_entries,
)
from app.projections.rows import Rows
from app.settings import Settings

AWKWARD = ["", '"', "\\", "{", "}", ",", "NULL", "null", "a\nb", "'", "é😀", " ", '","', "\\N", "%s", ":x", "?"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8) | st.sampled_from(
    AWKWARD
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(Settings(database_url=database_url))
    yield database
    database.close()


def dialect_of(database: Database) -> ModuleType:
    return sqlite if database.dialect == "sqlite" else postgresql


def put(database: Database, table: Any, *rows: tuple[Any, ...]) -> None:
    with database.write() as connection:
        waiting = Rows(connection, dialect_of(database).write)
        for row in rows:
            waiting.insert(table, row)
        waiting.flush()


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, st.binary(max_size=9)), unique_by=lambda row: row[:2], max_size=9))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_is_read_as_it_was(database: Database, rows: list[tuple[Any, ...]]) -> None:
    named = [(organisation, key_id, wrapped) for organisation, key_id, _, wrapped in rows]
    people = [(organisation, key_id, text, text) for organisation, key_id, text, _ in rows]
    with database.write() as connection:
        connection.execute(delete(data_keys))
        connection.execute(delete(subjects))

    put(database, data_keys, *named)
    put(database, subjects, *people)

    with database.read() as connection:
        assert sorted(tuple(row) for row in connection.execute(select(data_keys))) == sorted(named)
        assert sorted(tuple(row) for row in connection.execute(select(subjects))) == sorted(people)


@pytest.mark.parametrize("weight", [0.0, 1.0, 0.1, 1e300, 5e-324, 2**53 + 0.0, math.pi])
def test_a_weight_is_kept_to_the_last_bit(database: Database, weight: float) -> None:
    put(database, window_entries, entry(weight=weight))

    with database.read() as connection:
        assert connection.execute(select(window_entries.c.weight)).scalar_one() == weight


def test_absent_values_and_truth_are_kept(database: Database) -> None:
    put(database, window_entries, entry(near_miss_id="nm_1", date_only=True), entry(near_miss_id="nm_2", distinct="x"))

    with database.read() as connection:
        rows = connection.execute(
            select(window_entries.c.date_only, window_entries.c.distinct_value).order_by(window_entries.c.near_miss_id)
        ).all()
    assert rows == [(True, None), (False, "x")]


def entry(
    near_miss_id: str = "nm_1",
    at: int = 100,
    *,
    organisation: str = "o",
    rule_id: str = "r",
    key: str = "[]",
    valid_to: int = FOR_EVER,
    weight: float = 1.0,
    date_only: bool = False,
    distinct: str | None = None,
) -> tuple[Any, ...]:
    return organisation, rule_id, key, valid_to, at, near_miss_id, 1, 1, 0, date_only, weight, distinct, "visit", 0


def asked(database: Database, ask: Ask) -> Any:
    with database.write() as connection:
        return dialect_of(database).prefetch(connection, ask)


def test_a_range_holds_its_upper_end_and_not_its_lower_one(database: Database) -> None:
    put(database, window_entries, *(entry(f"nm_{at}", at) for at in (99, 100, 101, 200, 201)))

    told = asked(database, Ask(ranges=[Range("o", "r", "[]", 100, 200)]))

    assert sorted(row.near_miss_id for row in told.entries) == ["nm_101", "nm_200"]


def test_only_what_holds_now_of_the_key_that_was_asked_for_is_told(database: Database) -> None:
    put(
        database,
        window_entries,
        entry("nm_mine"),
        entry("nm_left", valid_to=7),
        entry("nm_rule", rule_id="s"),
        entry("nm_key", key='["x"]'),
        entry("nm_theirs", organisation="p"),
    )

    told = asked(database, Ask(ranges=[Range("o", "r", "[]", 0, 1000)]))

    assert [row.near_miss_id for row in told.entries] == ["nm_mine"]


def escalation(escalation_id: str, sequence: int, status: str, *, is_open: bool, closed: int | None) -> tuple[Any, ...]:
    return "o", escalation_id, sequence, "r", "[]", None, status, is_open, True, False, None, closed, closed


def event_of(escalation_id: str, sequence: int, version: int) -> tuple[Any, ...]:
    stream = f"escalation/{escalation_id}"
    return "o", sequence, f"e{sequence}", stream, version, "t", 1, 0, 0, "a", "c", None, "{}", b""


def test_the_open_episode_is_told_with_its_members_and_its_version(database: Database) -> None:
    put(
        database,
        escalations,
        escalation("esc_1", 1, "closed", is_open=False, closed=5),
        escalation("esc_2", 6, "awaiting_ack", is_open=True, closed=None),
        escalation("esc_3", 9, "historical", is_open=False, closed=None),
    )
    put(database, events, event_of("esc_2", 6, 1), event_of("esc_2", 7, 2))
    put(database, window_entries, entry("nm_1"), entry("nm_2"), entry("nm_3"))
    put(
        database,
        escalation_members,
        ("o", "esc_2", "nm_1", FOR_EVER, 6, "member"),
        ("o", "esc_2", "nm_2", 7, 6, "member"),
        ("o", "esc_2", "nm_2", FOR_EVER, 7, "related"),
        ("o", "esc_1", "nm_3", FOR_EVER, 1, "member"),
    )

    told = asked(database, Ask(ranges=[Range("o", "r", "[]", 0, 1000)]))

    (episode,) = [row for row in told.episodes if row.escalation_id is not None]
    assert (episode.escalation_id, bool(episode.is_open), episode.version) == ("esc_2", True, 2)
    assert {row.near_miss_id: row.kind for row in told.entries} == {"nm_1": "member", "nm_2": "related", "nm_3": None}


def test_without_an_open_episode_the_latest_closed_one_is_told_and_never_a_historical_one(database: Database) -> None:
    put(
        database,
        escalations,
        escalation("esc_1", 1, "closed", is_open=False, closed=5),
        escalation("esc_2", 6, "monitoring_outcome", is_open=False, closed=8),
        escalation("esc_3", 9, "historical", is_open=False, closed=None),
    )
    put(database, events, event_of("esc_1", 1, 1), event_of("esc_2", 6, 1))

    told = asked(database, Ask(ranges=[Range("o", "r", "[]", 0, 0)]))

    (episode,) = [row for row in told.episodes if row.escalation_id is not None]
    assert (episode.escalation_id, bool(episode.is_open), episode.closed_sequence) == ("esc_2", False, 8)


def test_what_does_not_exist_is_not_told(database: Database) -> None:
    ask = Ask(
        commands=[CommandKey("o", "k", "route", "key")],
        sources=[SourceKey("o", "emar", "e-1")],
        tokens=[("o", "token")],
        ranges=[Range("o", "r", "[]", 0, 1000)],
    )

    told = asked(database, ask)

    assert (told.commands, told.sources, told.subjects, list(told.entries)) == ({}, {}, {}, [])
    assert [row for row in told.episodes if row.escalation_id is not None] == []


@pytest.mark.parametrize("name", AWKWARD)
def test_whatever_a_client_calls_it_is_found_by_that_name(database: Database, name: str) -> None:
    put(database, commands, ("o", "k", "route", name, "print", 201, "nm_1", 1, 2))
    put(database, sources, ("o", name, name, "nm_1", "print"))

    told = asked(
        database,
        Ask(
            commands=[CommandKey("o", "k", "route", name), CommandKey("o", "k", "route", name + "x")],
            sources=[SourceKey("o", name, name), SourceKey("o", name + "x", name)],
        ),
    )

    assert told.commands == {CommandKey("o", "k", "route", name): ("print", 201, "nm_1", 1, 2)}
    assert told.sources == {SourceKey("o", name, name): ("nm_1", "print")}


def test_a_person_whose_key_was_erased_is_told_without_one(database: Database) -> None:
    put(database, subjects, ("o", "here", "k_1", "sealed"), ("o", "gone", "k_2", "sealed"))
    put(database, data_keys, ("o", "k_1", b"wrapped"))

    told = asked(database, Ask(tokens=[("o", "here"), ("o", "gone")]))

    assert {token: key and bytes(key) for (_, token), (_, key) in told.subjects.items()} == {
        "here": b"wrapped",
        "gone": None,
    }


def test_a_batch_begins_with_its_heads_and_the_timers_that_are_due(database: Database) -> None:
    with database.write() as connection:
        for organisation in ("b", "a", "c"):
            connection.execute(insert(ledgers).values((organisation, 3, 9, 1, b"root", b"frontier")))
    put(database, timers, ("a", "k", "due", 100), ("a", "k", "later", 101), ("c", "k", "theirs", 1))

    with database.write() as connection:
        heads, due, _ = dialect_of(database).begin_batch(connection, ["a", "b", "none"], 100, Ask())

    assert [(head.organisation, head.position) for head in heads] == [("a", 3), ("b", 3)]
    assert [timer.subject for timer in due] == ["due"]


def test_others_timers_crowd_nobody_out(database: Database) -> None:
    put(database, timers, *(("other", "k", f"s{n}", n) for n in range(150)), ("mine", "k", "due", 500))

    with database.write() as connection:
        _, due, _ = dialect_of(database).begin_batch(connection, ["mine"], 1000, Ask())

    assert [timer.subject for timer in due] == ["due"]
