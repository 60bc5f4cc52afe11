"""Checkpoints that somebody kept outside, held against the ledgers before anybody is served.

A database that was restored from too old a copy, cut short or rewritten looks whole from within; only what was signed
and kept elsewhere tells. An organisation whose ledger is not what a note says is not served, and nothing is done for
it, until a person has looked; the others are. Where the notes themselves cannot be relied on, or name a ledger that is
not there at all, nothing starts. The same binds the commands that open the house: one that signed a ledger which was
cut short, or added to it, would make the second history itself.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from app.events.envelope import sealed_with_leaf
from app.events.store import position, read_after
from app.operations.checkpoints import origin_of
from app.operations.house import CannotStart, House
from app.operations.signing_keys import known_keys, retired_keys
from app.proof.note import Checkpoint, NoteRefused, notes_in, read_note, unsigned
from app.proof.retired import refuse_retired
from app.proof.tree import Range

PAGE = 2000
_WHAT_TO_DO = (
    "Nothing of this organisation is served until whoever runs the service has compared the ledger with what the "
    "witness holds, and restored it (docs/transparency.md)."
)

log = structlog.get_logger(__name__)


def hold_back(house: House) -> None:
    """Withhold every organisation whose ledger is not what was expected. CannotStart: nobody can be served."""
    for organisation, why in withheld(house, expected(house)).items():
        log.error("ledger.not_as_expected", organisation=organisation, why=why)
        house.withheld[organisation] = f"{why} {_WHAT_TO_DO}"


def require(house: House, organisation: str | None = None) -> None:
    """The ledger that a command is about is what was expected, or all are where it names none. Raises CannotStart."""
    checkpoints = expected(house)
    if organisation is not None:
        checkpoints = {one: its for one, its in checkpoints.items() if one == organisation}
    for one, why in withheld(house, checkpoints).items():
        raise CannotStart(f"{one}: {why} {_WHAT_TO_DO}")


def expected(house: House) -> dict[str, list[Checkpoint]]:
    """The checkpoints that FOREWARN_EXPECTED_CHECKPOINTS names, by organisation, each signed by a key of this service.

    CannotStart: a note that nobody here signed, that was signed with a key after it was retired, or of an organisation
    that is not here.
    """
    path = house.settings.expected_checkpoints
    if path is None:
        return {}
    with house.database.read() as connection:
        keys, retired = known_keys(connection), retired_keys(connection)
    by_origin = {origin_of(house, one): one for one in house.organisations()}
    found: defaultdict[str, list[Checkpoint]] = defaultdict(list)
    notes = _notes(path)
    for file, note in notes:
        checkpoint = _checked(file, note, by_origin, keys)
        _refuse_retired(house, file, note, by_origin[checkpoint.origin], checkpoint.size, keys, retired)
        found[by_origin[checkpoint.origin]].append(checkpoint)
    if not notes:
        raise CannotStart(
            f"FOREWARN_EXPECTED_CHECKPOINTS: there is no signed note in {path}. Put in what the witness holds, or "
            "take the setting away."
        )
    return dict(found)


def withheld(house: House, checkpoints: Mapping[str, Sequence[Checkpoint]]) -> dict[str, str]:
    """The organisations whose ledger is not what was expected, and why. Every leaf is hashed anew from its event."""
    found = {organisation: _differs(house, organisation, its) for organisation, its in checkpoints.items()}
    return {organisation: why for organisation, why in found.items() if why is not None}


def _differs(house: House, organisation: str, checkpoints: Sequence[Checkpoint]) -> str | None:
    """What is wrong with a ledger; None when it is what every checkpoint says."""
    roots: defaultdict[int, set[bytes]] = defaultdict(set)
    for one in checkpoints:
        roots[one.size].add(one.root)
    longest, tree = max(roots), Range()
    with house.database.read() as connection:
        end = position(connection, organisation)
    if end < longest:
        return f"The ledger has {end} events, and a witnessed checkpoint was signed at {longest}."
    if not _agrees(tree, roots):
        return _is_another(0)
    while tree.size < longest:
        with house.database.read() as connection:  # In one of its own: a long one would hold up the database.
            page = read_after(connection, organisation, tree.size, PAGE, up_to=longest)
        if [one.sequence for one in page] != list(range(tree.size + 1, tree.size + len(page) + 1)) or not page:
            return f"The ledger has lost events after {tree.size}, and a witnessed checkpoint was signed at {longest}."
        for envelope in page:
            tree.add(0, sealed_with_leaf(envelope).leaf)  # Whatever leaf is stored with it.
            if not _agrees(tree, roots):
                return _is_another(tree.size)
    return None


def _agrees(tree: Range, roots: Mapping[int, set[bytes]]) -> bool:
    return tree.size not in roots or roots[tree.size] == {tree.root()}


def _is_another(size: int) -> str:
    return f"The ledger's first {size} events are not those that a witnessed checkpoint was signed for."


def _checked(file: Path, note: str, by_origin: Mapping[str, str], keys: Sequence[bytes]) -> Checkpoint:
    try:
        said = unsigned(note)
        if said.origin not in by_origin:
            raise CannotStart(
                f"{file} holds a checkpoint of {said.origin}, and there is no such ledger here: restore the database "
                "that it is of, set FOREWARN_LEDGER_NAME as it was, or take the note away if it is another service's."
            )
        return read_note(note, keys)
    except NoteRefused as refusal:
        raise CannotStart(
            f"{file} holds no checkpoint of this service: {refusal} Restore the database whose key signed it, or "
            "replace the file by what the witness holds."
        ) from refusal


def _refuse_retired(
    house: House,
    file: Path,
    note: str,
    organisation: str,
    size: int,
    keys: Sequence[bytes],
    retired: Mapping[bytes, int],
) -> None:
    """Nobody signs a checkpoint before its last event is recorded; where that is not there, the ledger is too short."""
    if not retired:
        return
    with house.database.read() as connection:
        last = read_after(connection, organisation, size - 1, 1, up_to=size) if size else []
    try:
        refuse_retired(note, keys, retired, last[0].recorded_at if last else None)
    except NoteRefused as refusal:
        raise CannotStart(
            f"{file} holds a checkpoint that nobody of this service made: {refusal} Find out who has that key, and "
            "replace the file by what the witness holds (docs/transparency.md)."
        ) from refusal


def _notes(path: Path) -> list[tuple[Path, str]]:
    """Every different note, with the file that it stands in; hidden files are left alone."""
    notes: dict[str, Path] = {}
    reading = path
    try:
        for reading in sorted(path.iterdir()) if path.is_dir() else [path]:
            if not reading.is_file() or reading.name.startswith("."):
                continue
            notes.update((note, reading) for note in notes_in(reading.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        why = f"FOREWARN_EXPECTED_CHECKPOINTS: {reading} cannot be read ({type(error).__name__})."
        raise CannotStart(why) from error
    return [(file, note) for note, file in notes.items()]
