"""The same hot statements in SQLite's words: the database is in the process, so small statements cost little."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

from app.database.prefetch import Ask, Changes, EntryRow, EpisodeRow, HeadRow, TimerRow, Told, naming
from app.database.tables import FOR_EVER

_HEAD = "SELECT organisation, position, recorded_at, configured_at, frontier FROM ledgers WHERE organisation = ?"
_DUE_TIMERS = """
SELECT organisation, kind, subject, due_at FROM timers
WHERE due_at <= ? AND organisation IN (SELECT value FROM json_each(?)) ORDER BY due_at, kind, subject LIMIT 100
"""
_COMMAND = """
SELECT fingerprint, status, subject, first_sequence, last_sequence FROM commands
WHERE organisation = ? AND key_id = ? AND route = ? AND idempotency_key = ?
"""
_SOURCE = """
SELECT near_miss_id, fingerprint FROM sources WHERE organisation = ? AND source = ? AND source_event_id = ?
"""
_SUBJECT = """
SELECT s.key_id, k.wrapped FROM subjects s LEFT JOIN data_keys k USING (organisation, key_id)
WHERE s.organisation = ? AND s.token = ?
"""
_ENTRIES = f"""
SELECT w.organisation, w.rule_id, w.key_text, w.at, w.near_miss_id, w.sequence, w.day, w.date_only,
       w.weight, w.distinct_value, w.incident_type, w.gravity,
       (SELECT m.kind FROM escalations e JOIN escalation_members m
          ON m.organisation = e.organisation AND m.escalation_id = e.escalation_id
         WHERE e.organisation = w.organisation AND e.rule_id = w.rule_id AND e.key_text = w.key_text AND e.is_open
           AND m.near_miss_id = w.near_miss_id AND m.valid_to = {FOR_EVER})
FROM window_entries w
WHERE w.organisation = ? AND w.rule_id = ? AND w.key_text = ? AND w.valid_to = {FOR_EVER} AND w.at > ? AND w.at <= ?
"""  # noqa: S608
_EPISODE = """
SELECT e.organisation, e.rule_id, e.key_text, e.escalation_id, e.is_open, e.supported, e.closed_at, e.closed_sequence,
       (SELECT max(v.version) FROM events v
         WHERE v.organisation = e.organisation AND v.stream = 'escalation/' || e.escalation_id)
FROM escalations e
WHERE e.organisation = ? AND e.rule_id = ? AND e.key_text = ? AND e.status <> 'historical'
ORDER BY e.is_open DESC, e.sequence DESC LIMIT 1
"""
_SAVE_HEAD = """
UPDATE ledgers SET position = ?2, recorded_at = ?3, configured_at = ?4, root = ?5, frontier = ?6 WHERE organisation = ?1
"""


def begin_batch(
    connection: Connection, organisations: Sequence[str], now: int, ask: Ask
) -> tuple[list[HeadRow], list[TimerRow], Told]:
    """Read the heads (BEGIN IMMEDIATE locked them all) and what the batch asks for."""
    driver = _driver(connection)
    heads = [HeadRow(*row) for name in sorted(organisations) for row in driver.execute(_HEAD, (name,))]
    timers = [TimerRow(*row) for row in driver.execute(_DUE_TIMERS, (now, json.dumps(list(organisations))))]
    return heads, timers, prefetch(connection, ask)


def prefetch(connection: Connection, ask: Ask) -> Told:
    """Read what the batch asks for, in the transaction that holds the heads."""
    driver = _driver(connection)

    def found(statement: str, keys: Iterable[Any]) -> dict[Any, Any]:
        rows = {key: driver.execute(statement, key).fetchone() for key in keys}
        return {key: row for key, row in rows.items() if row is not None}

    return Told(
        commands=found(_COMMAND, ask.commands),
        sources=found(_SOURCE, ask.sources),
        subjects=found(_SUBJECT, ask.tokens),
        entries=[EntryRow(*row) for asked in ask.ranges for row in driver.execute(_ENTRIES, asked)],
        episodes=[EpisodeRow(*row) for asked in ask.ranges for row in driver.execute(_EPISODE, asked[:3])],
    )


def write(
    connection: Connection, changes: Changes, heads: Sequence[Mapping[str, Any]] = (), *, commit: bool = False
) -> None:
    """Write everything; the commit stays with whoever began, for here it costs no round trip."""
    driver = _driver(connection)
    for table, keys in changes.endings.items():
        driver.executemany(_end_statement(table), keys)
    for table, rows in changes.inserts.items():
        driver.executemany(_insert_statement(table), rows)
    driver.executemany(_SAVE_HEAD, [[*head.values()] for head in heads])


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


@cache
def _insert_statement(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' for _ in table.columns)})"  # noqa: S608


@cache
def _end_statement(table: Table) -> str:
    same = " AND ".join(f'"{name}" = ?' for name in naming(table))
    return f"UPDATE {table.name} SET valid_to = ? WHERE {same} AND valid_to = {FOR_EVER}"  # noqa: S608
