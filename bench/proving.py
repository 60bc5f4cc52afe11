"""What proof costs: the tree as events are appended, proofs over a long ledger, and looking at all that is stored."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from uuid import uuid4

from app.database.prefetch import NOTHING, Changes
from app.database.tables import events
from app.domain.moment import to_micros
from app.events import store
from app.events.envelope import Envelope, cloud_event
from app.events.merkle import HASH_SIZE
from app.events.store import Cause, Draft, Head, position, read_all
from app.operations.checking import Asked, check
from app.operations.follow import catch_up
from app.operations.house import House
from app.operations.tree_nodes import FOLLOWER, node_of
from app.proof.assurance import assure
from app.proof.events import from_envelope
from app.proof.tree import consistency, inclusion
from bench.ledger import EVENT, KEY, NOON, all_recorded, appending, opened_house, submission
from bench.measure import Aim, Line, Scale, compare

_PAGE = 2000


def appending_through_the_tree(scale: Scale) -> list[Line]:
    """Events appended with their leaves and the frontier, against the same without any hash."""
    count = scale.pick(8000, 500)
    with (
        opened_house(f"sqlite:///{scale.folder / 'tree.db'}") as house,
        opened_house(f"sqlite:///{scale.folder / 'bare.db'}") as bare,
    ):
        ours, without = appending(house, count), appending(bare, count, _Treeless)

        def yardstick() -> float:
            with _no_leaves():
                return without()

        return [compare("append_sqlite_with_tree", "events/s", yardstick, ours, Aim("at least", 0.9), scale.rounds)]


def proofs(scale: Scale) -> list[Line]:
    """Inclusion and consistency over a long ledger, against the same over a short one: it grows with the logarithm."""
    many, few = scale.pick(1_000_000, 20_000), scale.pick(10_000, 1_000)
    with (
        opened_house(f"sqlite:///{scale.folder / 'long.db'}") as large,
        opened_house(f"sqlite:///{scale.folder / 'short.db'}") as small,
    ):
        for house, size in ((large, many), (small, few)):
            _filled(house, size)
            catch_up(house.database, house.batches.dialect, house.configurations, "default", FOLLOWER)
        line = compare(
            f"proofs_over_{many}_against_{few}",
            "proofs/s",
            lambda: _proved(small, few),
            lambda: _proved(large, many),
            Aim("at least", 0.5),
            scale.rounds,
        )
        return [line]


def checking(scale: Scale) -> list[Line]:
    """`check` and assurance over a ledger, against plain SHA-256 over the texts of its events."""
    with opened_house(f"sqlite:///{scale.folder / 'events.db'}") as house:
        count = _filled(house, scale.pick(1_000_000, 20_000))
        quick = _compared("check_quick", house, count, lambda: _checked(house, quick=True), scale)
    with opened_house(f"sqlite:///{scale.folder / 'reports.db'}") as house:
        reports = scale.pick(30_000, 600)
        for first in range(0, reports, _PAGE):
            numbers = range(first, min(first + _PAGE, reports))
            all_recorded(house.try_all([submission(house, number) for number in numbers]))
        with house.database.read() as connection:
            count = position(connection, "default")
        whole = _compared("check_with_replay", house, count, lambda: _checked(house, quick=False), scale)
        assured = _compared("assure", house, count, lambda: _assured(house, count), scale)
    return [quick, whole, assured]


class _Treeless(Head):
    """The head of a ledger that nobody could prove anything of."""

    def values(self) -> dict[str, Any]:
        return {
            "organisation": self.organisation,
            "position": self.position,
            "recorded_at": self.recorded_at,
            "configured_at": self.configured_at,
            "root": bytes(HASH_SIZE),
            "frontier": bytes(HASH_SIZE * self.position.bit_count()),
        }


@contextmanager
def _no_leaves() -> Iterator[None]:
    hashing = store.sealed_with_leaf
    store.sealed_with_leaf = lambda envelope: Envelope(*envelope[:-1], bytes(HASH_SIZE))
    try:
        yield
    finally:
        store.sealed_with_leaf = hashing


def _filled(house: House, count: int) -> int:
    """A ledger of so many events on streams of their own, written as the writer writes them; how many there are."""
    hot = house.batches.dialect
    while True:
        with house.database.write() as connection:
            (row,), _, _ = hot.begin_batch(connection, ["default"], 0, NOTHING)
            missing = min(_PAGE, count - row.position)
            if missing <= 0:
                return row.position
            head = Head(row)
            drafts = [Draft(f"bench/{uuid4()}", 0, [EVENT]) for _ in range(missing)]
            appended = head.append(Cause(str(uuid4()), KEY.name), drafts, to_micros(NOON))
            hot.write(connection, Changes(inserts={events: [one.envelope for one in appended]}), [head.values()])


def _proved(house: House, size: int) -> float:
    """Each with a reader of its own, as each request has."""
    asked = 200
    began = time.perf_counter()
    for number in range(asked):
        with house.database.read() as connection:
            node = node_of(connection, "default")
            inclusion(1 + number * 7919 % size, size, node)
            consistency(1 + number * 104_729 % size, size, node)
    return 2 * asked / (time.perf_counter() - began)


def _compared(name: str, house: House, count: int, ours: Callable[[], None], scale: Scale) -> Line:
    def hashed() -> None:
        with house.database.read() as connection:
            for page in read_all(connection, "default", up_to=count):
                for envelope in page:
                    sha256(cloud_event(envelope, with_leaf=False).encode()).digest()

    line = compare(f"{name}_{count}", "events/s", _rate(hashed, count), _rate(ours, count), None, scale.rounds)
    unit = 1 if sys.platform == "darwin" else 1024
    line.notes["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return line


def _rate(work: Callable[[], None], count: int) -> Callable[[], float]:
    def measured() -> float:
        began = time.perf_counter()
        work()
        return count / (time.perf_counter() - began)

    return measured


def _checked(house: House, *, quick: bool) -> None:
    found = check(house.database, house.master, Asked(quick=quick)).findings
    assert found == [], found[:3]


def _assured(house: House, count: int) -> None:
    with house.database.read() as connection:
        pages = read_all(connection, "default", up_to=count)
        assure(
            (from_envelope(envelope) for page in pages for envelope in page),
            since=None,
            until=None,
            at=to_micros(NOON),
        )
