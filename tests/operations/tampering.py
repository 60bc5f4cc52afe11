"""What somebody with the database's password could do to a ledger: behind the triggers, with more or less care.

Each change is made with plain SQL on a connection whose transaction is rolled back afterwards, and says where the first
event is that is not as it was.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from app.events.canonical import canonical
from app.events.catalogue import CATALOGUE, CONFIGURATION
from app.events.envelope import Envelope, sealed_with_leaf
from app.events.merkle import Frontier
from app.events.store import position
from app.operations.checkpoints import checkpoint_of, taking
from app.operations.follow import catch_up
from app.operations.house import House
from app.operations.signing_keys import signing_key
from app.projections.inline import FOLLOWERS
from tests.office import Office, ledger_of
from tests.operations.test_rebuild import a_year_of_everything

FAR = 10**9


@dataclass(frozen=True, slots=True)
class Told:
    """A ledger that was looked after: its events, and the checkpoint of all of them that somebody kept outside."""

    events: Sequence[Envelope]
    note: str


def a_story(office: Office) -> Told:
    """A year of everything with two checkpoints in it, everybody caught up, and a last one kept outside."""
    house = office.house
    take_checkpoint(house)
    a_year_of_everything(office)
    office.clock.go_on(hours=2)
    take_checkpoint(house)
    for number in range(4):
        office.submit(service_id="elm-lodge", deviation="late", idempotency_key=f"{number}")
    follow_all(office)
    return Told(office.ledger(), note_of(house))


def take_checkpoint(house: House, organisation: str = "default") -> None:
    with house.database.read() as connection:
        end = position(connection, organisation)
    house.ask(taking(house, organisation, signing_key(house), timedelta(hours=1), end))


def note_of(house: House, organisation: str = "default") -> str:
    with house.database.read() as connection:
        return checkpoint_of(house, connection, organisation)["signed_note"]


def follow_all(office: Office) -> None:
    """The postman's follower too."""
    house = office.house
    for name in FOLLOWERS:
        catch_up(house.database, house.batches.dialect, house.configurations, office.organisation, name)


@contextmanager
def undone(connection: Connection) -> Iterator[None]:
    """Whatever is done within has never been."""
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


@contextmanager
def unguarded(connection: Connection) -> Iterator[None]:
    """Events can be changed within, and nothing of that is seen at the triggers afterwards."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("ALTER TABLE events DISABLE TRIGGER events_append_only")
        yield
        connection.exec_driver_sql("ALTER TABLE events ENABLE TRIGGER events_append_only")
        return
    found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    for name, _ in found:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for _, sql in found:
        connection.exec_driver_sql(sql)


@contextmanager
def new_database(request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_sqlite'), folders.mktemp('tampered'))}"
        return
    copies = request.getfixturevalue("migrated_postgresql")
    url = copies.lend()
    yield url
    copies.take_back(url)


# One after the other, each in its place

Change = Callable[[Connection, Sequence[Envelope], Random], int]


def edited(connection: Connection, ledger: Sequence[Envelope], chance: Random) -> int:
    """One field of one event, its leaf left alone."""
    event = chance.choice(ledger)
    write(connection, other(event, ledger, chance), event.sequence)
    return event.sequence


def dropped(connection: Connection, ledger: Sequence[Envelope], chance: Random) -> int:
    sequence = chance.choice(ledger).sequence
    delete(connection, sequence, sequence)
    return sequence


def swapped(connection: Connection, ledger: Sequence[Envelope], chance: Random) -> int:
    """Two events in each other's place."""
    first, second = sorted(chance.sample(range(1, len(ledger) + 1), 2))
    for before, after in ((first, FAR), (second, first), (FAR, second)):
        move(connection, before, after)
    return first


def duplicated(connection: Connection, ledger: Sequence[Envelope], chance: Random) -> int:
    """An event a second time right after itself, all others moved on; its id and version new, for they must be."""
    event = chance.choice(ledger)
    moved_on(connection, event.sequence, len(ledger))
    copy = event._replace(sequence=event.sequence + 1, event_id=random_id(chance), version=FAR)
    add(connection, sealed_with_leaf(copy) if chance.random() < 0.5 else copy)
    set_head(connection, position=len(ledger) + 1)
    return event.sequence + 1


def cut_off(connection: Connection, ledger: Sequence[Envelope], chance: Random) -> int:
    """The ledger's end, the head row left alone."""
    first = chance.randint(1, len(ledger))
    delete(connection, first, len(ledger))
    return first


PLAIN: Sequence[Change] = (edited, edited, edited, dropped, swapped, duplicated, cut_off)


# With care: leaves, and perhaps the head, computed anew


