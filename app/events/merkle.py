"""The Merkle tree over an organisation's ledger (RFC 9162 §2.1), kept as its frontier.

A tree of n leaves is a row of perfect subtrees, one for each bit set in n. Their roots, the peaks, are all that the
head row holds: enough to append and to know the root, never a leaf again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()

_AT_ONCE = 2047
"""For more than this, hashlib hands the interpreter to another thread, and waits longer for it than it hashes."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data). The prefixes keep a leaf from ever passing for a node (second preimages)."""
    hashed = sha256(b"\x00")
    for start in range(0, len(data), _AT_ONCE):
        hashed.update(data[start : start + _AT_ONCE])
    return hashed.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The compact range of the tree over `size` leaves: its peaks, the largest subtree first.

    Frozen, so that what a rolled-back transaction appended is forgotten by forgetting its value.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """The frontier after one more leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """The frontier after more leaf hashes, in ledger order: less than one node hash a leaf on average."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            peak, complete = leaf, size
            while complete & 1:  # Each trailing one of the size is a subtree that finds its right half in this one.
                peak = node_hash(peaks.pop(), peak)
                complete >>= 1
            peaks.append(peak)
            size += 1
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        """The Merkle tree hash of all leaves; SHA-256 of nothing for none."""
        if not self.peaks:
            return EMPTY_ROOT
        *rest, root = self.peaks
        for peak in reversed(rest):
            root = node_hash(peak, root)
        return root

    def to_bytes(self) -> bytes:
        """The peaks one after another: 32 bytes for each bit set in the size."""
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, data: bytes, size: int) -> "Frontier":
        """The frontier that `to_bytes` wrote. ValueError: as many bytes do not belong to that size."""
        if size < 0 or len(data) != HASH_SIZE * size.bit_count():
            raise ValueError(f"A frontier of {len(data)} bytes does not belong to a ledger of {size} events.")
        return cls(size, tuple(data[start : start + HASH_SIZE] for start in range(0, len(data), HASH_SIZE)))
