"""proofs.json: the hashes that stand for what a pack leaves out, written and read piece by piece.

It is canonical JSON, so its fields come in one order: `consistency`, `omitted`, `root`, `size`.
"""

from binascii import b2a_base64
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Struct, field

from app.proof.pack_layout import PROOFS
from app.proof.pack_manifest import bytes_of
from app.proof.tree import cover
from app.proof.verdict import NotIntact, wrong

_MOST = 1 << 16
"""A run has at most two hashes for each bit of its size."""
_OMITTED = b'"omitted":['


class Run(NamedTuple):
    """Events `first` to `last` are left out; `nodes`: the subtrees of `tree.cover(first - 1, last)`."""

    first: int
    last: int
    nodes: Sequence[bytes]


class Consistency(NamedTuple):
    """That the ledger of `first` events is the beginning of the one of `second` (RFC 9162 §2.1.4)."""

    first: int
    second: int
    path: Sequence[bytes]


class _SaidRun(Struct, frozen=True, forbid_unknown_fields=True):
    first: Annotated[int, Meta(ge=1, le=2**53 - 1)] = field(name="from")
    nodes: list[str]
    last: Annotated[int, Meta(ge=1, le=2**53 - 1)] = field(name="to")


class _SaidConsistency(Struct, frozen=True, forbid_unknown_fields=True):
    first: Annotated[int, Meta(ge=1, le=2**53 - 1)] = field(name="from")
    path: list[str]
    second: Annotated[int, Meta(ge=1, le=2**53 - 1)] = field(name="to")


def proofs_text(size: int, root: bytes, runs: Iterable[Run], consistency: Consistency | None) -> Generator[bytes]:
    """proofs.json, piece by piece."""
    yield b"{"
    if consistency is not None:
        first, second, path = consistency
        yield f'"consistency":{{"from":{first},"path":{_nodes_text(path)},"to":{second}}},'.encode()
    yield _OMITTED
    comma = ""
    for first, last, nodes in runs:
        yield f'{comma}{{"from":{first},"nodes":{_nodes_text(nodes)},"to":{last}}}'.encode()
        comma = ","
    yield f'],"root":"{_text(root)}","size":{size}}}'.encode()


class Proofs:
    """proofs.json as it is read: `consistency` at once, then `runs` once, from left to right."""

    def __init__(self, pieces: Iterator[bytes], size: int, root: bytes) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._tail = f'],"root":"{_text(root)}","size":{size}}}'.encode()
        self.consistency = self._head()

    def runs(self) -> Generator[Run]:
        """The runs; after the last one the rest of the member is checked."""
        former = 0
        comma = b""
        self._fill(len(self._tail) + 1)
        while not self._buffer.startswith(b"]"):
            self._expect(comma)
            comma = b","
            text = self._object()
            try:
                said = msgspec.json.decode(text, type=_SaidRun)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                raise _bad(f"The run after event {former} is not written as a run.") from None
            run = Run(said.first, said.last, [bytes_of(node, "A node of proofs.json") for node in said.nodes])
            if text != f'{{"from":{run.first},"nodes":{_nodes_text(run.nodes)},"to":{run.last}}}'.encode():
                raise _bad(f"The run after event {former} is not canonical JSON.")
            if run.first < former + 1 or run.last < run.first:
                raise _bad(f"The run from {run.first} to {run.last} does not come after event {former}.")
            if len(run.nodes) != len(cover(run.first - 1, run.last)):
                raise _bad(f"The run from {run.first} to {run.last} has {len(run.nodes)} hashes, not what it needs.")
            former = run.last + 1  # Else the two would be one run.
            yield run
            self._fill(len(self._tail) + 1)
        if self._buffer != self._tail or next(self._pieces, None):
            raise _bad("proofs.json does not end with the checkpoint's root and size.")

    def _head(self) -> Consistency | None:
        self._fill(len(b'{"consistency":'))
        self._expect(b"{")
        found = None
        if self._buffer.startswith(b'"consistency":'):
            self._expect(b'"consistency":')
            text = self._object()
            try:
                said = msgspec.json.decode(text, type=_SaidConsistency)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                raise _bad("Its consistency proof is not written as one.") from None
            path = [bytes_of(node, "A node of the consistency proof") for node in said.path]
            found = Consistency(said.first, said.second, path)
            if text != f'{{"from":{found.first},"path":{_nodes_text(path)},"to":{found.second}}}'.encode():
                raise _bad("Its consistency proof is not canonical JSON.")
            self._fill(len(_OMITTED) + 1)
            self._expect(b",")
        self._fill(len(_OMITTED))
        self._expect(_OMITTED)
        return found

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size and (piece := next(self._pieces, b"")):
            self._buffer += piece

    def _expect(self, text: bytes) -> None:
        if not self._buffer.startswith(text):
            raise _bad(f"It is not written as docs/evidence.md says: {text.decode()!r} is missing.")
        self._buffer = self._buffer[len(text) :]

    def _object(self) -> bytes:
        """The next flat object: it ends at the first brace."""
        while (end := self._buffer.find(b"}")) < 0:
            if len(self._buffer) > _MOST or not (piece := next(self._pieces, b"")):
                raise _bad("It ends, or goes on too long, within a proof.")
            self._buffer += piece
        text, self._buffer = self._buffer[: end + 1], self._buffer[end + 1 :]
        return text


def _nodes_text(nodes: Sequence[bytes]) -> str:
    return "[" + ",".join([f'"{_text(node)}"' for node in nodes]) + "]"


def _text(node: bytes) -> str:
    return b2a_base64(node, newline=False).decode()


def _bad(detail: str) -> NotIntact:
    return wrong("proofs", f"proofs.json cannot be used. {detail}", PROOFS)
