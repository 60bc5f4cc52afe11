"""API keys: given out once, kept only as hashes, recognised on every request.

A key reads `fw_<id>_<secret><checksum>`: the id finds it in lists, the checksum refuses a mistyped one without
asking the database. The bootstrap key may be any 32 to 128 visible ASCII characters.
"""

import hashlib
import secrets
import threading
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from app.clock import Clock, monotonic
from app.database.engine import Database
from app.database.tables import api_keys
from app.domain import organisation as organisations
from app.domain.moment import to_micros
from app.domain.organisation import ROLES, CreateKey, RevokeKey
from app.events.sealing import token
from app.events.store import Cause, Draft
from app.operations.desk import Desk

_TRUSTED_FOR = 1.0
"""Seconds for which a recognised key is not asked for again: how late a revocation may be noticed."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a key speaks for: one organisation, with scopes; `acts_for_people` lets it name the actor."""

    organisation: str
    key_id: str
    scopes: frozenset[str]
    actor: str
    acts_for_people: bool
    expires_at: int | None = None

    def may(self, scope: str) -> bool:
        """Whether the key has a scope; `admin` has them all."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is made: `secret` is shown once and then known to nobody but its holder."""

    key_id: str
    secret: str
    scopes: tuple[str, ...]
    role: str | None = None
    actor: str | None = None
    acts_for_people: bool = False
    expires_at: datetime | None = None


def new_key(
    scopes: tuple[str, ...],
    *,
    role: str | None = None,
    actor: str | None = None,
    acts_for_people: bool = False,
    expires_at: datetime | None = None,
    secret: str | None = None,
) -> NewKey:
    """A fresh key; a role brings its scopes. `secret` only for the bootstrap key."""
    key_id = secrets.token_hex(6)
    if secret is None:
        body = f"fw_{key_id}_{secrets.token_urlsafe(32).replace('-', 'x').replace('_', 'y')}"
        secret = body + _checksum(body)
    both = tuple(dict.fromkeys([*scopes, *ROLES.get(role or "", ())]))
    return NewKey(key_id, secret, both, role, actor, acts_for_people, expires_at)


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def create(desk: Desk, cause: Cause, key: NewKey) -> None:
    """Record that a key was given out, and keep its hash. Whom it names as actor is kept as a token, like everybody."""
    state, version = desk.fold(STREAM, organisations.UNOPENED, organisations.evolve)
    command = CreateKey(key.key_id, key.scopes, key.role, key.acts_for_people, key.expires_at)
    desk.append(cause, [Draft(STREAM, version, organisations.decide(command, state, desk.now))])
    actor = None
    if key.actor is not None:
        its_token = token(desk.pepper, "staff", key.actor)
        desk.vault.remember_subject(desk.rows, desk.organisation, its_token, key.actor)
        actor = f"staff/{its_token}"
    desk.rows.insert(
        api_keys,
        (
            desk.organisation,
            key.key_id,
            _hash(key.secret),
            key.secret[:15] if key.secret.startswith("fw_") else key.secret[:4],
            " ".join(key.scopes),
            key.role,
            actor,
            key.acts_for_people,
            to_micros(desk.now),
            to_micros(key.expires_at) if key.expires_at else None,
            None,
            None,
        ),
    )


def revoke(desk: Desk, cause: Cause, key_id: str) -> None:
    """Record that a key was taken back, and refuse it from now on."""
    state, version = desk.fold(STREAM, organisations.UNOPENED, organisations.evolve)
    drafted = organisations.decide(RevokeKey(key_id), state, desk.now)
    desk.append(cause, [Draft(STREAM, version, drafted)])
    if drafted:
        desk.rows.execute(
            update(api_keys)
            .where(api_keys.c.organisation == desk.organisation, api_keys.c.key_id == key_id)
            .values(revoked_at=to_micros(desk.now))
        )


STREAM = "organisation/current"


class Keys:
    """Recognises keys. What was recognised is trusted for a second; one request then asks for all."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[str, tuple[Principal, float]] = {}
        self._used: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def remembered(self, secret: str) -> Principal | None:
        """The key's principal when it was recognised within the last second; never asks the database."""
        known = self._known.get(_hash(secret))
        if known is None or known[1] < monotonic():
            return None
        return self._alive(known[0])

    def recognise(self, secret: str) -> Principal | None:
        """The key's principal, or None for a key that is unknown, mistyped, expired or revoked."""
        if secret.startswith("fw_") and _checksum(secret[:-8]) != secret[-8:]:
            return None
        digest = _hash(secret)
        with self._lock:
            known = self._known.get(digest)
            if known is not None and known[1] >= monotonic():
                return self._alive(known[0])
            if known is not None:  # Others go on with what is known while this one asks.
                self._known[digest] = (known[0], monotonic() + _TRUSTED_FOR)
        with self._database.read() as connection:
            row = connection.execute(select(api_keys).where(api_keys.c.hash == digest)).first()
        if row is None or row.revoked_at is not None:
            self._known.pop(digest, None)
            return None
        principal = _principal(row)
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[digest] = (principal, monotonic() + _TRUSTED_FOR)
        return self._alive(principal)

    def _alive(self, principal: Principal) -> Principal | None:
        if principal.expires_at is None:
            return principal
        return principal if to_micros(self._clock()) < principal.expires_at else None

    def note_use(self, principal: Principal) -> None:
        """Remember when a key was last used, until `save_uses`."""
        self._used[principal.organisation, principal.key_id] = 0

    def save_uses(self) -> None:
        """Write down which keys were used since the last time."""
        with self._lock:
            used, self._used = self._used, {}
        if not used:
            return
        now = to_micros(self._clock())
        statement = (
            update(api_keys)
            .where(api_keys.c.organisation == bindparam("of"), api_keys.c.key_id == bindparam("key"))
            .values(last_used_at=now)
        )
        with self._database.write() as connection:
            connection.execute(statement, [{"of": one, "key": key} for one, key in used])


def _principal(row: Row[Any]) -> Principal:
    return Principal(
        row.organisation,
        row.key_id,
        frozenset(row.scopes.split()),
        row.actor or f"key/{row.key_id}",
        bool(row.acts_for_people),
        row.expires_at,
    )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
