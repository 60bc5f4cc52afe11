"""The ledger of one organisation walked once from its first row: against itself, its kept nodes and its checkpoints.

Rows are read as they are stored, without a type that could refuse or mend what is damaged.
"""

import json
import re
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from app.database.tables import events
from app.events.envelope import Envelope
from app.events.merkle import EMPTY_ROOT, node_hash
from app.operations.finding import Finding
from app.proof.integrity import Integrity
from app.proof.note import Checkpoint, NoteRefused, read_note
from app.proof.retired import refuse_retired

PAGE = 2000
CHECKPOINTED = "ledger.checkpointed"

_COLUMNS = ", ".join(events.c.keys())
_READ = text(
    f"SELECT {_COLUMNS} FROM events WHERE organisation = :organisation AND sequence > :after "  # noqa: S608
    "ORDER BY sequence LIMIT :limit"
)
_HEAD = text(
    "SELECT position, recorded_at, configured_at, root, frontier FROM ledgers WHERE organisation = :organisation"
)
_NOTED = text(
    "SELECT sequence, recorded_at, payload FROM events WHERE organisation = :organisation AND type = :type "
    "ORDER BY sequence"
)
_NODES = text("SELECT level, ordinal, hash FROM ledger_nodes WHERE organisation = :organisation")
_SEALED = re.compile(r'"key":"(k_[a-z2-7]{26})","sealed":"[^"]*"(?:,"token":"([^"]*)")?')


@dataclass(frozen=True, slots=True)
class Stated:
    """A root that was put on record: in the event of a sequence, or outside (`at` None)."""

    size: int
    root: bytes
    at: int | None = None


@dataclass(slots=True)
class Walked:
    """What the walk came to. `is_readable`: something can be made of every event; `is_sound`: nothing was found."""

    position: int
    root: bytes
    is_readable: bool
    is_sound: bool


