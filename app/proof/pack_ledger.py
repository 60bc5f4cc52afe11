"""ledger.jsonl walked once: every event is what its leaf says, in its place, and the tree over all is the signed one.

What is remembered of an event are 56 bytes, so that a million of them are walked in little memory. What only shows
over all of them, a version that a stream lacks or an id given twice, is looked for at the end, and also when something
later is wrong: the first thing wrong is the one that is named.
"""

from array import array
from binascii import b2a_base64
from collections.abc import Generator, Iterable, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from app.events.canonical import canonical
from app.events.envelope import instant
from app.events.merkle import leaf_hash
from app.proof.events import Event, from_cloud_event
from app.proof.note import Checkpoint, NoteRefused, read_note, unsigned
from app.proof.pack_layout import LEDGER, PROOFS
from app.proof.pack_manifest import Manifest, micros_of
from app.proof.pack_proofs import Run
from app.proof.tree import Range, cover
from app.proof.verdict import NotIntact, wrong

if TYPE_CHECKING:
    import numpy as np

_NAMES = frozenset(
    {"actor", "correlationid", "data", "id", "leafhash", "occurredat", "sequence", "source", "specversion"}
    | {"streamversion", "subject", "time", "type"}
)
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 16
_encode = msgspec.json.Encoder(order="sorted").encode
_LEAF = b'"leafhash":"'
_LEAF_SIZE = len(_LEAF) + 64 + 2
KINDS = ("near_miss", "escalation", "review", "action")
"""What the pack lists by id, beside the events."""


