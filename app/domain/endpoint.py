"""An endpoint: where another system is told what happens, what it wants to hear, and what its messages are signed by.

Nothing that is owed is ever dropped. An endpoint that is gone, or fails for long, is held: what it is owed waits until
a person enables it again. Its address may hold a credential and its secrets are ones, so all of them are sealed.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

from app.domain.decider import NotFound, Refused
from app.domain.sealed import SealedText

# Words

Why = Literal["gone", "failing"]
Status = Literal["unregistered", "active", "degraded", "held", "deleted"]

BOTH_SIGN = timedelta(hours=24)
"""How long a secret goes on signing after another has taken its place."""

# Commands


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where to, and what: empty `services` and `roles` mean any."""

    url: SealedText
    event_types: tuple[str, ...]
    services: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    description: SealedText | None = None


@dataclass(frozen=True, slots=True)
class Register:
    wanted: Wanted
    secret: SealedText
    signing_key: SealedText
    public_key: str


@dataclass(frozen=True, slots=True)
class Change:
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class RotateSecret:
    secret: SealedText


@dataclass(frozen=True, slots=True)
class Degrade:
    """It has been failing for half of the time after which it is held."""

    failing_since: datetime
    hold_at: datetime


@dataclass(frozen=True, slots=True)
class RecoverHealth:
    """It answers again."""


@dataclass(frozen=True, slots=True)
class Hold:
    """It said that it is gone (410), or has been failing since then."""

    why: Why
    since: datetime


@dataclass(frozen=True, slots=True)
class Enable:
    pass


@dataclass(frozen=True, slots=True)
class Recover:
    """Send again what failed or was held since; one that is held is enabled by it."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Replay:
    """Send one message again, however it ended."""

    delivery_id: str


@dataclass(frozen=True, slots=True)
class SendTest:
    """Send it a message that says nothing."""


@dataclass(frozen=True, slots=True)
class Delete:
    pass


Command = (
    Register
    | Change
    | RotateSecret
    | Degrade
    | RecoverHealth
    | Hold
    | Enable
    | Recover
    | Replay
    | SendTest
    | Delete
)  # fmt: skip

# Events


@dataclass(frozen=True, slots=True)
class Registered:
    """`signing_key` is the Ed25519 key's seed (whsk_…), `public_key` what checks it (whpk_…)."""

    url: SealedText
    event_types: tuple[str, ...]
    secret: SealedText
    signing_key: SealedText
    public_key: str
    services: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    description: SealedText | None = None


@dataclass(frozen=True, slots=True)
class Changed(Wanted):
    """What it wants from now on, the whole of it."""


@dataclass(frozen=True, slots=True)
class SecretRotated:
    """Until then the secret before it signs as well."""

    secret: SealedText
    previous_valid_until: datetime


@dataclass(frozen=True, slots=True)
class Degraded:
    failing_since: datetime
    hold_at: datetime


@dataclass(frozen=True, slots=True)
class Recovered:
    pass


@dataclass(frozen=True, slots=True)
class Held:
    why: Why
    since: datetime


@dataclass(frozen=True, slots=True)
class Enabled:
    pass


@dataclass(frozen=True, slots=True)
class RecoveryAsked:
    since: datetime


@dataclass(frozen=True, slots=True)
class ReplayAsked:
    delivery_id: str


@dataclass(frozen=True, slots=True)
class Tested:
    pass


@dataclass(frozen=True, slots=True)
class Deleted:
    pass


Event = (
    Registered
    | Changed
    | SecretRotated
    | Degraded
    | Recovered
    | Held
    | Enabled
    | RecoveryAsked
    | ReplayAsked
    | Tested
    | Deleted
)  # fmt: skip

# Refusals


class EndpointHeld(Refused):
    """Nothing is sent to an endpoint that is held, before a person enables it (409)."""

    code = "endpoint-held"


# State


