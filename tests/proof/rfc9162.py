"""RFC 9162 §2.1 as it is written: recursive definitions over lists of leaf hashes, and verifiers that follow its steps.

Nothing of the service is used here, so that what it proves is checked by somebody else.
"""

from collections.abc import Sequence
from hashlib import sha256


def hash_of_leaf(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def hash_of_children(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def largest_power_of_two_below(n: int) -> int:
    k = 1
    while 2 * k < n:
        k *= 2
    return k


class Tree:
    """MTH, PATH and SUBPROOF over D[n]; what MTH gave for a slice is remembered."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self._leaves = leaf_hashes
        self._known: dict[tuple[int, int], bytes] = {}

    def mth(self, start: int, stop: int) -> bytes:
        """MTH(D[start:stop])."""
        if start == stop:
            return sha256(b"").digest()
        if stop - start == 1:
            return self._leaves[start]
        if (start, stop) not in self._known:
            k = largest_power_of_two_below(stop - start)
            self._known[start, stop] = hash_of_children(self.mth(start, start + k), self.mth(start + k, stop))
        return self._known[start, stop]

    def path(self, m: int, start: int, stop: int) -> list[bytes]:
        """PATH(m, D[start:stop]), m counted from 0 within the slice."""
        if stop - start == 1:
            return []
        k = largest_power_of_two_below(stop - start)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, stop)]
        return [*self.path(m - k, start + k, stop), self.mth(start, start + k)]

    def proof(self, m: int, n: int) -> list[bytes]:
        """PROOF(m, D[n])."""
        return self._subproof(m, 0, n, True)

    def _subproof(self, m: int, start: int, stop: int, b: bool) -> list[bytes]:
        n = stop - start
        if m == n:
            return [] if b else [self.mth(start, stop)]
        k = largest_power_of_two_below(n)
        if m <= k:
            return [*self._subproof(m, start, start + k, b), self.mth(start + k, stop)]
        return [*self._subproof(m - k, start + k, stop, False), self.mth(start, start + k)]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """§2.1.3.2, step by step."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn % 2 == 1 or fn == sn:
            r = hash_of_children(p, r)
            while fn % 2 == 0 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            r = hash_of_children(r, p)
        fn >>= 1
        sn >>= 1
    return sn == 0 and r == root


def is_consistent(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """§2.1.4.2, step by step, for 0 < first < second."""
    if not path:
        return False
    nodes = list(path)
    if first & (first - 1) == 0:
        nodes.insert(0, first_root)
    fn, sn = first - 1, second - 1
    while fn % 2 == 1:
        fn >>= 1
        sn >>= 1
    fr = sr = nodes[0]
    for c in nodes[1:]:
        if sn == 0:
            return False
        if fn % 2 == 1 or fn == sn:
            fr = hash_of_children(c, fr)
            sr = hash_of_children(c, sr)
            while fn % 2 == 0 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            sr = hash_of_children(sr, c)
        fn >>= 1
        sn >>= 1
    return fr == first_root and sr == second_root and sn == 0
