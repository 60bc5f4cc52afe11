"""The hashes of the tree's complete subtrees of 64 leaves and more: a proof reads a few of them, and never a ledger.

A follower, so that what is recorded need not wait for it; whoever asks computes from the leaves what it has not come
to. It heeds every event and looks at its leaf only, so what follows the ledger (`advance`) reads nothing else of it.
With the last leaf of a block the block's node is written, and each node above that this one completes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, or_, select

from app.database.tables import events, ledger_nodes
from app.events.catalogue import CATALOGUE
from app.events.envelope import Told
from app.events.merkle import node_hash
from app.projections.context import Context
from app.proof.tree import cover

TABLES = (ledger_nodes,)
HEEDS = tuple(entry.event for entry in CATALOGUE.values())

LEAST = 6
"""The lowest level that is kept: what is below is computed from 64 leaves, which lie next to each other."""
BLOCK = 1 << LEAST
PAGE = 4096
"""Leaves that are followed at once: a multiple of a block."""


@dataclass(slots=True)
class _Growing:
    """Where the nodes end: complete blocks, the peaks over them, and the leaves of the next one so far."""

    blocks: int
    peaks: list[bytes]
    leaves: list[bytes]


def apply(context: Context, told: Told[Any]) -> None:
    """Take in the leaf of one event."""
    growing = context.kept.get("tree")
    if growing is None:
        growing = context.kept["tree"] = _begun(context, told.envelope.sequence - 1)
    _grow(context, growing, [told.envelope.leaf])


def advance(context: Context, place: int, end: int) -> int:
    """Go on from one sequence towards another, by the leaves alone; returns how far it has come."""
    first = place // BLOCK * BLOCK
    reached = min(end, first + PAGE)
    if reached // BLOCK == place // BLOCK:
        return reached  # No block is full.
    growing = _begun(context, first)
    _grow(context, growing, leaves_of(context.rows.connection, context.ledger, first, reached // BLOCK * BLOCK))
    return reached


def leaves_of(connection: Connection, organisation: str, start: int, stop: int) -> list[bytes]:
    """The leaf hashes [start, stop) of a ledger, counted from 0."""
    event = events.c
    chosen = (
        select(event.leaf)
        .where(event.organisation == organisation, event.sequence > start, event.sequence <= stop)
        .order_by(event.sequence)
    )
    return [bytes(leaf) for leaf in connection.execute(chosen).scalars()]


def _begun(context: Context, size: int) -> _Growing:
    """The tree over so many leaves, as far as its nodes are written."""
    blocks = size // BLOCK
    context.rows.flush()
    wanted = cover(0, blocks)
    leaves = leaves_of(context.rows.connection, context.ledger, blocks * BLOCK, size)
    return _Growing(blocks, _peaks(context, [(level + LEAST, ordinal) for level, ordinal in wanted]), leaves)


def _peaks(context: Context, wanted: list[tuple[int, int]]) -> list[bytes]:
    """The nodes over all blocks so far, the largest first; one that somebody took away is computed, as readers do."""
    if not wanted:
        return []
    row = ledger_nodes.c
    named = or_(*(and_(row.level == level, row.ordinal == ordinal) for level, ordinal in wanted))
    chosen = select(row.level, row.hash).where(row.organisation == context.organisation, named)
    found = {one[0]: bytes(one[1]) for one in context.rows.connection.execute(chosen)}
    return [found.get(level) or _from_leaves(context, level, ordinal) for level, ordinal in wanted]


def _from_leaves(context: Context, level: int, ordinal: int) -> bytes:
    leaves = leaves_of(context.rows.connection, context.ledger, ordinal << level, ordinal + 1 << level)
    return root_of_block(leaves)


def _grow(context: Context, growing: _Growing, leaves: Iterable[bytes]) -> None:
    for leaf in leaves:
        growing.leaves.append(leaf)
        if len(growing.leaves) < BLOCK:
            continue
        level, ordinal, node = LEAST, growing.blocks, root_of_block(growing.leaves)
        context.rows.insert(ledger_nodes, (context.organisation, level, ordinal, node))
        while ordinal & 1:
            node = node_hash(growing.peaks.pop(), node)
            level, ordinal = level + 1, ordinal >> 1
            context.rows.insert(ledger_nodes, (context.organisation, level, ordinal, node))
        growing.peaks.append(node)
        growing.blocks += 1
        growing.leaves.clear()


def root_of_block(leaves: list[bytes]) -> bytes:
    """The hash over as many leaves as a power of two."""
    while len(leaves) > 1:
        leaves = [node_hash(leaves[at], leaves[at + 1]) for at in range(0, len(leaves), 2)]
    return leaves[0]
