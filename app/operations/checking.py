"""`forewarn check`: whether what is stored is what was stored, and what to do where it is not.

Everything is looked at in one consistent state of the database, while the service goes on, and nothing that is written
stays. The order is that of trust: the file, the ledger, what is made of it, what stands beside it. What hangs on
something that is damaged already is not looked at: it could only mislead.
"""

import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from app.database import migrate
from app.database.dialects import postgresql, sqlite
from app.database.engine import Database, is_connection_lost
from app.events import sealing
from app.events.sealing import MasterKey
from app.operations import checking_packs, checking_rows, checking_schema
from app.operations.checking_ledger import Walk, Walked
from app.operations.checking_rows import SealedRows
from app.operations.finding import Finding
from app.operations.replaying import SHOWN, Difference, Replay, ReplayBroken
from app.operations.signing_keys import known_keys, retired_keys
from app.proof.note import Checkpoint, NoteRefused, base64_of, read_note, unsigned
from app.proof.retired import refuse_retired

_IN_THE_WAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
}
"""Why SQLite refuses although nothing is wrong with what is stored."""

Told = Callable[[str, float], None]
"""What is being looked at, and how much of it has been."""


class CouldNotLook(Exception):
    """The check did not come to its end; `str()` is a sentence that says why."""


class _Told(Exception):
    """It broke off, and the finding stands already."""


