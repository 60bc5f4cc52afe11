"""The few hot statements in PostgreSQL's own words: set-based, pipelined, two round trips for a whole batch."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, cast

from psycopg import Connection as Driver
from psycopg import Cursor
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait
from sqlalchemy import BigInteger, Boolean, Connection, Double, LargeBinary, Table

from app.database.prefetch import (
    Ask,
    Changes,
    CommandKey,
    EntryRow,
    EpisodeRow,
    HeadRow,
    SourceKey,
    TimerRow,
    Told,
    naming,
)
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
JOIN subjects s USING (organisation, token) LEFT JOIN data_keys k USING (organisation, key_id)
"""
# A statement is planned once, maybe while its tables are empty and one index looks as cheap as another. So what is
# asked leads, and each step asks for the order that only the right index has.
_OPEN_EPISODE = """
SELECT e.* FROM escalations e
WHERE e.organisation = q.organisation AND e.is_open AND (e.rule_id, e.key_text) <= (q.rule_id, q.key_text)
ORDER BY e.rule_id DESC, e.key_text DESC LIMIT 1
"""
_LATEST_EPISODE = """
SELECT e.* FROM escalations e
WHERE e.organisation = q.organisation AND e.status <> 'historical'
  AND (e.rule_id, e.key_text) <= (q.rule_id, q.key_text)
ORDER BY e.rule_id DESC, e.key_text DESC, e.sequence DESC LIMIT 1
"""
_ENTRIES = f"""
SELECT q.organisation, q.rule_id, q.key_text, w.at, w.near_miss_id, w.sequence, w.day, w.date_only,
       w.weight, w.distinct_value, w.incident_type, w.gravity,
       (SELECT m.kind FROM escalation_members m
         WHERE m.organisation = q.organisation AND m.escalation_id = e.escalation_id
           AND m.near_miss_id = w.near_miss_id AND m.valid_to = {FOR_EVER})
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[])
  AS q(organisation, rule_id, key_text, low, high)
LEFT JOIN LATERAL ({_OPEN_EPISODE}) e ON e.rule_id = q.rule_id AND e.key_text = q.key_text
CROSS JOIN LATERAL (
  SELECT * FROM window_entries w
  WHERE w.organisation = q.organisation AND w.rule_id = q.rule_id AND w.key_text = q.key_text
    AND w.valid_to = {FOR_EVER} AND w.at > q.low AND w.at <= q.high ORDER BY w.at
) w
"""  # noqa: S608
_EPISODES = f"""
SELECT q.organisation, q.rule_id, q.key_text, e.escalation_id, e.is_open, e.supported, e.closed_at, e.closed_sequence,
       (SELECT v.version FROM events v
         WHERE v.organisation = q.organisation AND v.stream = 'escalation/' || e.escalation_id
         ORDER BY v.version DESC LIMIT 1)
FROM unnest(%s::text[], %s::text[], %s::text[]) AS q(organisation, rule_id, key_text)
CROSS JOIN LATERAL (
  SELECT * FROM (({_OPEN_EPISODE}) UNION ALL ({_LATEST_EPISODE})) e
  WHERE e.rule_id = q.rule_id AND e.key_text = q.key_text ORDER BY e.is_open DESC LIMIT 1
) e
"""  # noqa: S608


def begin_batch(
    connection: Connection, organisations: Sequence[str], now: int, ask: Ask
) -> tuple[list[HeadRow], list[TimerRow], Told]:
    """Lock the heads in organisation order, then read what the batch asks for: one round trip."""
    driver = _driver(connection)
    with driver.pipeline():
        heads = driver.cursor().execute(_LOCK_HEADS, (_texts(organisations),))
        timers = driver.cursor().execute(_DUE_TIMERS, (now, _texts(organisations)))
        collect = _send(driver, ask)
        _send_all(driver)
        return [HeadRow(*row) for row in heads], [TimerRow(*row) for row in timers], collect()


def prefetch(connection: Connection, ask: Ask) -> Told:
    """Read what the batch asks for, in the transaction that holds the heads."""
    driver = _driver(connection)
    with driver.pipeline():
        collect = _send(driver, ask)
        _send_all(driver)
        return collect()


def write(
    connection: Connection, changes: Changes, heads: Sequence[Mapping[str, Any]] = (), *, commit: bool = False
) -> None:
    """Write everything in one round trip, and commit with it when told to: what fails is raised, and nothing stays."""
    driver = _driver(connection)
    with driver.pipeline():
        for table, keys in changes.endings.items():
            for key in keys:
                driver.cursor().execute(_end_statement(table), key)
        inserted = tuple(changes.inserts)
        arguments = [one for table in inserted for one in _literals(_types(table), changes.inserts[table])]
        if heads:
            arguments += _literals(_HEAD_TYPES, [[*head.values()] for head in heads])
        if arguments:
            driver.cursor().execute(_write_statement(inserted, with_heads=bool(heads)), arguments)
        _send_all(driver)
        if commit:
            driver.commit()


