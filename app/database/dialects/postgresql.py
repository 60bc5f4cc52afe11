"""The few hot statements in PostgreSQL's own words: set-based, pipelined, two round trips for a whole batch."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, cast

from psycopg import Connection as Driver
from psycopg import Cursor
from sqlalchemy import BigInteger, Boolean, Connection, Double, LargeBinary, Table

from app.database.prefetch import Ask, CommandKey, EntryRow, EpisodeRow, HeadRow, SourceKey, TimerRow, Told
from app.database.tables import FOR_EVER

_LOCK_HEADS = """
SELECT organisation, position, recorded_at, configured_at, frontier FROM ledgers
WHERE organisation = ANY(%s::text[]) ORDER BY organisation FOR UPDATE
"""
_DUE_TIMERS = """
SELECT organisation, kind, subject, due_at FROM timers
WHERE due_at <= %s AND organisation = ANY(%s::text[]) ORDER BY due_at, kind, subject LIMIT 100
"""
_COMMANDS = """
SELECT c.organisation, c.key_id, c.route, c.idempotency_key,
       c.fingerprint, c.status, c.subject, c.first_sequence, c.last_sequence
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS q(organisation, key_id, route, idempotency_key)
JOIN commands c USING (organisation, key_id, route, idempotency_key)
"""
_SOURCES = """
SELECT s.organisation, s.source, s.source_event_id, s.near_miss_id, s.fingerprint
FROM unnest(%s::text[], %s::text[], %s::text[]) AS q(organisation, source, source_event_id)
JOIN sources s USING (organisation, source, source_event_id)
"""
_SUBJECTS = """
SELECT s.organisation, s.token, s.key_id, k.wrapped
FROM unnest(%s::text[], %s::text[]) AS q(organisation, token)
JOIN subjects s USING (organisation, token) JOIN data_keys k USING (organisation, key_id)
"""
# Every lookup is by a whole key: what was asked leads, and each step has one index to go by.
_ENTRIES = f"""
SELECT q.organisation, q.rule_id, q.key_text, w.at, w.near_miss_id, w.sequence, w.day, w.date_only,
       w.weight, w.distinct_value, w.incident_type,
       (SELECT m.kind FROM escalation_members m
         WHERE m.organisation = q.organisation AND m.escalation_id = e.escalation_id
           AND m.near_miss_id = w.near_miss_id AND m.valid_to = {FOR_EVER})
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
  AS q(organisation, rule_id, key_text, low, high)
LEFT JOIN LATERAL (
  SELECT e.escalation_id FROM escalations e
  WHERE e.organisation = q.organisation AND e.rule_id = q.rule_id AND e.key_text = q.key_text AND e.is_open LIMIT 1
) e ON true
CROSS JOIN LATERAL (
  SELECT * FROM window_entries w
  WHERE w.organisation = q.organisation AND w.rule_id = q.rule_id AND w.key_text = q.key_text
    AND w.valid_to = {FOR_EVER} AND w.at > q.low AND w.at <= q.high ORDER BY w.at
) w
"""  # noqa: S608
_EPISODES = """
SELECT q.organisation, q.rule_id, q.key_text, e.escalation_id, e.is_open, e.supported, e.closed_at, e.closed_sequence,
       (SELECT max(v.version) FROM events v
         WHERE v.organisation = q.organisation AND v.stream = 'escalation/' || e.escalation_id)