class Walk:
    """Takes the lines and the runs between them; after `events` is exhausted everything it holds is proven."""

    def __init__(self, manifest: Manifest, lines: Iterable[bytes], runs: Iterator[Run], watched: Iterable[int]) -> None:
        self._manifest = manifest
        self._lines = lines
        self._runs = runs
        self._run = next(runs, None)
        self._tree = Range()
        self._watched = frozenset(watched)
        self._recorded_at = 0
        self._since = micros_of(manifest.period.since) or 0
        self._until = micros_of(manifest.period.until) or 0
        self._proven = 0
        self._leaf = b""
        self._has_floats = False
        self._decode = msgspec.json.Decoder(dict[str, Any], float_hook=self._float).decode
        self._sequences = array("q")
        self._versions = array("q")
        self._streams = bytearray()
        self._ids = bytearray()
        self.roots: dict[int, bytes] = {}
        """The roots at the watched sizes, where the walk comes by them."""
        self.subjects = {kind: bytearray() for kind in KINDS}
        """A digest of each subject of these kinds, 16 bytes each."""
        self.line = 0
        self.sequence: int = 0
        self.omitted = 0
        self.omitted_in_period = 0
        """Those that may have been recorded in the period: what comes before them was so before its end, and what
        follows not before its beginning.
        """
        self.run_count = 0

    @property
    def included(self) -> int:
        return len(self._sequences)

    def events(self) -> Generator[Event]:
        """The events one after another. NotIntact: the first thing wrong with them."""
        try:
            for text in self._lines:
                self.line += 1
                yield self._take(text)
            self._pass_over(self._manifest.as_of_sequence + 1, self._since)
            if self._run is not None:
                raise wrong("omitted", "proofs.json leaves out events beyond the checkpoint's size.", PROOFS)
            self._hold_against_root()
        except NotIntact as later:
            self._look_back(later)
            raise
        self._look_back(None)

    def _take(self, text: bytes) -> Event:
        event = self._read(text)
        if event.sequence <= self.sequence:
            raise self._bad("order", f"Event {event.sequence} comes after event {self.sequence}.", event.sequence)
        if event.sequence > self._manifest.as_of_sequence:
            detail = f"Event {event.sequence} is beyond the checkpoint's {self._manifest.as_of_sequence}."
            raise self._bad("order", detail, event.sequence)
        self._pass_over(event.sequence, event.recorded_at)
        if event.recorded_at < self._recorded_at:
            detail = f"Event {event.sequence} was recorded before the event that it follows."
            raise self._bad("time", detail, event.sequence)
        self._remember(event)
        if event.type == "ledger.checkpointed":
            self._hold_against_own(event)
        self._add(0, self._leaf)
        self.sequence, self._recorded_at = event.sequence, event.recorded_at
        return event

    def _read(self, text: bytes) -> Event:
        """The event of a line that is canonical, complete and hashes to its leaf."""
        expected = self._expected()
        self._has_floats = False
        try:
            document: dict[str, Any] = self._decode(text)
            is_canonical = self._is_canonical(document, text)
            event = from_cloud_event(document)
        except (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError) as error:
            why = "it nests too deeply" if isinstance(error, RecursionError) else str(error).rstrip(".")[:200]
            raise self._bad("event", f"Line {self.line} holds no event ({why}).", expected) from None
        if not is_canonical:
            raise self._bad("canonical", f"Event {event.sequence} is not written canonically.", event.sequence)
        if _NAMES.symmetric_difference(document) - {"causationid"} or document["specversion"] != "1.0":
            raise self._bad("event", f"Event {event.sequence} has other attributes than an event has.", event.sequence)
        place = text.rfind(
            _LEAF
        )  # The last one is the event's own: behind it come only texts, where quotes are escaped.
        self._leaf = leaf_hash(text[:place] + text[place + _LEAF_SIZE :])
        if self._leaf.hex() != document["leafhash"]:
            raise self._bad("leaf", f"Event {event.sequence} is not what its leaf hash was made of.", event.sequence)
        if event.organisation != self._manifest.organisation:
            raise self._bad("event", f"Event {event.sequence} is another organisation's.", event.sequence)
        if instant(event.occurred_at) != document["occurredat"] or instant(event.recorded_at) != document["time"]:
            raise self._bad("event", f"Event {event.sequence} tells times as no event does.", event.sequence)
        return event

    def _float(self, text: str) -> float:
        self._has_floats = True
        return float(text)

    def _is_canonical(self, document: dict[str, Any], text: bytes) -> bool:
        """The encoder's order and numbers are canonical where all is ASCII and no number is a float, or a long one."""
        if text.isascii() and not self._has_floats and _LONG not in text.translate(_DIGITS):
            return _encode(document) == text
        return canonical(document).encode() == text

    def _pass_over(self, sequence: int, recorded_at: int) -> None:
        """Take the run of hashes that stands for what is left out before this event, and when that was recorded."""
        missing = self.sequence + 1
        if sequence == missing:
            return
        run = self._run
        if run is None or (run.first, run.last) != (missing, sequence - 1):
            first = missing if run is None or run.first != missing else min(run.last + 1, sequence)
            detail = f"Event {first} is missing: it is neither in ledger.jsonl nor among what proofs.json leaves out."
            if run is not None and run.first == missing and run.last >= sequence:
                detail = f"Event {sequence} stands in ledger.jsonl, and proofs.json says that it is left out."
            raise self._bad("dropped", detail, first)
        for (level, _), node in zip(cover(run.first - 1, run.last), run.nodes, strict=True):
            self._add(level, node)
        self._run = next(self._runs, None)
        self.sequence = run.last
        length = run.last - run.first + 1
        self.omitted += length
        if self._recorded_at < self._until and recorded_at >= self._since:
            self.omitted_in_period += length
        self.run_count += 1

    def _expected(self) -> int:
        """The event that the line should be when it cannot be read."""
        following = self.sequence + 1
        return self._run.last + 1 if self._run is not None and self._run.first == following else following

    def _add(self, level: int, node: bytes) -> None:
        self._tree.add(level, node)
        if self._tree.size in self._watched:
            self.roots[self._tree.size] = self._tree.root()

    def _remember(self, event: Event) -> None:
        self._sequences.append(event.sequence)
        self._versions.append(event.version)
        self._streams += _digest(event.stream)
        self._ids += _digest(event.id)
        if event.version == 1 and (subjects := self.subjects.get(event.kind)) is not None:
            subjects += _digest(event.subject)

    def _hold_against_own(self, event: Event) -> None:
        """The ledger's own checkpoints part it into stretches: which one was changed can be told by them."""
        try:
            root, note = event.data["root"], unsigned(event.data["signed_note"])
            if self._manifest.key.key_id == event.data["key_id"]:
                note = read_note(event.data["signed_note"], [self._manifest.public_key])
            told = Checkpoint(note.origin, event.data["size"], note.root)
        except (KeyError, TypeError, AttributeError, NoteRefused):
            raise self._bad(
                "checkpoint", f"Event {event.sequence} is a checkpoint without a note.", event.sequence
            ) from None
        if told != note or b2a_base64(note.root, newline=False).decode() != root:
            detail = f"Event {event.sequence} is a checkpoint whose note says something else."
            raise self._bad("checkpoint", detail, event.sequence)
        if note.size == self._tree.size:
            if note.root != self._tree.root():
                first, last = self._proven + 1, self._tree.size
                detail = (
                    f"Something in events {first} to {last} was changed: event {event.sequence} tells another root."
                )
                raise wrong("root", detail, LEDGER, sequence=first, until=last)
            self._proven = note.size

    def _hold_against_root(self) -> None:
        if self._tree.root() == self._manifest.root:
            return
        first, last = self._proven + 1, self._manifest.as_of_sequence
        detail = (
            f"Something in events {first} to {last} was changed: the tree over them is not the one that was signed."
        )
        raise wrong("root", detail, LEDGER, sequence=first, until=last)

    def _look_back(self, later: NotIntact | None) -> None:
        """Raise what is wrong with versions and ids, unless what was found already comes before it."""
        found = [one for one in (self._first_gap(), self._first_twice()) if one is not None]
        place, code, detail = min(found, default=(0, "", ""))
        if found and (later is None or later.problem.sequence is None or place <= later.problem.sequence):
            line = self._sequences.index(place) + 1
            raise wrong(code, detail, LEDGER, line=line, sequence=place) from None

    def _first_gap(self) -> tuple[int, str, str] | None:
        import numpy as np

        order, same = _runs(self._streams)
        versions = np.frombuffer(self._versions, dtype=np.int64)[order]
        expected = np.ones_like(versions)
        expected[1:][same] = versions[:-1][same] + 1
        wrong_ones = order[versions != expected]
        if not wrong_ones.size:
            return None
        place = int(wrong_ones.min())
        sequence, version = self._sequences[place], self._versions[place]
        wanted = int(expected[order == place][0])
        detail = f"Version {wanted} of its stream was dropped before event {sequence}, which is version {version}."
        return sequence, "stream", detail

    def _first_twice(self) -> tuple[int, str, str] | None:
        order, same = _runs(self._ids)
        repeated = order[1:][same]
        if not repeated.size:
            return None
        sequence = self._sequences[int(repeated.min())]
        return sequence, "id", f"Event {sequence} bears the id of an earlier one."

    def _bad(self, code: str, detail: str, sequence: int) -> NotIntact:
        return wrong(code, detail, LEDGER, line=self.line, sequence=sequence)


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


def _runs(names: bytearray) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """The places of 16-byte names sorted by name, first come first; and for each but the first, if it repeats."""
    import numpy as np

    pairs = np.frombuffer(bytes(names), dtype=np.uint64).reshape(-1, 2)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    ordered = pairs[order]
    return order, (ordered[1:] == ordered[:-1]).all(axis=1)
