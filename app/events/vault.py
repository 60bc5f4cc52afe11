"""Where the keys of personal data live: found by token, wrapped by the master key, kept open while in use.

Erasing a key leaves the ledger and every proof whole: what it sealed reads as erased from then on.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from sqlalchemy import Connection, and_, select, update

from app.database.tables import data_keys, organisations, subjects
from app.domain.sealed import Reference, SealedText
from app.events import sealing
from app.events.sealing import MasterKey, SealBroken

ERASED: dict[str, bool] = {"erased": True}
_REMEMBERED = 50_000


class Rows(Protocol):
    """Where new rows wait until the transaction writes them."""

    def insert(self, table: Any, row: tuple[Any, ...]) -> None:
        """Keep a row, its values in the table's column order."""

    def execute(self, statement: Any) -> Any:
        """Run a statement after everything that waits."""


class Vault:
    """The open keys of this process. Keys are added under the ledger's lock only."""

    def __init__(self, master: MasterKey) -> None:
        self._master = master
        self._peppers: dict[str, bytes] = {}
        self._keys: dict[tuple[str, str], bytes] = {}
        self._subjects: dict[tuple[str, str], str] = {}
        self._erased: set[tuple[str, str]] = set()

    def pepper(self, connection: Connection, organisation: str) -> bytes:
        """The organisation's pepper; raises `NoResultFound` for one that does not exist."""
        if organisation not in self._peppers:
            wrapped = connection.execute(
                select(organisations.c.pepper).where(organisations.c.organisation == organisation)
            ).scalar_one()
            self._peppers[organisation] = self._master.unwrap(wrapped, organisation, "pepper")
        return self._peppers[organisation]

    def known_pepper(self, organisation: str) -> bytes | None:
        """The pepper if this process has opened it already."""
        return self._peppers.get(organisation)

    def wrap_pepper(self, organisation: str, pepper: bytes) -> bytes:
        """The pepper as the database keeps it."""
        return self._master.wrap(pepper, organisation, "pepper")

    def knows(self, organisation: str, token: str) -> bool:
        """Whether the key of a person is open here."""
        return (organisation, token) in self._subjects

    def remember(self, found: Mapping[tuple[str, str], tuple[str, bytes | None]]) -> None:
        """Open the keys of persons that the database knows: (organisation, token) → (key id, wrapped key).

        The wrapped key is None once it was erased: whoever speaks of that person again makes a new one.
        """
        for (organisation, token), (key_id, wrapped) in found.items():
            if wrapped is None:
                self._erased.add((organisation, token))
                continue
            self._keys[organisation, key_id] = self._master.unwrap(wrapped, organisation, key_id)
            self._subjects[organisation, token] = key_id

    def look_up(self, rows: Rows, organisation: str, token: str) -> None:
        """Remember a person whom nothing that was read ahead names."""
        if self.knows(organisation, token):
            return
        found = rows.execute(
            select(subjects.c.key_id, data_keys.c.wrapped)
            .outerjoin(
                data_keys,
                and_(data_keys.c.organisation == subjects.c.organisation, data_keys.c.key_id == subjects.c.key_id),
            )
            .where(subjects.c.organisation == organisation, subjects.c.token == token)
        ).first()
        if found is not None:
            self.remember({(organisation, token): (found[0], found[1])})

    def reference(self, rows: Rows, organisation: str, token: str, ref: str) -> Reference:
        """Seal a reference under the person's own key, made now if they have none; it was looked up before."""
        key_id = self._subjects.get((organisation, token))
        if key_id is not None:
            return Reference(sealing.seal(self._keys[organisation, key_id], key_id, ref, organisation), key_id, token)
        key_id = self._make_key(rows, organisation)
        self._subjects[organisation, token] = key_id
        sealed = sealing.seal(self._keys[organisation, key_id], key_id, ref, organisation)
        if (organisation, token) in self._erased:
            self._erased.discard((organisation, token))
            rows.execute(
                update(subjects)
                .where(subjects.c.organisation == organisation, subjects.c.token == token)
                .values(key_id=key_id, sealed=sealed)
            )
        else:
            rows.insert(subjects, (organisation, token, key_id, sealed))
        return Reference(sealed, key_id, token)

    def remember_subject(self, rows: Rows, organisation: str, token: str, ref: str) -> None:
        """See to it that a token can be told from whom it stands for: who acts is named by token only."""
        self.look_up(rows, organisation, token)
        if not self.knows(organisation, token):
            self.reference(rows, organisation, token, ref)

    def record_key(self, rows: Rows, organisation: str) -> str:
        """A new key for the free text of one record."""
        return self._make_key(rows, organisation)

    def has_key(self, rows: Rows, organisation: str, key_id: str) -> bool:
        """Open a key that a record has already; False once it was erased."""
        if (organisation, key_id) in self._keys:
            return True
        found = rows.execute(
            select(data_keys.c.wrapped).where(data_keys.c.organisation == organisation, data_keys.c.key_id == key_id)
        ).scalar()
        if found is None:
            return False
        self._keys[organisation, key_id] = self._master.unwrap(found, organisation, key_id)
        return True

    def text(self, organisation: str, key_id: str, text: str) -> SealedText:
        """Seal free text under a key that is open here."""
        return SealedText(sealing.seal(self._keys[organisation, key_id], key_id, text, organisation), key_id)

    def _make_key(self, rows: Rows, organisation: str) -> str:
        key_id, key = sealing.new_key()
        self._keys[organisation, key_id] = key
        rows.insert(data_keys, (organisation, key_id, self._master.wrap(key, organisation, key_id)))
        return key_id

    def trim(self) -> None:
        """Between batches: close every key when too many are open."""
        if len(self._keys) > _REMEMBERED:
            self.forget()

    def forget(self) -> None:
        """Close every key: after a rollback, what was made in it never existed."""
        self._keys = {}
        self._subjects = {}
        self._erased = set()

    def opener(self, connection: Connection, organisation: str, key_ids: Iterable[str]) -> "Opener":
        """What opens everything sealed under the named keys, fetched in one query; those that are gone stay closed."""
        remembered = self._keys
        opened: dict[str, bytes] = {}
        missing: list[str] = []
        for key_id in set(key_ids):
            if (key := remembered.get((organisation, key_id))) is not None:
                opened[key_id] = key
            else:
                missing.append(key_id)
        for start in range(0, len(missing), 500):
            found = connection.execute(
                select(data_keys.c.key_id, data_keys.c.wrapped).where(
                    data_keys.c.organisation == organisation, data_keys.c.key_id.in_(missing[start : start + 500])
                )
            )
            for key_id, wrapped in found:
                opened[key_id] = self._master.unwrap(wrapped, organisation, key_id)
        return Opener(organisation, opened)


class Opener:
    """Opens what a reader is about to answer with."""

    def __init__(self, organisation: str, keys: Mapping[str, bytes]) -> None:
        self._organisation = organisation
        self._keys = keys

    def __call__(self, sealed: Reference | SealedText) -> str | dict[str, bool]:
        """The words or the reference, or `{"erased": true}` once the key is gone."""
        key = self._keys.get(sealed.key)
        if key is None:
            return ERASED
        try:
            return sealing.open_sealed(key, sealed.key, sealed.sealed, self._organisation)
        except SealBroken:
            return ERASED
