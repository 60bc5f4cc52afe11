"""A ledger held against itself, from its rows as they are stored: the first event that is not as it was written.

Every leaf is computed anew, sequences run on without a gap and streams without a missing version, recorded time never
runs backwards, an id is given once, a payload is the canonical text of an event. At the end the tree over the leaves
must be the one whose position, root and peaks the head row holds.

What is remembered of an event are 40 bytes, so that a million of them are looked at in one walk and in little memory.
"""

from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from app.events.canonical import canonical
from app.events.catalogue import CONFIGURATION
from app.events.codec import UnknownEvent, decode
from app.events.envelope import Envelope, sealed_with_leaf
from app.events.merkle import Frontier

if TYPE_CHECKING:
    import numpy as np

_AT_ONCE = 1000
_ID_SIZE = 16
_KINDS: tuple[type, ...] = (str, int, str, str, int, str, int, int, int, str, str, object, str, bytes)


class Integrity:
    """Follows one organisation's ledger in order; `finish` says what only its end can.

    `first_bad`: the sequence of the first event that is wrong or missing, with `why` as a sentence. Where the evidence
    tells no more than that something up to `until` was changed, `first_bad` is where that stretch begins; else both are
    the same. `newer`: the first event that only a newer release can read, which is no damage.
    """

    def __init__(self, organisation: str) -> None:
        self.organisation = organisation
        self.first_bad: int | None = None
        self.until: int | None = None
        self.why: str | None = None
        self.newer: int | None = None
        self.recorded_at = 0
        self.configured_at = 0
        self._position = 0
        self._frontier = Frontier()
        self._leaves: list[bytes] = []
        self._ids = bytearray()
        self._streams = bytearray()
        self._versions = array("q")

    @property
    def frontier(self) -> Frontier:
        """The tree over the leaves as they were computed anew, up to the first bad event."""
        if self._leaves:
            self._frontier = self._frontier.extend(self._leaves)
            self._leaves.clear()
        return self._frontier

    @property
    def followed(self) -> int:
        """How many events were found well one after another."""
        return self._position

    def follow(self, envelope: Envelope) -> None:
        """Look at the next row. After the first bad one nothing more is to be learnt: the rest hangs on it."""
        if self.first_bad is not None:
            return
        expected = self._position + 1
        if envelope.sequence != expected:
            self._bad(expected, f"Event {expected} is missing: after it comes {envelope.sequence!r}.")
            return
        if (why := self._wrong_with(envelope)) is not None:
            self._bad(expected, why)
            return
        self._position = expected
        self.recorded_at = envelope.recorded_at
        if envelope.type in CONFIGURATION:
            self.configured_at = expected
        self._leaves.append(envelope.leaf)
        self._ids += bytes.fromhex(envelope.event_id.replace("-", ""))
        self._streams += blake2b(envelope.stream.encode(), digest_size=_ID_SIZE).digest()
        self._versions.append(envelope.version)
        if len(self._leaves) >= _AT_ONCE:
            _ = self.frontier

    def finish(self, position: int, root: bytes, frontier: bytes | None = None) -> None:
        """Hold what was followed against the head row; afterwards `first_bad` is final."""
        self._look_back()
        if self.first_bad is not None:
            return
        if position > self._position:
            missing = self._position + 1
            self._bad(missing, f"Event {missing} is missing: the head row counts {position} events.")
        elif position < self._position:
            self._bad(
                position + 1, f"Event {position + 1} stands beyond the end, which the head row puts at {position}."
            )
        else:
            self._hold_against_head(root, frontier)

    def _wrong_with(self, envelope: Envelope) -> str | None:
        sequence = envelope.sequence
        if not all(isinstance(value, kind) for value, kind in zip(envelope, _KINDS, strict=True)):
            return f"Event {sequence} holds a value of another kind than its column's."
        if envelope.organisation != self.organisation:
            return f"Event {sequence} belongs to another organisation."
        if envelope.causation_id is not None and not (isinstance(envelope.causation_id, str) and envelope.causation_id):  # pyright: ignore[reportUnnecessaryIsInstance] - a damaged row holds anything
            return f"Event {sequence} names its cause by an empty text."
        try:
            if sealed_with_leaf(envelope).leaf != envelope.leaf:
                return f"Event {sequence} is not what its leaf hash was computed from."
            if len(bytes.fromhex(envelope.event_id.replace("-", ""))) != _ID_SIZE:
                return f"The id of event {sequence} is no UUID."
            if canonical(msgspec.json.decode(envelope.payload)) != envelope.payload:
                return f"The payload of event {sequence} is not canonical JSON."
        except (ValueError, TypeError, OverflowError, msgspec.MsgspecError):
            return f"Event {sequence} cannot be written out as it is stored."
        if envelope.version < 1:
            return f"Event {sequence} stands at version {envelope.version} of its stream."
        if envelope.recorded_at < self.recorded_at:
            return f"Event {sequence} was recorded before the event that it follows."
        return self._unreadable(envelope)

    def _unreadable(self, envelope: Envelope) -> str | None:
        try:
            decode(envelope)
        except UnknownEvent:
            self.newer = self.newer or envelope.sequence
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError):
            return f"The payload of event {envelope.sequence} is none of a {envelope.type} v{envelope.schema_version}."
        return None

    def _look_back(self) -> None:
        """Ids and stream versions, for the whole walk at once; the earliest of all that is wrong is the first bad."""
        for sequence, why in (self._first_repeated_id(), self._first_wrong_version()):
            if sequence is not None and (self.first_bad is None or sequence < self.first_bad):
                self._bad(sequence, why.format(sequence))

    def _first_repeated_id(self) -> tuple[int | None, str]:
        order, same = _runs(self._ids)
        repeated = order[1:][same]
        return (int(repeated.min()) + 1 if repeated.size else None), "Event {} bears the id of an earlier one."

    def _first_wrong_version(self) -> tuple[int | None, str]:
        import numpy as np

        order, same = _runs(self._streams)
        versions = np.frombuffer(self._versions, dtype=np.int64)[order]
        expected = np.ones_like(versions)
        expected[1:][same] = versions[:-1][same] + 1
        wrong = order[versions != expected]
        return (int(wrong.min()) + 1 if wrong.size else None), "Event {} is not the next one of its stream."

    def _hold_against_head(self, root: bytes, frontier: bytes | None) -> None:
        mine = self.frontier
        if frontier is not None and frontier != mine.to_bytes():
            first, last = self._first_other_peak(frontier)
            self._bad(first, f"Something in events {first} to {last} is not what the head row was computed from.", last)
        elif root != mine.root():
            why = "The head row's root is not that of its events."
            exact = frontier is not None  # Its peaks are those of the events: only the root itself is wrong.
            self._bad(max(self._position, 1) if exact else 1, why, max(self._position, 1))

    def _first_other_peak(self, frontier: bytes) -> tuple[int, int]:
        """The stretch of the first subtree that differs; all of it when the bytes are not even as many."""
        start = 0
        try:
            theirs = Frontier.from_bytes(frontier, self._position).peaks
        except ValueError:
            return 1, max(self._position, 1)
        for mine, other in zip(self.frontier.peaks, theirs, strict=True):
            size = 1 << (self._position - start).bit_length() - 1
            if mine != other:
                return start + 1, start + size
            start += size
        raise AssertionError("The bytes differ, so one of the peaks does.")

    def _bad(self, sequence: int, why: str, until: int | None = None) -> None:
        self.first_bad, self.until, self.why = sequence, sequence if until is None else until, why


def _runs(names: bytearray) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """The places of 16-byte names sorted by name, first come first; and for each but the first, if it repeats."""
    import numpy as np

    pairs = np.frombuffer(bytes(names), dtype=np.uint64).reshape(-1, 2)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))  # Stable: within one name in the order of the ledger.
    ordered = pairs[order]
    return order, (ordered[1:] == ordered[:-1]).all(axis=1)