@dataclass(frozen=True, slots=True)
class Signing:
    """A secret; `valid_until` is None for the newest."""

    secret: SealedText
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`secrets`: the newest first, also those that have run out. `standing`: why it is degraded or held."""

    status: Status = "unregistered"
    wanted: Wanted | None = None
    secrets: tuple[Signing, ...] = ()
    signing_key: SealedText | None = None
    public_key: str = ""
    standing: Degraded | Held | None = None

    @property
    def is_live(self) -> bool:
        """Whether it is owed what happens: also while it is held."""
        return self.status in {"active", "degraded", "held"}

    def wants(self, event_type: str, service_id: str | None, addressed: tuple[str, ...]) -> bool:
        """Whether it wants a message. What is about no service, or tells nobody in particular, passes those filters."""
        wanted = self.wanted
        if wanted is None or not self.is_live or event_type not in wanted.event_types:
            return False
        is_elsewhere = wanted.services and service_id is not None and service_id not in wanted.services
        is_for_others = wanted.roles and addressed and set(wanted.roles).isdisjoint(addressed)
        return not is_elsewhere and not is_for_others


UNREGISTERED = Endpoint()

# Decide


def decide(command: Command, endpoint: Endpoint, now: datetime) -> list[Event]:
    match command:
        case Register(wanted, secret, signing_key, public_key):
            if endpoint.status != "unregistered":
                return []
            return [registered(wanted, secret, signing_key, public_key)]
        case Change(wanted):
            must_be_live(endpoint)
            return [changed(wanted)] if wanted != endpoint.wanted else []
        case RotateSecret(secret):
            must_be_live(endpoint)
            return [SecretRotated(secret, now + BOTH_SIGN)]
        case Degrade(failing_since, hold_at):
            return [Degraded(failing_since, hold_at)] if endpoint.status == "active" else []
        case RecoverHealth():
            return [Recovered()] if endpoint.status == "degraded" else []
        case Hold(why, since):
            return [Held(why, since)] if endpoint.status in {"active", "degraded"} else []
        case Enable():
            must_be_live(endpoint)
            return [Enabled()] if endpoint.status == "held" else []
        case Recover(since):
            must_be_live(endpoint)
            asked: list[Event] = [RecoveryAsked(since)]
            return [Enabled(), *asked] if endpoint.status == "held" else asked
        case Replay(delivery_id):
            must_be_sent_to(endpoint)
            return [ReplayAsked(delivery_id)]
        case SendTest():
            must_be_sent_to(endpoint)
            return [Tested()]
        case Delete():
            return [Deleted()] if endpoint.is_live else []
        case _:
            assert_never(command)


def registered(wanted: Wanted, secret: SealedText, signing_key: SealedText, public_key: str) -> Registered:
    filters = (wanted.services, wanted.roles, wanted.description)
    return Registered(wanted.url, wanted.event_types, secret, signing_key, public_key, *filters)


def changed(wanted: Wanted) -> Changed:
    return Changed(wanted.url, wanted.event_types, wanted.services, wanted.roles, wanted.description)


def must_be_live(endpoint: Endpoint) -> None:
    if not endpoint.is_live:
        raise NotFound(NO_SUCH_ENDPOINT)


def must_be_sent_to(endpoint: Endpoint) -> None:
    must_be_live(endpoint)
    if endpoint.status == "held":
        raise EndpointHeld("The endpoint is held: put its receiver right, then POST …/enable.")


NO_SUCH_ENDPOINT = "No endpoint of that id belongs to this organisation: GET /v1/webhook-endpoints lists them."

# Evolve


def evolve(endpoint: Endpoint, event: Event) -> Endpoint:
    match event:
        case Registered(secret=secret, signing_key=signing_key, public_key=public_key):
            return Endpoint("active", wanted_by(event), (Signing(secret),), signing_key, public_key)
        case Changed():
            return replace(endpoint, wanted=wanted_by(event))
        case SecretRotated(secret, until):
            former = (replace(one, valid_until=one.valid_until or until) for one in endpoint.secrets)
            return replace(endpoint, secrets=(Signing(secret), *former))
        case Degraded():
            return replace(endpoint, status="degraded", standing=event)
        case Held():
            return replace(endpoint, status="held", standing=event)
        case Recovered() | Enabled():
            return replace(endpoint, status="active", standing=None)
        case RecoveryAsked() | ReplayAsked() | Tested():
            return endpoint
        case Deleted():
            return replace(endpoint, status="deleted", standing=None)
        case _:
            assert_never(event)


def wanted_by(event: Registered | Changed) -> Wanted:
    return Wanted(event.url, event.event_types, event.services, event.roles, event.description)
