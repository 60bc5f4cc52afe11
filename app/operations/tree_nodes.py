"""The nodes of a ledger's tree, for whoever makes a proof: kept ones read, the others computed from the leaves.

What a proof reads grows with the logarithm of the ledger: a row for each node of a level that is kept, and for the
levels below the 64 leaves of a block, at its own place and at the tree's right edge.
"""

from sqlalchemy import Connection, select

from app.database.tables import ledger_nodes
from app.events.merkle import node_hash
from app.operations.follow import place_of
from app.projections.ledger_nodes import BLOCK, LEAST, leaves_of
from app.proof.tree import Node

FOLLOWER = "ledger_nodes"
_BLOCKS_KEPT = 64
"""Blocks of leaves that one reader remembers; whoever asks from left to right reads each of them once."""
_NODES_KEPT = 100_000


def node_of(connection: Connection, organisation: str) -> Node:
    """The nodes of an organisation's tree, as far as its ledger is in this connection's transaction.

    Only complete subtrees can be asked for. LookupError: the ledger is shorter.
    """
    return _Nodes(connection, organisation)


class _Nodes:
    """Remembers what it has read and computed, within bounds: a proof asks for neighbours."""

    def __init__(self, connection: Connection, organisation: str) -> None:
        self._connection = connection
        self._organisation = organisation
        self._kept_up_to = place_of(connection, organisation, FOLLOWER) // BLOCK
        self._blocks: dict[int, list[list[bytes]]] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def __call__(self, level: int, index: int) -> bytes:
        if level <= LEAST:
            block, within = divmod(index << level, BLOCK)
            if level < LEAST or block >= self._kept_up_to:
                return self._levels_of(block)[level][within >> level]
        known = self._nodes.get((level, index))
        if known is None:
            known = self._read(level, index) or self._computed(level, index)
            if len(self._nodes) >= _NODES_KEPT:
                self._nodes.clear()
            self._nodes[level, index] = known
        return known

    def _read(self, level: int, index: int) -> bytes | None:
        if index + 1 << level - LEAST > self._kept_up_to:
            return None
        row = ledger_nodes.c
        chosen = select(row.hash).where(
            row.organisation == self._organisation, row.level == level, row.ordinal == index
        )
        found = self._connection.execute(chosen).scalar()
        return None if found is None else bytes(found)

    def _computed(self, level: int, index: int) -> bytes:
        """From below: the follower has not come here, or its rows are being made anew."""
        if level == LEAST:
            return self._levels_of(index)[LEAST][0]
        return node_hash(self(level - 1, 2 * index), self(level - 1, 2 * index + 1))

    def _levels_of(self, block: int) -> list[list[bytes]]:
        """The leaves of a block, and every complete node over them: [level][index within the block]."""
        known = self._blocks.get(block)
        if known is None:
            known = self._blocks[block] = self._made(block)
            if len(self._blocks) > _BLOCKS_KEPT:
                del self._blocks[next(iter(self._blocks))]
        return known

    def _made(self, block: int) -> list[list[bytes]]:
        below = leaves_of(self._connection, self._organisation, block * BLOCK, (block + 1) * BLOCK)
        levels = [below]
        for _ in range(LEAST):
            below = [node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)]
            levels.append(below)
        return levels
