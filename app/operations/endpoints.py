"""The commands of an endpoint: registered, changed, given another secret, held, enabled, and asked to be sent to again.

What is owed to an endpoint stands in rows, not in events, so a command that lets messages wait or go changes them in
the transaction of its event. A message that waits keeps its place: however often it is sent, it is the same one.
"""

import secrets as randomness
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from app.database.tables import deliveries, webhook_endpoints
from app.domain import endpoint
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.endpoint import NO_SUCH_ENDPOINT, UNREGISTERED, Endpoint, Status, Wanted, Why
from app.domain.moment import to_micros
from app.domain.sealed import SealedText
from app.events.codec import decode
from app.events.store import Cause, Draft, read_stream, version_of
from app.events.vault import Vault
from app.operations import outside, signing
from app.operations.desk import Desk
from app.operations.job import PreconditionFailed
from app.operations.outside import Networks
from app.operations.reporting import Sealer, sealed_before

NO_SUCH_DELIVERY = "No delivery of that id belongs to this organisation: GET …/deliveries of an endpoint lists them."
_STALE = "It has changed since: read it again and repeat the request with its new ETag."
_NOT_ALLOWED = "webhook-url-not-allowed"
_ALLOWED = (
    "Give https and a host that everybody can reach: no private, loopback or reserved address, no user or password, "
    "no fragment, port 443 or 1024 and above. Plain http and other addresses need FOREWARN_WEBHOOK_ALLOW_NETWORKS."
)


@dataclass(frozen=True, slots=True)
class Fresh:
    """What an endpoint is given to sign with, drawn before its command's first try."""

    secret: str
    signing_key: str
    public_key: str


def fresh() -> Fresh:
    """A secret and a key pair that nobody has seen yet."""
    secret = signing.secret_of(randomness.token_bytes(signing.SECRET_SIZE))
    return Fresh(secret, *signing.signing_key_of(randomness.token_bytes(signing.SECRET_SIZE)))


def new_endpoint_id() -> str:
    """The id of an endpoint to be."""
    return "whe_" + uuid4().hex


@dataclass(frozen=True, slots=True)
class Receiver:
    """An endpoint under the lock."""

    desk: Desk
    endpoint_id: str
    state: Endpoint
    version: int

    def carry_out(self, cause: Cause, command: endpoint.Command) -> bool:
        """Append what it says to a command; whether that is anything."""
        drafted = endpoint.decide(command, self.state, self.desk.now)
        self.desk.append(cause, [Draft(f"endpoint/{self.endpoint_id}", self.version, drafted)])
        return bool(drafted)

    @property
    def wanted(self) -> Wanted:
        """What it wants, as long as it lives."""
        endpoint.must_be_live(self.state)
        assert self.state.wanted is not None
        return self.state.wanted

    def text(self, words: str, formerly: SealedText | None = None) -> SealedText:
        """Words sealed under the endpoint's key; as they were sealed formerly, if they are the same."""
        known = sealed_before(self.desk, words, [formerly] if formerly is not None else [])
        return known or Sealer(self.desk, self.wanted.url.key).text(words)

    def let(self, which: ColumnElement[bool], **values: Any) -> None:
        """Change those of its messages, whose states nobody else changes meanwhile: see `fared.record`."""
        row, its = deliveries.c, webhook_endpoints.c
        mine = and_(its.organisation == self.desk.organisation, its.endpoint_id == self.endpoint_id)
        self.desk.rows.execute(select(its.endpoint_id).where(mine).with_for_update())
        own = and_(row.organisation == self.desk.organisation, row.endpoint_id == self.endpoint_id)
        self.desk.rows.execute(update(deliveries).where(own, which).values(**values))

    def send_again(self, which: ColumnElement[bool]) -> None:
        """Let those of its messages be tried now, and their schedule begin anew. Whoever is at one goes on with it."""
        again = {"first_tried_at": None, "done_at": None, "superseded_by": None}
        self.let(which, status="pending", due_at=self.desk.micros, begun_after=deliveries.c.attempts, **again)


def load(desk: Desk, endpoint_id: str, if_match: int | None = None) -> Receiver:
    """The endpoint as it stands, or `NotFound`; `PreconditionFailed` when it is at another version than was seen."""
    state, version = desk.fold(f"endpoint/{endpoint_id}", UNREGISTERED, endpoint.evolve)
    if not version:
        raise NotFound(NO_SUCH_ENDPOINT)
    if if_match is not None and if_match != version:
        raise PreconditionFailed(_STALE)
    return Receiver(desk, endpoint_id, state, version)


# What people command


def register(desk: Desk, cause: Cause, endpoint_id: str, said: Mapping[str, Any], given: Fresh) -> None:
    """Tell another system from now on what happens. `said`: url, event_types, services, roles, description."""
    receiver = Receiver(desk, endpoint_id, UNREGISTERED, 0)
    sealer = Sealer(desk)
    description = said.get("description")
    wanted = Wanted(
        sealer.text(said["url"]),
        tuple(said["event_types"]),
        tuple(said.get("services") or ()),
        tuple(said.get("roles") or ()),
        sealer.text(description) if description else None,
    )
    secret, signing_key = sealer.text(given.secret), sealer.text(given.signing_key)
    receiver.carry_out(cause, endpoint.Register(wanted, secret, signing_key, given.public_key))


def change(cause: Cause, receiver: Receiver, said: Mapping[str, Any]) -> None:
    """Change what it wants, or where it is; what is not said stays, and None takes a filter or the description away."""
    wanted, description = receiver.wanted, said.get("description")
    changed = Wanted(
        receiver.text(said["url"], wanted.url) if "url" in said else wanted.url,
        tuple(said["event_types"]) if "event_types" in said else wanted.event_types,
        tuple(said["services"] or ()) if "services" in said else wanted.services,
        tuple(said["roles"] or ()) if "roles" in said else wanted.roles,
        wanted.description if "description" not in said else None,
    )
    if description:
        changed = replace(changed, description=receiver.text(description, wanted.description))
    receiver.carry_out(cause, endpoint.Change(changed))


