"""One stream for each organisation: that it exists, and who was given a key to act in it."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from app.domain.decider import Fault, Invalid, NotFound

SCOPES = (
    "near-misses:write",
    "near-misses:read",
    "reviews:act",
    "governance:act",
    "policy:write",
    "webhooks:manage",
    "audit:read",
    "admin",
)

ROLES: dict[str, tuple[str, ...]] = {
    "reporter": ("near-misses:write", "near-misses:read"),
    "manager": ("near-misses:write", "near-misses:read", "reviews:act"),
    "deputy": ("near-misses:write", "near-misses:read", "reviews:act"),
    "operations": ("near-misses:write", "near-misses:read", "reviews:act"),
    "leadership": ("near-misses:read", "reviews:act", "governance:act", "audit:read"),
    "auditor": ("near-misses:read", "audit:read"),
    "integration": ("near-misses:write",),
    "admin": ("admin",),
}
"""What a key of a role may do (`domain.md` §2 "roles"; the scopes are those of the API contract)."""


# Commands


@dataclass(frozen=True, slots=True)
class Open:
    """Begin an organisation's ledger."""

    name: str


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Give somebody, or a system, a key."""

    key_id: str
    scopes: tuple[str, ...]
    role: str | None = None
    acts_for_people: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Take a key back."""

    key_id: str


Command = Open | CreateKey | RevokeKey


# Events


@dataclass(frozen=True, slots=True)
class Opened:
    """The organisation's ledger began."""

    name: str


@dataclass(frozen=True, slots=True)
class KeyCreated:
    """A key was given out; the key itself is nowhere in the ledger."""

    key_id: str
    scopes: tuple[str, ...]
    role: str | None = None
    acts_for_people: bool = False
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """A key was taken back."""

    key_id: str


Event = Opened | KeyCreated | KeyRevoked


# State


@dataclass(frozen=True, slots=True)
class Organisation:
    """Whether it is open, and which keys it has given out and not taken back."""

    opened: bool = False
    keys: frozenset[str] = field(default_factory=frozenset[str])
    revoked: frozenset[str] = field(default_factory=frozenset[str])


UNOPENED = Organisation()


def decide(command: Command, organisation: Organisation, now: datetime) -> list[Event]:
    """What follows from a command; raises `Refused` with what to do instead."""
    match command:
        case Open(name):
            return [] if organisation.opened else [Opened(name)]
        case CreateKey(key_id, scopes, role, acts_for_people, expires_at):
            unknown = [scope for scope in scopes if scope not in SCOPES]
            if unknown or not scopes:
                raise Invalid(Fault("/scopes", "unknown_scope", f"Use scopes out of {', '.join(SCOPES)}."))
            if role is not None and role not in ROLES:
                raise Invalid(Fault("/role", "unknown_role", f"Use a role out of {', '.join(ROLES)}."))
            if expires_at is not None and expires_at <= now:
                raise Invalid(Fault("/expires", "in_the_past", "Let the key expire later than now."))
            return [KeyCreated(key_id, scopes, role, acts_for_people, expires_at)]
        case RevokeKey(key_id):
            if key_id in organisation.revoked:
                return []
            if key_id not in organisation.keys:
                raise NotFound("No key of that id belongs to this organisation: `forewarn keys list` shows them.")
            return [KeyRevoked(key_id)]
        case _:
            assert_never(command)


def evolve(organisation: Organisation, event: Event) -> Organisation:
    """The organisation after an event that happened."""
    match event:
        case Opened():
            return replace(organisation, opened=True)
        case KeyCreated(key_id):
            return replace(organisation, keys=organisation.keys | {key_id})
        case KeyRevoked(key_id):
            return replace(organisation, keys=organisation.keys - {key_id}, revoked=organisation.revoked | {key_id})
        case _:
            assert_never(event)
