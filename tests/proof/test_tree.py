"""Proofs of the ledger's tree are those of RFC 9162, and nothing else passes for one."""

import random
from collections.abc import Callable, Iterator

import pytest

from app.events.merkle import EMPTY_ROOT
from app.proof.tree import (
    Range,
    consistency,
    cover,
    inclusion,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from tests.proof.rfc9162 import Tree, hash_of_leaf, includes, is_consistent

MOST = 5000
LEAVES = [hash_of_leaf(b"event %d" % n) for n in range(MOST)]
TREE = Tree(LEAVES)


def node(level: int, index: int) -> bytes:
    return TREE.mth(index << level, index + 1 << level)


def sizes(count: int, least: int = 1) -> Iterator[tuple[int, random.Random]]:
    """Random sizes of a ledger, small ones among them, with what draws the rest."""
    chance = random.Random(9162)
    for n in range(count):
        yield chance.randint(least, MOST if n % 2 else 40), chance


def test_roots_and_proofs_of_2000_sizes_are_those_of_the_rfc() -> None:
    for size, chance in sizes(2000):
        sequence, first = chance.randint(1, size), chance.randint(1, size)

        assert root_of(size, node) == TREE.mth(0, size)
        assert inclusion(sequence, size, node) == TREE.path(sequence - 1, 0, size)
        assert consistency(first, size, node) == TREE.proof(first, size)


def test_proofs_of_2000_sizes_are_accepted_here_and_by_the_rfc() -> None:
    for size, chance in sizes(2000):
        sequence, first = chance.randint(1, size), chance.randint(1, size)
        leaf, root, first_root = LEAVES[sequence - 1], TREE.mth(0, size), TREE.mth(0, first)

        path, proof = inclusion(sequence, size, node), consistency(first, size, node)

        assert verify_inclusion(leaf, sequence, size, path, root)
        assert includes(leaf, sequence - 1, size, path, root)
        assert verify_consistency(first, first_root, size, root, proof)
        assert first == size or is_consistent(first, size, first_root, root, proof)


def test_every_proof_of_a_small_ledger_is_that_of_the_rfc() -> None:
    for size in range(1, 34):
        for first in range(1, size + 1):
            assert inclusion(first, size, node) == TREE.path(first - 1, 0, size)
            assert consistency(first, size, node) == TREE.proof(first, size)
            assert verify_inclusion(LEAVES[first - 1], first, size, inclusion(first, size, node), TREE.mth(0, size))
            assert verify_consistency(
                first, TREE.mth(0, first), size, TREE.mth(0, size), consistency(first, size, node)
            )


Forgery = Callable[[random.Random, list[bytes]], list[bytes]]


def one_bit_turned(chance: random.Random, path: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(path))
    turned = bytearray(path[at])
    turned[chance.randrange(32)] ^= 1 << chance.randrange(8)
    return [*path[:at], bytes(turned), *path[at + 1 :]]


def two_swapped(chance: random.Random, path: list[bytes]) -> list[bytes]:
    if len(path) < 2:
        return one_bit_turned(chance, path)
    at = chance.randrange(len(path) - 1)
    return [*path[:at], path[at + 1], path[at], *path[at + 2 :]]


def one_lost(chance: random.Random, path: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(path))
    return path[:at] + path[at + 1 :]


def one_too_many(chance: random.Random, path: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(path) + 1)
    return [*path[:at], chance.choice([*path, chance.randbytes(32)]), *path[at:]]


def one_cut_short(chance: random.Random, path: list[bytes]) -> list[bytes]:
    at = chance.randrange(len(path))
    return [*path[:at], path[at][:31], *path[at + 1 :]]


FORGERIES: list[Forgery] = [one_bit_turned, two_swapped, one_lost, one_too_many, one_cut_short]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_1000_forged_paths_of_each_kind_and_proof_are_refused(forge: Forgery) -> None:
    """With what follows, 10,000 forgeries."""
    for size, chance in sizes(1000, least=2):
        sequence, first = chance.randint(1, size), chance.randint(1, size - 1)
        root, first_root = TREE.mth(0, size), TREE.mth(0, first)
        path, proof = inclusion(sequence, size, node), consistency(first, size, node)

        assert not verify_inclusion(LEAVES[sequence - 1], sequence, size, forge(chance, path), root)
        assert not verify_consistency(first, first_root, size, root, forge(chance, proof))


def test_honest_paths_prove_nothing_else() -> None:
    for size, chance in sizes(500, least=2):
        sequence, first = chance.randint(1, size), chance.randint(1, size - 1)
        leaf, root, first_root = LEAVES[sequence - 1], TREE.mth(0, size), TREE.mth(0, first)
        path, proof = inclusion(sequence, size, node), consistency(first, size, node)
        other = chance.randbytes(32)

        assert not verify_inclusion(other, sequence, size, path, root)
        assert not verify_inclusion(leaf, sequence, size, path, other)
        assert not verify_inclusion(leaf, sequence % size + 1, size, path, root)
        assert not verify_inclusion(leaf, size + 1, size, path, root)
        assert not verify_inclusion(leaf, 0, size, path, root)
        assert not verify_consistency(first, other, size, root, proof)
        assert not verify_consistency(first, first_root, size, other, proof)
        assert not verify_consistency(size, root, first, first_root, proof)
        assert not verify_consistency(0, EMPTY_ROOT, size, root, proof)
        assert not verify_consistency(size, root, size, other, [])
        assert not verify_consistency(size, root, size, root, [other])
        assert not verify_consistency(first, first_root, size, root, [])


def test_what_is_not_in_a_ledger_is_not_proven() -> None:
    for wrong in (0, 4, -1):
        with pytest.raises(ValueError, match="not in a ledger of 3 events"):
            inclusion(wrong, 3, node)
        with pytest.raises(ValueError, match="not the beginning of one of 3"):
            consistency(wrong, 3, node)


def test_complete_subtrees_cover_any_run_of_leaves_and_merge_to_its_root() -> None:
    for size, chance in sizes(500):
        start = chance.randint(0, size)
        left, right = cover(0, start), cover(start, size)
        tree = Range()

        for level, index in left + right:
            assert tree.size == index << level
            tree.add(level, node(level, index))

        assert (tree.size, tree.root()) == (size, TREE.mth(0, size))
        assert len(right) <= 2 * size.bit_length()


def test_a_cover_takes_the_largest_complete_subtree_each_time() -> None:
    assert cover(0, 8) == [(3, 0)]
    assert cover(3, 11) == [(0, 3), (2, 1), (1, 4), (0, 10)]
    assert cover(5, 5) == []
    with pytest.raises(ValueError, match="no leaves"):
        cover(5, 4)


def test_a_walk_takes_no_subtree_that_does_not_begin_where_it_is() -> None:
    tree = Range()
    tree.add(0, LEAVES[0])

    with pytest.raises(ValueError, match="No complete subtree of level 1 begins after 1 leaves"):
        tree.add(1, LEAVES[1])


def test_an_empty_ledger_has_the_hash_of_nothing_as_its_root() -> None:
    assert root_of(0, _never) == Range().root() == TREE.mth(0, 0)


def test_a_proof_asks_for_few_nodes() -> None:
    asked: list[tuple[int, int]] = []

    def counted(level: int, index: int) -> bytes:
        asked.append((level, index))
        return bytes(32)

    inclusion(777_777, 10**6, counted)
    consistency(777_777, 10**6, counted)

    assert len(asked) <= 4 * (10**6).bit_length()


def _never(level: int, index: int) -> bytes:
    raise AssertionError((level, index))
