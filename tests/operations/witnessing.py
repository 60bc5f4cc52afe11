"""A ledger's rows as somebody with the database in hand can make them: many at once, taken away, or rewritten."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, text, update

from app.database.tables import ledgers
from app.events.merkle import Frontier
from app.operations.house import House
from tests.office import Office

_FILL = {
    "sqlite": """
        WITH RECURSIVE n(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM n WHERE n < :last)
        INSERT INTO events SELECT :organisation, n, 'e' || n, 'ledger/' || n, 1, 'ledger.checkpointed', 1, 0, 0,
               'key/a', 'c', NULL, :payload, CAST(printf('%032d', n) AS BLOB) FROM n
    """,
    "postgresql": """
        INSERT INTO events SELECT :organisation, n, 'e' || n, 'ledger/' || n, 1, 'ledger.checkpointed', 1, 0, 0,
               'key/a', 'c', NULL, :payload, convert_to(lpad(n::text, 32, '0'), 'UTF8')
          FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) n
    """,
}


def fill(office: Office, size: int) -> list[bytes]:
    """Let the ledger have so many events, whose leaves are as good as any; returns all leaves."""
    leaves = [one.leaf for one in office.ledger()]
    first = len(leaves) + 1
    with office.house.database.write() as connection:
        payload = {"size": 0, "root": "", "key_id": "", "signed_note": ""}
        said = {"organisation": office.organisation, "first": first, "last": size, "payload": json.dumps(payload)}
        connection.execute(text(_FILL[connection.dialect.name]), said)
        leaves += [b"%032d" % n for n in range(first, size + 1)]
        frontier = Frontier().extend(leaves)
        head = {"position": size, "root": frontier.root(), "frontier": frontier.to_bytes()}
        connection.execute(update(ledgers).where(ledgers.c.organisation == office.organisation).values(head))
    return leaves


def tamper(house: House, statement: str, **parameters: Any) -> None:
    """Carry out what the ledger's triggers refuse, as whoever owns the database can."""
    with house.database.write() as connection:
        if connection.dialect.name == "sqlite":
            for trigger in ("update", "delete", "replace"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS events_no_{trigger}"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement), parameters)


@contextmanager
def statements(connection: Connection) -> Iterator[list[str]]:
    """What is asked on a connection meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(connection, "before_cursor_execute", note)
