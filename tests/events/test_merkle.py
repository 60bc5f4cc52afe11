"""The frontier against the roots of Certificate Transparency's own test tree and against RFC 9162 read literally."""

from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.events.merkle import Frontier, leaf_hash, node_hash

INPUTS = [
    bytes.fromhex(data)
    for data in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [  # Of the first n inputs: certificate-transparency's reference tree.
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
RANDOM_SIZES = [Random(9162).randrange(300, 5_000) for _ in range(6)]


def tree_hash(inputs: list[bytes]) -> bytes:
    """MTH of RFC 9162 §2.1.1, from the leaves down and with nothing of the code under test."""
    match inputs:
        case []:
            return sha256(b"").digest()
        case [only]:
            return sha256(b"\x00" + only).digest()
        case _:
            split = 1
            while split * 2 < len(inputs):
                split *= 2
            return sha256(b"\x01" + tree_hash(inputs[:split]) + tree_hash(inputs[split:])).digest()


def frontier_over(inputs: list[bytes]) -> Frontier:
    return Frontier().extend(leaf_hash(data) for data in inputs)


def entries(size: int) -> list[bytes]:
    return [f"event {sequence}".encode() for sequence in range(1, size + 1)]


@pytest.mark.parametrize("size", range(9))
def test_the_reference_tree_has_its_published_root(size: int) -> None:
    frontier = frontier_over(INPUTS[:size])

    assert frontier.root().hex() == ROOTS[size]


def test_every_size_up_to_300_has_the_root_of_the_definition() -> None:
    inputs = entries(300)
    frontier = Frontier()

    for size in range(301):
        assert (frontier.size, frontier.root()) == (size, tree_hash(inputs[:size]))
        if size < 300:
            frontier = frontier.append(leaf_hash(inputs[size]))


@pytest.mark.parametrize("size", RANDOM_SIZES)
def test_a_large_tree_has_the_root_of_the_definition(size: int) -> None:
    inputs = entries(size)

    frontier = frontier_over(inputs)

    assert frontier.root() == tree_hash(inputs)


@given(st.lists(st.integers(0, 40), max_size=8))
def test_however_a_ledger_is_cut_into_appends_it_ends_at_the_same_frontier(batches: list[int]) -> None:
    inputs = entries(sum(batches))
    at_once = frontier_over(inputs)

    stored, position = b"", 0
    for batch in batches:
        arrived = inputs[position : position + batch]
        frontier = Frontier.from_bytes(stored, position).extend(leaf_hash(data) for data in arrived)
        stored, position = frontier.to_bytes(), frontier.size

    assert Frontier.from_bytes(stored, position) == at_once


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 300])
def test_a_frontier_is_stored_in_32_bytes_for_each_bit_of_its_size(size: int) -> None:
    frontier = frontier_over(entries(size))

    assert len(frontier.to_bytes()) == 32 * size.bit_count()


def test_what_is_appended_to_a_frontier_leaves_the_former_one_alone() -> None:
    before = frontier_over(entries(5))
    root = before.root()

    before.append(leaf_hash(b"rolled back"))

    assert (before.size, before.root()) == (5, root)


@pytest.mark.parametrize(("stored", "size"), [(b"", 1), (bytes(32), 0), (bytes(32), 3), (bytes(31), 1), (b"", -1)])
def test_bytes_that_do_not_belong_to_the_size_are_refused(stored: bytes, size: int) -> None:
    with pytest.raises(ValueError, match="does not belong"):
        Frontier.from_bytes(stored, size)


def test_a_leaf_never_passes_for_a_node() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")

    assert leaf_hash(left + right) != node_hash(left, right)
