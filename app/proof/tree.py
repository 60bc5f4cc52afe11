"""Proofs in the Merkle tree of a ledger: that an event is in it, and that it was only ever added to (RFC 9162 §2.1).

Whoever makes a proof asks for complete subtrees only, by level and index, and for one or two of each level: what a
proof costs grows with the logarithm of the ledger. Whoever checks one needs the proof and two roots, and no ledger.
Sequences count from 1, leaves from 0.
"""

from collections.abc import Callable, Sequence
from functools import reduce

from app.events.merkle import EMPTY_ROOT, HASH_SIZE, node_hash

Node = Callable[[int, int], bytes]
"""`node(level, index)`: the hash of the complete subtree over the leaves [index · 2^level, (index + 1) · 2^level)."""


def cover(start: int, stop: int) -> list[tuple[int, int]]:
    """The fewest complete subtrees, as (level, index) from left to right, that hold the leaves [start, stop)."""
    if not 0 <= start <= stop:
        raise ValueError(f"There are no leaves from {start} to {stop}.")
    found: list[tuple[int, int]] = []
    while start < stop:
        fits = (stop - start).bit_length() - 1
        level = min(fits, _trailing_zeros(start)) if start else fits
        found.append((level, start >> level))
        start += 1 << level
    return found


def root_of(size: int, node: Node) -> bytes:
    """The root of the tree over the first `size` leaves."""
    return _hash_of(0, size, node) if size else EMPTY_ROOT


def inclusion(sequence: int, size: int, node: Node) -> list[bytes]:
    """The path from the leaf of one event to the root of the tree of that size (RFC 9162 §2.1.3.1)."""
    if not 1 <= sequence <= size:
        raise ValueError(f"Event {sequence} is not in a ledger of {size} events.")
    leaf, start, stop = sequence - 1, 0, size
    siblings: list[tuple[int, int]] = []
    while stop - start > 1:
        half = start + _half(stop - start)
        if leaf < half:
            siblings.append((half, stop))
            stop = half
        else:
            siblings.append((start, half))
            start = half
    return [_hash_of(*sibling, node) for sibling in reversed(siblings)]


def consistency(first: int, second: int, node: Node) -> list[bytes]:
    """The proof that the tree of the first size is the beginning of the tree of the second (RFC 9162 §2.1.4.1)."""
    if not 1 <= first <= second:
        raise ValueError(f"A ledger of {first} events is not the beginning of one of {second}.")
    start, stop, whole = 0, second, True
    parts: list[tuple[int, int]] = []
    while stop != first:
        half = start + _half(stop - start)
        if first <= half:
            parts.append((half, stop))
            stop = half
        else:
            parts.append((start, half))
            start, whole = half, False
    if not whole:  # The verifier knows the first root already when it is itself a complete subtree of the second.
        parts.append((start, stop))
    return [_hash_of(*part, node) for part in reversed(parts)]


def verify_inclusion(leaf_hash: bytes, sequence: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path leads from the leaf hash at this sequence to the root of that size (RFC 9162 §2.1.3.2)."""
    if not 1 <= sequence <= size or not _are_hashes(leaf_hash, *path):
        return False
    place, last, found = sequence - 1, size - 1, leaf_hash
    for node in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(node, found)
            shift = _trailing_zeros(place) if place else last.bit_length()
        else:
            found, shift = node_hash(found, node), 0
        place, last = place >> shift + 1, last >> shift + 1
    return last == 0 and found == root


def verify_consistency(first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves the tree of the first size the beginning of the second one (RFC 9162 §2.1.4.2)."""
    if not 1 <= first <= second or not _are_hashes(first_root, second_root, *path):
        return False
    if first == second:
        return not path and first_root == second_root
    if not path:
        return False
    nodes = [first_root, *path] if first & (first - 1) == 0 else [*path]
    shift = _trailing_zeros(first)
    place, last = (first - 1) >> shift, (second - 1) >> shift
    then = now = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            then, now = node_hash(node, then), node_hash(node, now)
            shift = _trailing_zeros(place) if place else last.bit_length()
        else:
            now, shift = node_hash(now, node), 0
        place, last = place >> shift + 1, last >> shift + 1
    return last == 0 and then == first_root and now == second_root


class Range:
    """The tree so far of a walk over the leaves from left to right, in steps of complete subtrees."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, level: int, node: bytes) -> None:
        """Go on with the complete subtree that begins here. ValueError: none of that level does."""
        if level < 0 or self.size & ((1 << level) - 1):
            raise ValueError(f"No complete subtree of level {level} begins after {self.size} leaves.")
        complete = self.size >> level
        while complete & 1:
            node = node_hash(self._peaks.pop(), node)
            complete >>= 1
        self._peaks.append(node)
        self.size += 1 << level

    def root(self) -> bytes:
        """The root over all leaves so far."""
        return reduce(lambda right, left: node_hash(left, right), reversed(self._peaks)) if self._peaks else EMPTY_ROOT


def _hash_of(start: int, stop: int, node: Node) -> bytes:
    """The hash over the leaves [start, stop), which begin where a complete subtree as long as they are would."""
    *rest, found = [node(level, index) for level, index in cover(start, stop)]
    for left in reversed(rest):
        found = node_hash(left, found)
    return found


def _half(count: int) -> int:
    """The largest power of two below a count above one: where RFC 9162 parts a tree."""
    return 1 << (count - 1).bit_length() - 1


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _are_hashes(*nodes: bytes) -> bool:
    return all(len(node) == HASH_SIZE for node in nodes)