@dataclass(slots=True)
class Report:
    """What a check came to: how far each ledger reaches, with its root, and everything that is not as it should be."""

    organisations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    findings: list[Finding] = field(default_factory=list[Finding])

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "sound": not self.findings,
            "organisations": self.organisations,
            "findings": [one.document() for one in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What to look at. `quick`: ledgers, keys and kept answers only, no replay. `notes`: checkpoints kept outside."""

    organisation: str | None = None
    quick: bool = False
    notes: Sequence[str] = ()


def check(database: Database, master: MasterKey, asked: Asked, told: Told = lambda _what, _done: None) -> Report:
    """Look at all of a database. Raises `CouldNotLook`."""
    try:
        with database.aside() as connection:
            return look(connection, master, asked, told)
    except DBAPIError as error:
        if _is_in_the_way(error):
            raise CouldNotLook(f"The database cannot be read: {error.orig}.") from error
        return Report(findings=[Finding("file", f"The database cannot be read: {error.orig}.")])


def look(connection: Connection, master: MasterKey, asked: Asked, told: Told = lambda _what, _done: None) -> Report:
    """Look at what one transaction sees. It has to be rolled back: the replay's tables stand in it."""
    return _Look(connection, master, asked, told).run()


class _Look:
    def __init__(self, connection: Connection, master: MasterKey, asked: Asked, told: Told) -> None:
        self._connection = connection
        self._master = master
        self._asked = asked
        self._told = told
        self._report = Report()

    def run(self) -> Report:
        if isinstance(self._connection.connection.driver_connection, sqlite3.Connection):
            # A text that is none any more is read all the same, for its row to be named.
            self._connection.connection.driver_connection.text_factory = _read_anyhow
        if self._file_is_well():
            self._require_master_key()
            with self._guarded("what belongs to no organisation"):
                self._take(checking_schema.columns(self._connection))
                self._take(checking_schema.triggers(self._connection))
                self._take(checking_rows.strays(self._connection))
                self._take(checking_rows.signing_keys(self._connection, self._master))
            walked = {organisation: self._look_at(organisation) for organisation in self._organisations()}
            for organisation, its in walked.items():  # Last, for from then on the replay's tables hide the stored ones.
                if its is not None and its.is_readable and not self._asked.quick:
                    self._replay(organisation, its)
        return self._report

    def _file_is_well(self) -> bool:
        """Whether it makes sense to go on: with another schema it would not."""
        with self._guarded("the schema"):
            there = migrate.current(self._connection)
            if there != migrate.head():
                self._take([Finding("schema", f"The schema is {there}, this release expects {migrate.head()}.")])
                return False
            if self._connection.dialect.name == "sqlite":
                self._told("the database file", 0.0)
                pragma = "quick_check" if self._asked.quick else "integrity_check"
                found = self._connection.exec_driver_sql(f"PRAGMA {pragma}({SHOWN})").scalars()
                self._take(Finding("file", f"The file is damaged: {one}.") for one in found if one != "ok")
            return True
        return False

    def _require_master_key(self) -> None:
        with self._guarded("the check value of the master key"):
            chosen = text("SELECT value FROM installation WHERE name = 'master_key'")
            if self._connection.execute(chosen).scalar() != sealing.check_value(self._master):
                raise CouldNotLook(
                    "FOREWARN_MASTER_KEY is not the key that this database was made with: check with the right one. If "
                    "it is, the row master_key of `installation` was changed."
                )

    def _organisations(self) -> list[str]:
        with self._guarded("the list of organisations"):
            known = "SELECT organisation FROM ledgers UNION SELECT organisation FROM organisations ORDER BY 1"
            found = [str(one) for one in self._connection.execute(text(known)).scalars()]
            asked = self._asked.organisation
            if asked is not None and asked not in found:
                raise CouldNotLook("There is no such organisation: `forewarn organisations list` shows them.")
            return found if asked is None else [asked]
        return []

    def _look_at(self, organisation: str) -> Walked | None:
        sealed = SealedRows(self._connection, self._master, organisation)
        walked = self._walk(organisation, sealed)
        with self._guarded(f"the keys of {organisation}", organisation):
            sealed.look()
        self._take(sealed.findings)
        with self._guarded(f"what stands beside the ledger of {organisation}", organisation):
            self._beside(organisation, walked)
        if walked is not None:
            reached = {"as_of_sequence": walked.position, "root": base64_of(walked.root)}
            erased = {"erased_keys": sealed.erased} if sealed.erased else {}
            self._report.organisations.append({"organisation": organisation, **reached, **erased})
        return walked

    def _walk(self, organisation: str, sealed: SealedRows) -> Walked | None:
        with self._guarded(f"the ledger of {organisation}", organisation):
            head = text("SELECT position FROM ledgers WHERE organisation = :organisation")
            end = self._connection.execute(head, {"organisation": organisation}).scalar()
            keys, retired = known_keys(self._connection), retired_keys(self._connection)
            walk = Walk(self._connection, organisation, self._noted_of(organisation, keys, retired), retired)
            walked = walk.run(keys, self._progress(f"ledger of {organisation}", end), sealed.named)
            self._take(walk.findings)
            return walked
        return None

    def _noted_of(self, organisation: str, keys: Sequence[bytes], retired: Mapping[bytes, int]) -> list[Checkpoint]:
        """What was kept outside of a ledger; a note that none of the keys here signed is no evidence against it.

        Nor is one whose key was retired before the last of its events was recorded.
        """
        noted: list[Checkpoint] = []
        for note in self._asked.notes:
            try:
                if unsigned(note).origin.endswith(f"/organisations/{quote(organisation, safe='')}"):
                    checkpoint = read_note(note, keys)
                    refuse_retired(note, keys, retired, self._recorded_at(organisation, checkpoint.size))
                    noted.append(checkpoint)
            except NoteRefused as refusal:
                self._take(
                    [Finding("checkpoint", f"A checkpoint from outside cannot be used: {refusal}", organisation)]
                )
        return noted

    def _recorded_at(self, organisation: str, sequence: int) -> int | None:
        chosen = text("SELECT recorded_at FROM events WHERE organisation = :organisation AND sequence = :sequence")
        found = self._connection.execute(chosen, {"organisation": organisation, "sequence": sequence}).scalar()
        return found if isinstance(found, int) else None

    def _replay(self, organisation: str, walked: Walked) -> None:
        write = (sqlite if self._connection.dialect.name == "sqlite" else postgresql).write
        by_name: dict[str, list[Difference]] = {}
        with self._guarded(f"the projections of {organisation}", organisation):
            replay = Replay(self._connection, write, organisation, walked.position)
            try:
                replay.run(self._progress(f"projections of {organisation}", walked.position))
            except ReplayBroken as broken:
                if isinstance(broken.__cause__, DBAPIError) and _is_in_the_way(broken.__cause__):
                    raise broken.__cause__ from None
                why = f"The ledger cannot be replayed: {broken}."
                self._take([Finding("replay", why, organisation, broken.sequence, broken.sequence)])
                raise _Told from None
            for one in replay.differences():
                by_name.setdefault(one.projection, []).append(one)
        for name, differences in by_name.items():
            self._take([_told_of(organisation, name, differences, walked)])

    def _beside(self, organisation: str, walked: Walked | None) -> None:
        if walked is not None:
            self._take(checking_rows.beyond(self._connection, organisation, walked.position))
        self._take(checking_rows.name(self._connection, organisation))
        self._take(checking_rows.commands(self._connection, organisation))
        self._take(checking_rows.attempts(self._connection, organisation))
        self._take(checking_rows.api_keys(self._connection, organisation))
        if not self._asked.quick:
            self._take(checking_packs.packs(self._connection, organisation))

    def _take(self, findings: Iterable[Finding]) -> None:
        self._report.findings += findings

    def _progress(self, what: str, end: Any) -> Callable[[int], None]:
        whole = end if isinstance(end, int) and end > 0 else 1
        return lambda done: self._told(what, min(1.0, done / whole))

    @contextmanager
    def _guarded(self, what: str, organisation: str | None = None) -> Generator[None]:
        """What breaks here is a finding, for what is stored is in doubt; the rest can be looked at still."""
        isolated = self._connection.begin_nested() if self._connection.dialect.name == "postgresql" else nullcontext()
        try:
            with isolated:
                yield
        except CouldNotLook:
            raise
        except _Told:
            pass
        except Exception as error:
            if isinstance(error, DBAPIError) and _is_in_the_way(error):
                raise
            why = f"{error.orig}" if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"
            self._take([Finding("file", f"It breaks off at {what}: {why}.", organisation)])


def _told_of(organisation: str, name: str, differences: Sequence[Difference], walked: Walked) -> Finding:
    stored = {(one.table, one.key) for one in differences if one.is_stored}
    owed = {(one.table, one.key) for one in differences if not one.is_stored}
    parts = [
        f"{len(them)} {what} ({', '.join(f'{table} {key}' for table, key in sorted(them, key=repr)[:3])})"
        for what, them in (
            ("changed", stored & owed),
            ("that should not be there", stored - owed),
            ("missing", owed - stored),
        )
        if them
    ]
    detail = f"Rows of {name} differ from the ledger's: {'; '.join(parts)}."
    latest = max((one.sequence or 0 for one in differences if one.is_stored), default=0)
    if latest > walked.position:
        return Finding("ahead", detail, organisation, walked.position + 1, walked.position + 1, name)
    if not walked.is_sound:
        return Finding("contradicted", detail, organisation, name=name)
    return Finding("delivery" if name == "deliveries" else "projection", detail, organisation, name=name)


def _is_in_the_way(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _IN_THE_WAY
    return is_connection_lost(error)


def _read_anyhow(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