FROM unnest(%s::text[], %s::text[], %s::text[]) AS q(organisation, rule_id, key_text)
CROSS JOIN LATERAL (
  SELECT * FROM escalations e
  WHERE e.organisation = q.organisation AND e.rule_id = q.rule_id AND e.key_text = q.key_text
    AND e.status <> 'historical'
  ORDER BY e.is_open DESC, e.sequence DESC LIMIT 1
) e
"""


def begin_batch(
    connection: Connection, organisations: Sequence[str], now: int, ask: Ask
) -> tuple[list[HeadRow], list[TimerRow], Told]:
    """Lock the heads in organisation order, then read what the batch asks for: one round trip."""
    driver = _driver(connection)
    with driver.pipeline():
        heads = driver.cursor().execute(_LOCK_HEADS, (_texts(organisations),))
        timers = driver.cursor().execute(_DUE_TIMERS, (now, _texts(organisations)))
        collect = _send(driver, ask)
        return [HeadRow(*row) for row in heads], [TimerRow(*row) for row in timers], collect()


def prefetch(connection: Connection, ask: Ask) -> Told:
    """Read what the batch asks for, in the transaction that holds the heads."""
    driver = _driver(connection)
    with driver.pipeline():
        return _send(driver, ask)()


def insert(connection: Connection, batches: Iterable[tuple[Table, Sequence[Sequence[Any]]]]) -> None:
    """Insert rows (values in the table's column order) into several tables: one statement a table, one round trip."""
    driver = _driver(connection)
    with driver.pipeline():
        for table, rows in batches:
            if rows:
                statement, literals = _insert_statement(table)
                columns = zip(*rows, strict=True)
                driver.cursor().execute(
                    statement, [literal(column) for literal, column in zip(literals, columns, strict=True)]
                )


def _driver(connection: Connection) -> "Driver[Any]":
    driver = connection.connection.driver_connection
    assert isinstance(driver, Driver)
    return cast("Driver[Any]", driver)


def _send(driver: "Driver[Any]", ask: Ask) -> Callable[[], Told]:
    def sent(statement: str, rows: Sequence[Sequence[Any]], kinds: str) -> "Cursor[Any] | None":
        if not rows:
            return None
        literals = [_KINDS[kind] for kind in kinds]
        columns = zip(*rows, strict=True)
        arguments = [literal(column) for literal, column in zip(literals, columns, strict=True)]
        return driver.cursor().execute(statement.encode(), arguments)

    commands = sent(_COMMANDS, ask.commands, "tttt")
    sources = sent(_SOURCES, ask.sources, "ttt")
    subjects = sent(_SUBJECTS, ask.tokens, "tt")
    entries = sent(_ENTRIES, ask.ranges, "tttii")
    episodes = sent(_EPISODES, [row[:3] for row in ask.ranges], "ttt")

    def collect() -> Told:
        return Told(
            commands={CommandKey(*row[:4]): row[4:] for row in commands or ()},
            sources={SourceKey(*row[:3]): row[3:] for row in sources or ()},
            subjects={row[:2]: row[2:] for row in subjects or ()},
            entries=[EntryRow(*row) for row in entries or ()],
            episodes=[EpisodeRow(*row) for row in episodes or ()],
        )

    return collect


def _texts(values: Iterable[Any]) -> str:
    quoted = [
        "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values
    ]
    return "{" + ",".join(quoted) + "}"


def _plain(values: Iterable[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else repr(value) for value in values]) + "}"


def _bytes(values: Iterable[Any]) -> str:
    return "{" + ",".join(['"\\\\x' + value.hex() + '"' for value in values]) + "}"


_KINDS: dict[str, Callable[[Iterable[Any]], str]] = {"t": _texts, "i": _plain}


@cache
def _insert_statement(table: Table) -> tuple[bytes, list[Callable[[Iterable[Any]], str]]]:
    types: list[str] = []
    literals: list[Callable[[Iterable[Any]], str]] = []
    for column in table.columns:
        match column.type:
            case BigInteger():
                name, literal = "bigint", _plain
            case Boolean():
                name, literal = "boolean", _plain
            case Double():
                name, literal = "double precision", _plain
            case LargeBinary():
                name, literal = "bytea", _bytes
            case _:
                name, literal = "text", _texts
        types.append(f"%s::{name}[]")
        literals.append(literal)
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({', '.join(types)})".encode(), literals  # noqa: S608