class Walk:
    """One walk; `findings` afterwards. `sealed` is told, page by page, the keys and tokens that the payloads name."""

    def __init__(
        self,
        connection: Connection,
        organisation: str,
        outside: Sequence[Checkpoint] = (),
        retired: Mapping[bytes, int] | None = None,
    ) -> None:
        self.findings: list[Finding] = []
        self._connection = connection
        self._of = {"organisation": organisation}
        self._organisation = organisation
        self._integrity = Integrity(organisation)
        self._tree = _Tree()
        self._outside = outside
        self._retired = retired or {}
        self._good = 0
        self._other_node: tuple[int, int] | None = None

    def run(
        self,
        public_keys: Iterable[bytes],
        heard: Callable[[int], None],
        sealed: Callable[[set[str], set[str]], None],
    ) -> Walked:
        """Walk to the ledger's end."""
        head = self._connection.execute(_HEAD, self._of).one()
        nodes = {(row.level, row.ordinal): bytes(row.hash) for row in self._connection.execute(_NODES, self._of)}
        stated = self._stated(list(public_keys))
        waiting = iter(sorted(stated, key=lambda one: one.size))
        coming = next(waiting, None)
        for page in self._pages():
            keys, tokens = set[str](), set[str]()
            for envelope in page:
                while coming is not None and coming.size <= self._tree.size:
                    self._hold(coming)
                    coming = next(waiting, None)
                before = self._integrity.followed
                self._integrity.follow(envelope)
                if self._integrity.followed == before:
                    break
                self._grow(envelope.leaf, nodes)
                for key, token in _SEALED.findall(envelope.payload):
                    keys.add(key)
                    tokens.add(token) if token else None
            sealed(keys, tokens)
            heard(self._tree.size)
            if self._integrity.first_bad is not None:
                break
        while coming is not None and coming.size <= self._tree.size:
            self._hold(coming)
            coming = next(waiting, None)
        self._finish(head, [] if coming is None else [coming, *waiting], nodes)
        is_readable = not any(one.kind in {"event", "newer"} for one in self.findings)
        return Walked(self._tree.size, self._tree.root(), is_readable, not self.findings)

    def _pages(self) -> Iterator[list[Envelope]]:
        after, limit = 0, PAGE
        while True:
            asked = {**self._of, "after": after, "limit": limit}
            try:
                rows = [Envelope._make(row) for row in self._connection.execute(_READ, asked)]
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise
                if limit == 1:
                    why = f"Event {after + 1} cannot be read: {error.orig}."
                    self._tell("event", why, after + 1)
                    return
                limit = 1  # So that what can be read is, and the first that cannot is named.
                continue
            if rows:
                yield rows
            if len(rows) < limit:
                return
            if self._integrity.first_bad is not None:
                return
            after = rows[-1].sequence

    def _stated(self, public_keys: list[bytes]) -> list[Stated]:
        """What was recorded of the tree, as far as its signature holds; the rest is found wanting."""
        stated = [Stated(one.size, one.root) for one in self._outside]
        for row in self._connection.execute(_NOTED, {**self._of, "type": CHECKPOINTED}):
            try:
                document = json.loads(row.payload)
                size, root = int(document["size"]), a2b_base64(document["root"])
                noted = read_note(document["signed_note"], public_keys)
                at = row.recorded_at if isinstance(row.recorded_at, int) else None
                refuse_retired(document["signed_note"], public_keys, self._retired, at)
                if (noted.size, noted.root) != (size, root):
                    raise NoteRefused("It says one thing and its signed note another.")
                # One that counts itself, or more, has lost what came before it: no tree of this ledger has its root.
                stated.append(Stated(min(size, row.sequence - 1), root, row.sequence))
            except NoteRefused as refusal:
                self._tell(
                    "checkpoint", f"The checkpoint in event {row.sequence} does not hold: {refusal}", row.sequence
                )
            except (ValueError, TypeError, KeyError):
                self._tell("checkpoint", f"Event {row.sequence} holds no checkpoint.", row.sequence)
        return stated

    def _hold(self, stated: Stated) -> None:
        """Hold the tree as it is now, which has just that size, against what was put on record of it."""
        if self._tree.root() == stated.root:
            self._good = max(self._good, stated.size)
            return
        who = "a checkpoint from outside" if stated.at is None else f"the checkpoint in event {stated.at}"
        why = f"Something in events {self._good + 1} to {stated.size} was changed after {who} was made."
        self._tell("checkpoint", why, self._good + 1, stated.size)

    def _grow(self, leaf: bytes, nodes: dict[tuple[int, int], bytes]) -> None:
        for level, ordinal, found in self._tree.add(leaf):
            kept = nodes.pop((level, ordinal), None)
            if kept is not None and kept != found and self._other_node is None:
                self._other_node = (ordinal << level) + 1, ordinal + 1 << level

    def _finish(self, head: Row[Any], left: Sequence[Stated], nodes: Mapping[tuple[int, int], bytes]) -> None:
        if any(one.kind == "event" for one in self.findings):
            return
        walked, position = self._integrity, head.position
        walked.finish(position, bytes(head.root), bytes(head.frontier))
        if walked.first_bad is not None:
            self._tell("event", str(walked.why), walked.first_bad, walked.until)
        elif (head.recorded_at, head.configured_at) != (walked.recorded_at, walked.configured_at):
            self._tell("head", "The head row tells another time or configuration than its events.", position)
        if self._other_node is not None:
            first, last = self._other_node
            why = f"The node that is kept over events {first} to {last} is not theirs: it was changed, or they were."
            self._tell("node", why, first, last)
        if walked.first_bad is not None and walked.until == walked.first_bad:
            return
        for one in left:
            self._tell("ahead", f"A checkpoint counts {one.size} events, the ledger {position}.", position + 1)
        if nodes:
            self._tell("ahead", f"Nodes are kept of events beyond {position}.", position + 1)
        if walked.newer is not None:
            self._tell("newer", f"Event {walked.newer} was written by a newer release.", walked.newer)

    def _tell(self, kind: Any, detail: str, sequence: int, until: int | None = None) -> None:
        name = "ledger_nodes" if kind == "node" else None
        last = sequence if until is None else until
        self.findings.append(Finding(kind, detail, self._organisation, sequence, last, name))


class _Tree:
    """The tree of the walk so far, which tells of every complete subtree as its last leaf comes."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def add(self, node: bytes) -> list[tuple[int, int, bytes]]:
        """Go on with a leaf; the subtrees that it completes, itself the first of them."""
        level, ordinal = 0, self.size
        complete = [(level, ordinal, node)]
        while ordinal & 1:
            node = node_hash(self._peaks.pop(), node)
            level, ordinal = level + 1, ordinal >> 1
            complete.append((level, ordinal, node))
        self._peaks.append(node)
        self.size += 1
        return complete

    def root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        *rest, root = self._peaks
        for peak in reversed(rest):
            root = node_hash(peak, root)
        return root