def rechained(connection: Connection, ledger: Sequence[Envelope], chance: Random) -> int:
    """An event edited with its leaf computed anew; the head row as it was."""
    event = chance.choice(ledger)
    write(connection, sealed_with_leaf(other_words(event, chance)), event.sequence)
    return event.sequence


def rewritten(connection: Connection, ledger: Sequence[Envelope], chance: Random) -> int:
    """The same, the head row computed anew too: within itself the ledger is whole."""
    sequence = rechained(connection, ledger, chance)
    agree(connection)
    return sequence


def left_out(connection: Connection, ledger: Sequence[Envelope], chance: Random) -> int:
    """An event taken out and everything after it moved up and computed anew, streams and head as well."""
    gone = chance.choice(ledger[2:])
    delete(connection, gone.sequence, len(ledger))
    for one in ledger[gone.sequence :]:
        later = one.stream == gone.stream
        add(connection, sealed_with_leaf(one._replace(sequence=one.sequence - 1, version=one.version - later)))
    agree(connection)
    return gone.sequence


def cut_short(connection: Connection, ledger: Sequence[Envelope], chance: Random) -> int:
    """The ledger's end, and a head row that knows nothing of it."""
    first = chance.randint(3, len(ledger))
    delete(connection, first, len(ledger))
    agree(connection)
    return first


CAREFUL: Sequence[Change] = (rechained, rewritten, left_out, cut_short)


# With what they are made


def other(event: Envelope, ledger: Sequence[Envelope], chance: Random) -> Envelope:
    """The event with one field that is not what it was."""
    field = chance.choice([one for one in Envelope._fields if one not in {"organisation", "sequence"}])
    value: Any = getattr(event, field)
    match field:
        case "payload":
            return other_words(event, chance) if chance.random() < 0.7 else event._replace(payload=f" {event.payload}")
        case "type":
            return event._replace(type=chance.choice([name for name in CATALOGUE if name != value]))
        case "event_id":
            return event._replace(event_id=random_id(chance))
        case "causation_id":
            return event._replace(causation_id=random_id(chance) if value is None else chance.choice([None, ""]))
        case "leaf":
            return event._replace(leaf=bytes([value[0] ^ 1 << chance.randrange(8)]) + value[1:])
        case "version":
            return event._replace(version=FAR)
        case "stream" | "actor" | "correlation_id":
            return event._replace(**{field: f"{value}{chance.choice('abc')}"})
        case _:
            return event._replace(**{field: value + chance.choice([-1, 1, 1000])})


def other_words(event: Envelope, chance: Random) -> Envelope:
    """The event with another word in its payload, or one more."""
    said = json.loads(event.payload)
    words = [name for name, value in said.items() if isinstance(value, str) and not value[:1].isdigit()]
    if words and chance.random() < 0.8:
        name = chance.choice(words)
        said[name] += "."
    else:
        said["unheard_of"] = True
    return event._replace(payload=canonical(said))


def random_id(chance: Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def write(connection: Connection, event: Envelope, sequence: int) -> None:
    columns = ", ".join(f"{name} = :{name}" for name in Envelope._fields)
    connection.execute(text(f"UPDATE events SET {columns} WHERE sequence = :at"), {**event._asdict(), "at": sequence})


def add(connection: Connection, event: Envelope) -> None:
    columns = ", ".join(f":{name}" for name in Envelope._fields)
    connection.execute(text(f"INSERT INTO events VALUES ({columns})"), event._asdict())


def delete(connection: Connection, first: int, last: int) -> None:
    connection.execute(
        text("DELETE FROM events WHERE sequence BETWEEN :first AND :last"), {"first": first, "last": last}
    )


def move(connection: Connection, before: int, after: int) -> None:
    connection.execute(
        text("UPDATE events SET sequence = :after WHERE sequence = :before"), {"before": before, "after": after}
    )


def moved_on(connection: Connection, after: int, end: int) -> None:
    for sequence in range(end, after, -1):
        move(connection, sequence, sequence + 1)


def agree(connection: Connection) -> None:
    """Have the head row say what the events do."""
    ledger = ledger_of(connection, "default")
    tree = Frontier().extend([one.leaf for one in ledger])
    configured = [one.sequence for one in ledger if one.type in CONFIGURATION]
    set_head(
        connection,
        position=len(ledger),
        root=tree.root(),
        frontier=tree.to_bytes(),
        recorded_at=ledger[-1].recorded_at,
        configured_at=max(configured, default=0),
    )


def set_head(connection: Connection, **values: Any) -> None:
    columns = ", ".join(f"{name} = :{name}" for name in values)
    connection.execute(text(f"UPDATE ledgers SET {columns}"), values)
