"""The ledger's part of a pack: the events that are in, and the proof that everything else is only left out.

One walk from the first event to the last. What is in becomes a line, as every reader of the ledger is sent it; a run of
what is not becomes the fewest nodes of the tree that cover it. Both together lead to the root that is signed: a ledger
that does not is never packed. The assurance listens to the lines as they are written.
"""

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import IO, Any

from app.domain import adoption
from app.domain.adoption import INITIAL
from app.domain.moment import to_micros
from app.domain.policy import Policy
from app.events.canonical import canonical
from app.events.codec import decode
from app.events.envelope import Envelope, cloud_event
from app.events.merkle import Frontier, leaf_hash, node_hash
from app.events.store import read_all, read_stream
from app.operations.configuration import POLICY_STREAM
from app.operations.pack_case import Case
from app.operations.pack_scope import Scope
from app.proof.assurance import assure
from app.proof.events import Event, from_envelope
from app.proof.note import base64_of
from app.proof.pack_format import PackWriter

PAGE = 2000


class LedgerChanged(Exception):
    """The ledger does not lead to its own root: `forewarn check` says where it was changed."""


class Run:
    """Leaves that follow one another, as the fewest complete subtrees of the whole tree that hold them."""

    def __init__(self, first: int) -> None:
        self.first = first
        self._nodes: list[tuple[int, int, bytes]] = []

    def add(self, sequence: int, leaf: bytes) -> None:
        """The next leaf."""
        level, index, node = 0, sequence - 1, leaf
        while index & 1 and self._nodes and self._nodes[-1][:2] == (level, index - 1):
            node = node_hash(self._nodes.pop()[2], node)
            level, index = level + 1, index >> 1
        self._nodes.append((level, index, node))

    def document(self, last: int) -> dict[str, Any]:
        """The run up to a sequence, as proofs.json tells it."""
        return {"from": self.first, "to": last, "nodes": [base64_of(node) for *_, node in self._nodes]}


def settled_scope(case: Case) -> Scope:
    """What is in, learned in a first walk over the ledger."""
    scope = Scope(case.since, case.until, widest_window(case), longest_cooldown(case), case.services)
    for page in pages(case, "looking through the ledger"):
        for envelope in page:
            scope.hear(envelope)
            if scope.heeds(envelope):
                scope.take(from_envelope(envelope))
    scope.settle()
    return scope


def pages(case: Case, what: str) -> Iterator[list[Envelope]]:
    """The ledger up to the pack's sequence, page by page, each in a transaction of its own."""
    after = 0
    while after < case.size:
        case.told(what, after, case.size)
        with case.reader() as reader:
            read = read_all(reader.connection, case.organisation, up_to=case.size, after=after, page=PAGE)
            page = next(read, list[Envelope]())
        if not page:
            raise LedgerChanged(f"The ledger ends before event {case.size}.")
        yield page
        after = page[-1].sequence


def policies(case: Case) -> list[tuple[int, Policy]]:
    """Every version of the policy up to the pack's sequence, with the microsecond from which it was in force."""
    with case.reader() as reader:
        adopted = read_stream(reader.connection, case.organisation, POLICY_STREAM, case.size)
    versions = [(one.recorded_at, adoption.evolve(INITIAL, decode(one))) for one in adopted]
    return [(0, INITIAL), *versions]


def widest_window(case: Case) -> int:
    """The widest window that any rule ever had, in microseconds."""
    return max((rule.window.longest for _, policy in policies(case) for rule in policy.rules), default=0)


def longest_cooldown(case: Case) -> int:
    """The longest time, in microseconds, for which any rule ever put off what came after a review."""
    spans = (rule.cooldown for _, policy in policies(case) for rule in policy.rules)
    return max((span.longest for span in spans if span is not None), default=0)


def write_ledger(
    case: Case, scope: Scope, pack: PackWriter, root: bytes, path: Sequence[bytes], heard: Callable[[Envelope], None]
) -> dict[str, Any]:
    """Write ledger.jsonl, proofs.json and assurance.json; returns the assurance.

    `heard` is told every event that is in; `path` is the proof that the ledger of the pack before is its beginning.
    """
    with tempfile.TemporaryFile() as omitted:
        with pack.member("ledger.jsonl") as lines:
            walk = _Walk(case, scope, lines.write, omitted)
            told = walk.events(heard)
            assurance = assure(
                told,
                since=case.since,
                until=case.until,
                at=to_micros(case.asked.made_at),
                services=frozenset(case.services) or None,
                sees_governance=not case.asked.services,
            )
            for _ in told:  # What the assurance had no need of is in all the same.
                pass
        if walk.root() != root:
            raise LedgerChanged("The ledger does not lead to its root.")
        _write_proofs(case, pack, root, path, omitted)
    pack.add("assurance.json", canonical(assurance).encode())
    return assurance


class _Walk:
    """The second walk over the ledger."""

    def __init__(self, case: Case, scope: Scope, write: Callable[[str], object], omitted: IO[bytes]) -> None:
        self._case = case
        self._scope = scope
        self._write = write
        self._omitted = omitted
        self._frontier = Frontier()
        self._run: Run | None = None
        self._runs = 0

    def events(self, heard: Callable[[Envelope], None]) -> Generator[Event]:
        """Every event that is in, once its line is written."""
        for page in pages(self._case, "writing the ledger"):
            for envelope in page:
                if not self._scope.holds(envelope):
                    self._leave_out(envelope)
                    continue
                self._end_run(envelope.sequence - 1)
                if leaf_hash(cloud_event(envelope, with_leaf=False).encode()) != envelope.leaf:
                    raise LedgerChanged(f"Event {envelope.sequence} is not what its hash says.")
                self._write(cloud_event(envelope) + "\n")
                heard(envelope)
                yield from_envelope(envelope)
            self._frontier = self._frontier.extend([envelope.leaf for envelope in page])
        self._end_run(self._case.size)

    def root(self) -> bytes:
        """The root over all leaves."""
        return self._frontier.root()

    def _leave_out(self, envelope: Envelope) -> None:
        if self._run is None:
            self._run = Run(envelope.sequence)
        self._run.add(envelope.sequence, envelope.leaf)

    def _end_run(self, last: int) -> None:
        if self._run is not None:
            told = canonical(self._run.document(last))
            self._omitted.write(f"{',' if self._runs else ''}{told}".encode())
            self._runs += 1
            self._run = None


def _write_proofs(case: Case, pack: PackWriter, root: bytes, path: Sequence[bytes], omitted: IO[bytes]) -> None:
    previous = case.asked.previous
    with pack.member("proofs.json") as proofs:
        proofs.write("{")
        if previous is not None:
            told = {"from": previous.size, "to": case.size, "path": [base64_of(one) for one in path]}
            proofs.write(f'"consistency":{canonical(told)},')
        proofs.write('"omitted":[')
        omitted.seek(0)
        while piece := omitted.read(1 << 16):
            proofs.write(piece)
        proofs.write(f'],"root":"{base64_of(root)}","size":{case.size}}}')