def rotate_secret(cause: Cause, receiver: Receiver, given: Fresh) -> None:
    """Give it another secret; the one before signs as well for a day."""
    receiver.carry_out(cause, endpoint.RotateSecret(receiver.text(given.secret)))


def send_test(cause: Cause, receiver: Receiver) -> None:
    """Owe it a message that says nothing."""
    receiver.carry_out(cause, endpoint.SendTest())


def enable(cause: Cause, receiver: Receiver) -> None:
    """Send to it again: what was held goes first, in its order."""
    if receiver.carry_out(cause, endpoint.Enable()):
        receiver.send_again(deliveries.c.status == "held")


def recover(cause: Cause, receiver: Receiver, since: datetime) -> None:
    """Send again what failed or was held since; one that is held is enabled by it, and what is older waits on."""
    receiver.carry_out(cause, endpoint.Recover(since))
    row = deliveries.c
    has_failed = or_(row.status == "held", and_(row.status == "pending", row.attempts > row.begun_after))
    receiver.send_again(and_(has_failed, row.created_at >= to_micros(since)))


def replay(desk: Desk, cause: Cause, delivery_id: str) -> None:
    """Send one message again, however it ended."""
    row = deliveries.c
    chosen = select(row.endpoint_id).where(row.organisation == desk.organisation, row.delivery_id == delivery_id)
    endpoint_id = desk.connection.execute(chosen).scalar()
    if endpoint_id is None:
        raise NotFound(NO_SUCH_DELIVERY)
    receiver = load(desk, endpoint_id)
    receiver.carry_out(cause, endpoint.Replay(delivery_id))
    receiver.send_again(row.delivery_id == delivery_id)


def delete(cause: Cause, receiver: Receiver) -> None:
    """Send it nothing more; what it was owed stays to be seen, held for good."""
    if receiver.carry_out(cause, endpoint.Delete()):
        receiver.let(deliveries.c.status == "pending", status="held")


# What the sending of messages commands


def hold(desk: Desk, cause: Cause, endpoint_id: str, why: Why, since: datetime) -> None:
    """Let what it is owed wait: it is gone, or has been failing since then."""
    receiver = load(desk, endpoint_id)
    if receiver.carry_out(cause, endpoint.Hold(why, since)):
        receiver.let(deliveries.c.status == "pending", status="held")


def degrade(desk: Desk, cause: Cause, endpoint_id: str, failing_since: datetime, hold_at: datetime) -> None:
    """Warn that it is going to be held."""
    load(desk, endpoint_id).carry_out(cause, endpoint.Degrade(failing_since, hold_at))


def recover_health(desk: Desk, cause: Cause, endpoint_id: str) -> None:
    """It answers again, before it was held."""
    load(desk, endpoint_id).carry_out(cause, endpoint.RecoverHealth())


# Where it is


def must_be_allowed(url: str, allowed: Networks) -> None:
    """Refuse an address that no webhook may go to; a name is judged when sending, by every address it has then."""
    if outside.judge_url(url, allowed) is not None:  # Its reason would repeat what was sent.
        raise Invalid(Fault("/url", _NOT_ALLOWED, _ALLOWED))


@dataclass(frozen=True, slots=True)
class Target:
    """What is needed to send to an endpoint. `url` may hold a credential: neither it nor the secrets are for a log."""

    url: str = field(repr=False)
    secrets: signing.Secrets = field(repr=False)
    status: Status = "active"


def target_of(connection: Connection, vault: Vault, organisation: str, endpoint_id: str) -> Target:
    """Where an endpoint is and what its messages are signed with; `NotFound` when there is none, or its key is gone."""
    state = UNREGISTERED
    for envelope in read_stream(connection, organisation, f"endpoint/{endpoint_id}"):
        state = endpoint.evolve(state, decode(envelope))
    if state.wanted is None or state.signing_key is None:
        raise NotFound(NO_SUCH_ENDPOINT)
    sealed = [state.wanted.url, state.signing_key, *(one.secret for one in state.secrets)]
    opener = vault.opener(connection, organisation, {one.key for one in sealed})
    url, signing_key, *symmetric = _opened([opener(one) for one in sealed])
    valid_until = [None if one.valid_until is None else to_micros(one.valid_until) for one in state.secrets]
    kept = zip(symmetric, valid_until, strict=True)
    return Target(
        url,
        signing.Secrets(
            tuple(signing.Secret(signing.symmetric(one), until) for one, until in kept), signing.signing(signing_key)
        ),
        state.status,
    )


def _opened(words: Sequence[str | dict[str, bool]]) -> list[str]:
    opened = [one for one in words if isinstance(one, str)]
    if len(opened) < len(words):
        raise NotFound(NO_SUCH_ENDPOINT)
    return opened


class Targets:
    """The targets that are sent to, opened once for each version of an endpoint's stream."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._known: dict[tuple[str, str], tuple[int, Target]] = {}

    def at(self, connection: Connection, organisation: str, endpoint_id: str, version: int | None = None) -> Target:
        """The endpoint as it stands now; `version` of its stream, if it is known already."""
        if version is None:
            version = version_of(connection, organisation, f"endpoint/{endpoint_id}")
        known = self._known.get((organisation, endpoint_id))
        if known is None or known[0] != version:
            known = (version, target_of(connection, self._vault, organisation, endpoint_id))
            self._known[organisation, endpoint_id] = known
        return known[1]
