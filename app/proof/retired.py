"""Keys that were retired: they stay good for what they signed before, and for nothing after.

A time is known of a pack, which says when it was made, and of a checkpoint of events, of which the last was recorded
before anybody could sign it. Both can be written by whoever signs: a key that leaked still signs for the time before it
was retired, and only what somebody kept elsewhere tells that from what was signed then.
"""

from collections.abc import Iterable, Mapping

from app.domain.moment import format_instant, from_micros
from app.proof.note import NoteRefused, key_id_of, read_note

LEEWAY = 60_000_000
"""Microseconds: what was being signed while the key was retired."""


def is_retired(key: bytes, retired: Mapping[bytes, int], at: int) -> bool:
    """Whether a key had been retired before an instant, in microseconds."""
    since = retired.get(key)
    return since is not None and at > since + LEEWAY


def refuse_retired(note: str, keys: Iterable[bytes], retired: Mapping[bytes, int], at: int | None) -> None:
    """NoteRefused: only keys that had been retired by then signed a note; None: no time is known."""
    if at is None:
        return
    every = list(keys)
    late = [key for key in every if is_retired(key, retired, at)]
    if not late:
        return
    try:
        read_note(note, [key for key in every if key not in late])
    except NoteRefused:
        (key, *_) = [key for key in late if _signed(note, key)] or late
        since = format_instant(from_micros(retired[key]))
        raise NoteRefused(
            f"The key {key_id_of(key)} was retired at {since}, and is said to have signed what came later."
        ) from None


def _signed(note: str, key: bytes) -> bool:
    try:
        read_note(note, [key])
    except NoteRefused:
        return False
    return True
