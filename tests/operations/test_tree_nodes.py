"""The ledger's nodes: kept or computed they are the same, and a proof in a large ledger reads little of it."""

import pytest
from sqlalchemy import delete, func, select

from app.database.tables import events, ledger_nodes
from app.operations import follow
from app.operations.follow import catch_up, place_of, step
from app.operations.rebuild import rebuild
from app.operations.tree_nodes import FOLLOWER, node_of
from app.projections.ledger_nodes import BLOCK, LEAST, PAGE
from app.proof.tree import consistency, inclusion, root_of
from tests.office import Office, opened
from tests.operations.witnessing import fill, statements
from tests.proof.rfc9162 import Tree


def follow_on(office: Office, *, to_the_end: bool = True) -> int:
    house = office.house
    said = (house.database, house.batches.dialect, house.configurations, office.organisation, FOLLOWER)
    return catch_up(*said) if to_the_end else step(*said)


def kept(office: Office) -> dict[tuple[int, int], bytes]:
    row = ledger_nodes.c
    with office.house.database.read() as connection:
        found = connection.execute(select(row.level, row.ordinal, row.hash))
        return {(level, ordinal): bytes(node) for level, ordinal, node in found}


def complete(leaves: list[bytes]) -> dict[tuple[int, int], bytes]:
    """Every complete subtree of the levels that are kept, by the RFC's own definition."""
    tree, found, level = Tree(leaves), {}, LEAST
    while len(leaves) >> level:
        for ordinal in range(len(leaves) >> level):
            found[level, ordinal] = tree.mth(ordinal << level, ordinal + 1 << level)
        level += 1
    return found


def test_the_follower_keeps_every_complete_subtree_from_its_least_level_on(database_url: str) -> None:
    with opened(database_url) as office:
        leaves = fill(office, 10 * BLOCK + 7)

        follow_on(office)

        assert kept(office) == complete(leaves)


def test_a_ledger_that_grows_event_by_event_has_the_same_nodes(database_url: str) -> None:
    with opened(database_url) as office:
        for size in (BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1, 3 * BLOCK + 1, 4 * BLOCK, 8 * BLOCK + 1):
            leaves = fill(office, size)

            assert follow_on(office) == size
            assert kept(office) == complete(leaves)


def test_a_ledger_from_before_is_followed_page_by_page(database_url: str) -> None:
    with opened(database_url) as office:
        leaves = fill(office, 2 * PAGE + 100)

        reached = [follow_on(office, to_the_end=False) for _ in range(4)]

        assert reached == [PAGE, 2 * PAGE, 2 * PAGE + 100, 2 * PAGE + 100]
        assert kept(office) == complete(leaves)


def test_nothing_but_leaves_is_read_for_it(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(database_url) as office:
        fill(office, 5 * BLOCK)
        monkeypatch.setattr(follow, "read_after", None)

        assert follow_on(office) == 5 * BLOCK


@pytest.mark.parametrize("place", [0, 1, 3 * BLOCK + 5, 9 * BLOCK])
def test_roots_and_proofs_are_right_wherever_the_follower_is(place: int, database_url: str) -> None:
    size = 9 * BLOCK + 33
    with opened(database_url) as office:
        if place:
            fill(office, max(place, len(office.ledger())))
            follow_on(office)
        tree = Tree(fill(office, size))
        with office.house.database.read() as connection:
            assert place_of(connection, office.organisation, FOLLOWER) <= max(place, 2)
            node = node_of(connection, office.organisation)
            for at in (1, 2, BLOCK, BLOCK + 1, 5 * BLOCK - 1, size - 1, size):
                assert root_of(at, node) == tree.mth(0, at)
                assert inclusion(at, size, node) == tree.path(at - 1, 0, size)
                assert consistency(at, size, node) == tree.proof(at, size)


def test_nodes_that_are_being_made_anew_are_computed(database_url: str) -> None:
    with opened(database_url) as office:
        tree = Tree(fill(office, 4 * BLOCK))
        follow_on(office)
        with office.house.database.write() as connection:
            connection.execute(delete(ledger_nodes))

        with office.house.database.read() as connection:
            assert root_of(4 * BLOCK, node_of(connection, office.organisation)) == tree.mth(0, 4 * BLOCK)


def test_what_is_beyond_the_ledger_has_no_node(database_url: str) -> None:
    with opened(database_url) as office:
        fill(office, BLOCK + 1)
        with office.house.database.read() as connection:
            node = node_of(connection, office.organisation)
            for level, index in ((0, BLOCK + 1), (1, BLOCK // 2), (LEAST, 1), (LEAST + 1, 0)):
                with pytest.raises(LookupError):
                    node(level, index)


def test_a_proof_in_a_large_ledger_reads_little_of_it(database_url: str) -> None:
    size = 70_001
    with opened(database_url) as office:
        tree = Tree(fill(office, size))
        follow_on(office)
        for at in (1, 40_000, 65_536, 65_537, size):
            with office.house.database.read() as connection:
                with statements(connection) as asked:
                    path = inclusion(at, size, node_of(connection, office.organisation))
                    proof = consistency(at, size, node_of(connection, office.organisation))

                assert path == tree.path(at - 1, 0, size)
                assert proof == tree.proof(at, size)
                assert sum("events" in one for one in asked) <= 5  # Each of them 64 leaves.
                assert len(asked) <= 2 * 2 * size.bit_length()


def test_the_nodes_are_a_small_part_of_the_ledger(database_url: str) -> None:
    with opened(database_url) as office:
        fill(office, 64 * BLOCK)
        follow_on(office)

        with office.house.database.read() as connection:
            nodes = connection.execute(select(func.count()).select_from(ledger_nodes)).scalar_one()
            leaves = connection.execute(select(func.count()).select_from(events)).scalar_one()

        assert nodes == 127
        assert nodes < leaves / 32


def test_nodes_that_somebody_took_away_make_no_wrong_ones(database_url: str) -> None:
    with opened(database_url) as office:
        fill(office, 3 * BLOCK)
        follow_on(office)
        with office.house.database.write() as connection:
            connection.execute(delete(ledger_nodes))
        right = complete(fill(office, 8 * BLOCK))

        follow_on(office)

        assert kept(office).items() <= right.items()
        assert (LEAST + 3, 0) in kept(office)
        rebuild(office.house, office.organisation, FOLLOWER)
        assert kept(office) == right
