"""What stands beside the ledger and its projections: keys, answers kept for repeated requests, places of followers.

Little of it can be made from events, so it is held against what the events and the master key do know of it.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, inspect, text

from app.database.tables import metadata
from app.domain.moment import parse_instant, to_micros
from app.events.sealing import MasterKey, SealBroken, open_sealed, token
from app.operations.finding import Finding
from app.proof.assurance_sentences import several

SHOWN = 20
_AT_ONCE = 500

_WRONG_COMMANDS = """
SELECT c.key_id, c.route, c.idempotency_key FROM commands c
LEFT JOIN events f ON f.organisation = c.organisation AND f.sequence = c.first_sequence
LEFT JOIN events l ON l.organisation = c.organisation AND l.sequence = c.last_sequence
WHERE c.organisation = :organisation
  AND (f.sequence IS NULL OR l.sequence IS NULL OR c.last_sequence < c.first_sequence
       OR f.correlation_id <> l.correlation_id OR c.status NOT BETWEEN 200 AND 299)
ORDER BY 1, 2, 3 LIMIT 20
"""
_BEYOND = {"commands": "last_sequence", "followers": "position", "deliveries": "sequence", "trend_checks": "sequence"}
_LOST_ATTEMPTS = """
SELECT DISTINCT a.delivery_id FROM delivery_attempts a LEFT JOIN deliveries d USING (organisation, delivery_id)
WHERE a.organisation = :organisation AND d.delivery_id IS NULL ORDER BY 1 LIMIT 20
"""


def strays(connection: Connection) -> Iterator[Finding]:
    """Rows of organisations that have no ledger. One that begins with ~ is a rebuild's, which clears it itself."""
    here = set(inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if "organisation" not in table.c or table.name == "ledgers" or table.name not in here:
            continue
        chosen = (
            f"SELECT DISTINCT organisation FROM {table.name} "  # noqa: S608
            f"WHERE organisation NOT LIKE '~%' AND organisation NOT IN (SELECT organisation FROM ledgers) LIMIT {SHOWN}"
        )
        for (organisation,) in connection.execute(text(chosen)):
            detail = f"{table.name} has rows of {organisation!r}, which has no ledger."
            yield Finding("stray", detail, name=table.name)


def beyond(connection: Connection, organisation: str, position: int) -> Iterator[Finding]:
    """Rows that know of more events than there are; `position`: how many were walked, which damage may have ended."""
    last = text("SELECT max(sequence) FROM events WHERE organisation = :organisation")
    end = connection.execute(last, {"organisation": organisation}).scalar()
    position = max(position, end) if isinstance(end, int) else position
    for table, column in _BEYOND.items():
        chosen = text(
            f"SELECT count(*), max({column}) FROM {table} "  # noqa: S608
            f"WHERE organisation = :organisation AND {column} > :position"
        )
        count, sequence = connection.execute(chosen, {"organisation": organisation, "position": position}).one()
        if count:
            know = several(count, f"row of {table} knows", f"rows of {table} know")
            detail = f"{know} of events up to {sequence}, and the ledger ends at {position}."
            yield Finding("ahead", detail, organisation, position + 1, position + 1, table)


def commands(connection: Connection, organisation: str) -> Iterator[Finding]:
    """Answers kept for requests that are repeated, each with the events that its command made."""
    for row in connection.execute(text(_WRONG_COMMANDS), {"organisation": organisation}):
        detail = f"The answer kept for {row.route!r} by key {row.key_id} does not belong to events of one command."
        yield Finding("command", detail, organisation, name=row.idempotency_key)


def attempts(connection: Connection, organisation: str) -> Iterator[Finding]:
    """Tries of messages that were never owed."""
    for (delivery,) in connection.execute(text(_LOST_ATTEMPTS), {"organisation": organisation}):
        detail = f"Message {delivery!r} was tried and is not there."
        yield Finding("delivery", detail, organisation, name=delivery)


def name(connection: Connection, organisation: str) -> Iterator[Finding]:
    """What people call the organisation is what its first event says."""
    asked = {"organisation": organisation}
    kept = connection.execute(text("SELECT name FROM organisations WHERE organisation = :organisation"), asked).scalar()
    first = text("SELECT payload FROM events WHERE organisation = :organisation AND sequence = 1")
    payload = connection.execute(first, asked).scalar()
    if payload is not None and kept != json.loads(payload).get("name"):
        yield Finding("organisation", f"The organisation goes by {kept!r}, and was opened as another.", organisation)


def api_keys(connection: Connection, organisation: str) -> Iterator[Finding]:
    """The keys that open the door, against the events by which they were given out and taken back."""
    given: dict[str, Mapping[str, Any]] = {}
    revoked = set[str]()
    chosen = (
        "SELECT type, payload FROM events WHERE organisation = :organisation AND stream = 'organisation/current' "
        "ORDER BY version"
    )
    for kind, payload in connection.execute(text(chosen), {"organisation": organisation}):
        said = json.loads(payload)
        if kind == "organisation.key_created":
            given[said["key_id"]] = said
        elif kind == "organisation.key_revoked":
            revoked.add(said["key_id"])
    rows = connection.execute(
        text("SELECT * FROM api_keys WHERE organisation = :organisation ORDER BY key_id"),
        {"organisation": organisation},
    )
    for row in rows:
        said = given.pop(row.key_id, None)
        if said is None:
            yield Finding("api_key", f"No event gave out the key {row.key_id}.", organisation, name=row.key_id)
        elif (row.revoked_at is not None) != (row.key_id in revoked):
            detail = f"The key {row.key_id} is {'' if row.revoked_at else 'not '}revoked, and its events say otherwise."
            yield Finding("api_key", detail, organisation, name=row.key_id)
        elif _allowed(row) != _given(said):
            detail = f"The key {row.key_id} may do something else than it was given out for."
            yield Finding("api_key", detail, organisation, name=row.key_id)
    for key_id in given.keys() - revoked:
        yield Finding("api_key", f"The key {key_id} was given out and is not there.", organisation, name=key_id)


def _allowed(row: Any) -> tuple[Any, ...]:
    return (str(row.scopes).split(), row.role, bool(row.acts_for_people), row.expires_at)


def _given(said: Mapping[str, Any]) -> tuple[Any, ...]:
    expires_at = to_micros(parse_instant(said["expires_at"])) if "expires_at" in said else None
    return (said["scopes"], said.get("role"), said.get("acts_for_people", False), expires_at)


def signing_keys(connection: Connection, master: MasterKey) -> Iterator[Finding]:
    """The service's own keys: each opens, and is the one that its public half says."""
    for row in connection.execute(text("SELECT generation, key_id, public_key, wrapped FROM signing_keys")):
        try:
            private = Ed25519PrivateKey.from_private_bytes(master.unwrap(bytes(row.wrapped), "", row.key_id))
            is_it = private.public_key().public_bytes_raw() == bytes(row.public_key)
        except (SealBroken, ValueError):
            is_it = False
        if not is_it:
            yield Finding("key", f"The signing key {row.key_id} does not open, or is another one.", name=row.key_id)


class SealedRows:
    """The data keys of an organisation and whom its tokens stand for."""

    def __init__(self, connection: Connection, master: MasterKey, organisation: str) -> None:
        self.erased = 0
        self.findings: list[Finding] = []
        self._connection = connection
        self._master = master
        self._organisation = organisation
        self._of = {"organisation": organisation}

    def look(self) -> None:
        """Open every key, and with it what says whom a token stands for."""
        pepper = self._pepper()
        keys = text("SELECT key_id, wrapped FROM data_keys WHERE organisation = :organisation ORDER BY key_id")
        for row in self._connection.execute(keys, self._of):
            if self._open(row) is None:
                self._tell("key", f"The data key {row.key_id!r} does not open.", row.key_id)
        subjects = text(
            "SELECT s.token, s.key_id, s.sealed, k.wrapped FROM subjects s "
            "LEFT JOIN data_keys k ON k.organisation = s.organisation AND k.key_id = s.key_id "
            "WHERE s.organisation = :organisation ORDER BY s.token"
        )
        for row in self._connection.execute(subjects, self._of):
            key = None if row.wrapped is None else self._open(row)
            if key is not None and not self._stands_for(row, key, pepper):
                self._tell(
                    "subject", f"The token {row.token!r} does not stand for what is sealed beside it.", row.token
                )

    def named(self, keys: set[str], tokens: set[str]) -> None:
        """What the payloads of a stretch of the ledger name: a key may be erased, a token's row is never."""
        self.erased += len(keys - self._there("data_keys", "key_id", keys))
        for lost in sorted(tokens - self._there("subjects", "token", tokens)):
            self._tell("subject", f"Nothing says whom the token {lost!r} stands for.", lost)

    def _there(self, table: str, column: str, names: set[str]) -> set[str]:
        asked, found = sorted(names), set[str]()
        for start in range(0, len(asked), _AT_ONCE):
            some = {f"n{place}": name for place, name in enumerate(asked[start : start + _AT_ONCE])}
            chosen = (
                f"SELECT {column} FROM {table} WHERE organisation = :organisation AND {column} IN ({_listed(some)})"  # noqa: S608
            )
            found |= set(self._connection.execute(text(chosen), {**self._of, **some}).scalars())
        return found

    def _open(self, row: Any) -> bytes | None:
        try:
            return self._master.unwrap(bytes(row.wrapped), self._organisation, row.key_id)
        except (SealBroken, TypeError, ValueError):
            return None

    def _pepper(self) -> bytes | None:
        chosen = text("SELECT pepper FROM organisations WHERE organisation = :organisation")
        wrapped = self._connection.execute(chosen, self._of).scalar()
        try:
            return self._master.unwrap(bytes(wrapped or b""), self._organisation, "pepper")
        except (SealBroken, TypeError):
            self._tell("key", "The pepper of the organisation's tokens is not there, or does not open.", "pepper")
            return None

    def _stands_for(self, row: Any, key: bytes, pepper: bytes | None) -> bool:
        try:
            reference = open_sealed(key, row.key_id, row.sealed, self._organisation)
        except (SealBroken, TypeError, ValueError):
            return False
        return pepper is None or row.token in {token(pepper, kind, reference) for kind in ("staff", "person")}

    def _tell(self, kind: Any, detail: str, name: str) -> None:
        if len(self.findings) < SHOWN:
            self.findings.append(Finding(kind, detail, self._organisation, name=name))


def _listed(names: Mapping[str, str]) -> str:
    return ", ".join(f":{name}" for name in names)