def _driver(connection: Connection) -> "Driver[Any]":
    driver = connection.connection.driver_connection
    assert isinstance(driver, Driver)
    return cast("Driver[Any]", driver)


def _send_all(driver: "Driver[Any]") -> None:
    """Wait until everything is under way.

    In a pipeline psycopg stops sending when the socket is full, and then waits for answers to what it has not sent.
    """

    def sending() -> PQGen[None]:
        while driver.pgconn.flush():
            if (yield Wait.RW) & Ready.R:
                driver.pgconn.consume_input()

    driver.wait(sending())


def _send(driver: "Driver[Any]", ask: Ask) -> Callable[[], Told]:
    def sent(statement: str, rows: Sequence[Sequence[Any]], kinds: Sequence[str]) -> "Cursor[Any] | None":
        if not rows:
            return None
        return driver.cursor().execute(statement.encode(), _literals(kinds, rows))

    commands = sent(_COMMANDS, ask.commands, ("text",) * 4)
    sources = sent(_SOURCES, ask.sources, ("text",) * 3)
    subjects = sent(_SUBJECTS, ask.tokens, ("text",) * 2)
    entries = sent(_ENTRIES, ask.ranges, ("text", "text", "text", "bigint", "bigint"))
    episodes = sent(_EPISODES, [row[:3] for row in ask.ranges], ("text",) * 3)

    def collect() -> Told:
        return Told(
            commands={CommandKey(*row[:4]): row[4:] for row in commands or ()},
            sources={SourceKey(*row[:3]): row[3:] for row in sources or ()},
            subjects={row[:2]: row[2:] for row in subjects or ()},
            entries=[EntryRow(*row) for row in entries or ()],
            episodes=[EpisodeRow(*row) for row in episodes or ()],
        )

    return collect


def _texts(values: Sequence[Any]) -> str:
    if None not in values:  # The whole column at once, with a mark between the values that none of them holds.
        joined = _BETWEEN.join(values)
        if joined.count(_BETWEEN) == len(values) - 1:
            joined = joined.replace("\\", "\\\\").replace('"', '\\"').replace(_BETWEEN, '","')
            return f'{{"{joined}"}}'
    quoted = [
        "NULL" if value is None else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values
    ]
    return "{" + ",".join(quoted) + "}"


_BETWEEN = "\x1f"


def _plain(values: Sequence[Any]) -> str:
    return "{" + ",".join(["NULL" if value is None else repr(value) for value in values]) + "}"


def _bytes(values: Sequence[Any]) -> str:
    return "{" + ",".join(['"\\\\x' + value.hex() + '"' for value in values]) + "}"


def _literals(types: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    return [_LITERALS[one](column) for one, column in zip(types, zip(*rows, strict=True), strict=True)]


_LITERALS: dict[str, Callable[[Sequence[Any]], str]] = {
    "text": _texts,
    "bigint": _plain,
    "boolean": _plain,
    "double precision": _plain,
    "bytea": _bytes,
}
_HEAD_TYPES = ("text", "bigint", "bigint", "bigint", "bytea", "bytea")
_SAVE_HEADS = """
UPDATE ledgers l SET position = h.position, recorded_at = h.recorded_at, configured_at = h.configured_at,
       root = h.root, frontier = h.frontier
FROM unnest({}) AS h(organisation, position, recorded_at, configured_at, root, frontier)
WHERE l.organisation = h.organisation
"""


@cache
def _types(table: Table) -> list[str]:
    types: list[str] = []
    for column in table.columns:
        match column.type:
            case BigInteger():
                types.append("bigint")
            case Boolean():
                types.append("boolean")
            case Double():
                types.append("double precision")
            case LargeBinary():
                types.append("bytea")
            case _:
                types.append("text")
    return types


def _arrays(types: Iterable[str]) -> str:
    return ", ".join(f"%s::{one}[]" for one in types)


@cache
def _write_statement(tables: tuple[Table, ...], *, with_heads: bool) -> bytes:
    """One statement for all of it: a statement costs more than the rows of a small batch."""
    parts: list[str] = []
    for table in tables:
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        parts.append(f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({_arrays(_types(table))})")  # noqa: S608
    if with_heads:
        parts.append(_SAVE_HEADS.format(_arrays(_HEAD_TYPES)))
    *first, last = parts
    beside = ", ".join(f"w{number} AS ({part})" for number, part in enumerate(first))
    return (f"WITH {beside} {last}" if first else last).encode()


@cache
def _end_statement(table: Table) -> bytes:
    """For one row at a time: they are few, and the plan of a join may begin at its other end."""
    same = " AND ".join(f'"{name}" = %s' for name in naming(table))
    return f"UPDATE {table.name} SET valid_to = %s WHERE {same} AND valid_to = {FOR_EVER}".encode()  # noqa: S608
