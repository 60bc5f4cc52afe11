"""What was known of the ledger before this pack: an earlier pack, and checkpoints that a witness has kept."""

from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.proof.note import Checkpoint, NoteRefused, key_id_of, read_note
from app.proof.pack_layout import MANIFEST, PROOFS
from app.proof.pack_manifest import Manifest, bytes_of, check_retired
from app.proof.pack_members import read_head
from app.proof.pack_proofs import Consistency
from app.proof.tree import verify_consistency
from app.proof.verdict import NotIntact, unusable, wrong


class Earlier(NamedTuple):
    """A root that the ledger is said to have had; `pack_id` when a pack said so."""

    size: int
    root: bytes
    pack_id: str | None = None


def read_earlier(
    manifest: Manifest,
    trusted: Sequence[bytes],
    retired: Mapping[bytes, int],
    checkpoints: Sequence[str],
    previous: Path | None,
) -> list[Earlier]:
    """What the caller brings, each with its signature verified. NotIntact, unusable: it is no evidence itself."""
    return [
        *_of_pack(manifest, trusted, retired, previous),
        *(_of_note(manifest, trusted, text) for text in checkpoints),
    ]


def check_claim(manifest: Manifest, consistency: Consistency | None) -> None:
    """The ledger of the pack that this one names as the one before is the beginning of this one's."""
    claim = manifest.previous
    if (claim is None) != (consistency is None):
        raise wrong("consistency", "A previous pack is named without a proof, or proven without a name.", PROOFS)
    if claim is None or consistency is None:
        return
    root = bytes_of(claim.root, "previous.root")
    first, second, path = consistency
    if (first, second) != (claim.size, manifest.as_of_sequence) or not verify_consistency(
        first, root, second, manifest.root, path
    ):
        detail = f"The ledger of pack {claim.pack_id}, {claim.size} events, is not proven the beginning of this one."
        raise wrong("consistency", detail, PROOFS)


def hold_against(manifest: Manifest, roots: Mapping[int, bytes], earlier: Earlier) -> dict[str, Any]:
    """Whether the ledger still begins as it did then, as a fact. NotIntact: it was rewritten since."""
    claim = manifest.previous
    known = dict(roots)
    if claim is not None:
        known.setdefault(claim.size, bytes_of(claim.root, "previous.root"))
    known[manifest.as_of_sequence] = manifest.root
    root = known.get(earlier.size)
    named = f"pack {earlier.pack_id}" if earlier.pack_id else "the checkpoint given"
    if root is not None and root != earlier.root:
        detail = f"The ledger was rewritten: {named} has another root for its first {earlier.size} events."
        raise wrong("rewritten", detail, MANIFEST, sequence=1, until=earlier.size)
    fact: dict[str, Any] = {"size": earlier.size, "root": b2a_base64(earlier.root, newline=False).decode()}
    if earlier.pack_id:
        fact["pack_id"] = earlier.pack_id
    if root is not None:
        return {**fact, "held": True}
    why = "the pack is of an earlier ledger: hold a later one against it"
    if earlier.size < manifest.as_of_sequence:
        why = "that size lies within what the pack leaves out; ask the service for a consistency proof"
    return {**fact, "held": None, "why": f"It cannot be decided: {why}."}


def _of_pack(
    manifest: Manifest, trusted: Sequence[bytes], retired: Mapping[bytes, int], path: Path | None
) -> list[Earlier]:
    if path is None:
        return []
    try:
        with path.open("rb") as file:
            _, before = read_head(file, trusted)
        check_retired(before, retired)
    except OSError as error:
        raise unusable("previous", f"The previous pack cannot be read: {error.strerror}.") from None
    except NotIntact as refusal:
        raise unusable("previous", f"The previous pack is not intact itself. {refusal.problem.detail}") from None
    if before.checkpoint.origin != manifest.checkpoint.origin:
        raise unusable("previous", f"The previous pack is of {before.checkpoint.origin}, another ledger.")
    return [Earlier(before.as_of_sequence, before.root, before.pack_id)]


def _of_note(manifest: Manifest, trusted: Sequence[bytes], text: str) -> Earlier:
    keys = trusted or [manifest.public_key]
    try:
        note: Checkpoint = read_note(text, keys)
    except NoteRefused as refusal:
        known = ", ".join(key_id_of(key) for key in keys[:5])
        raise unusable("checkpoint", f"A checkpoint given cannot be relied on. {refusal} (Keys: {known}.)") from None
    if note.origin != manifest.checkpoint.origin:
        raise unusable("checkpoint", f"A checkpoint given is of {note.origin}, another ledger.")
    return Earlier(note.size, note.root)
