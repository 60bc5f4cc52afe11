"""An event as the ledger holds it, and the CloudEvents 1.0 form that others read and hash.

The text of a CloudEvent is RFC 8785 JSON, so its keys are written in order around the payload, which is
canonical already. The leaf is SHA-256(0x00 ‖ that text without `leafhash`), RFC 9162 §2.1.1.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from app.events.canonical import quote
from app.events.merkle import leaf_hash

E = TypeVar("E", covariant=True)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC; naive, so that its text carries no offset


class Envelope(NamedTuple):
    """One row of `events`, in the order of its columns. Instants are microseconds since the epoch."""

    organisation: str
    sequence: int
    event_id: str
    stream: str
    version: int
    type: str
    schema_version: int
    occurred_at: int
    recorded_at: int
    actor: str
    correlation_id: str
    causation_id: str | None
    payload: str
    leaf: bytes

    @property
    def kind(self) -> str:
        """The stream's noun, such as `near_miss`."""
        return self.stream.split("/", 1)[0]

    @property
    def subject(self) -> str:
        """The id of what the stream is about."""
        return self.stream.split("/", 1)[1]


@dataclass(frozen=True, slots=True)
class Told(Generic[E]):
    """An envelope and the event in it, decoded to its newest form."""

    envelope: Envelope
    event: E


@lru_cache(maxsize=256)  # What is recorded together bears one time.
def instant(micros: int) -> str:
    """YYYY-MM-DDTHH:MM:SS.ffffffZ."""
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds") + "Z"


def type_of(envelope: Envelope) -> str:
    """forewarn.STREAM.EVENT.vN."""
    return f"forewarn.{envelope.type}.v{envelope.schema_version}"


def cloud_event(envelope: Envelope, *, with_leaf: bool = True) -> str:
    """The event as canonical CloudEvents JSON; without `leafhash` it is what the leaf hashes."""
    causation = f'"causationid":{quote(envelope.causation_id)},' if envelope.causation_id else ""
    leaf = f'"leafhash":"{envelope.leaf.hex()}",' if with_leaf else ""
    return (
        f'{{"actor":{quote(envelope.actor)},{causation}"correlationid":{quote(envelope.correlation_id)},'
        f'"data":{envelope.payload},"id":"{envelope.event_id}",{leaf}"occurredat":"{instant(envelope.occurred_at)}",'
        f'"sequence":{envelope.sequence},"source":{quote("/organisations/" + envelope.organisation)},'
        f'"specversion":"1.0","streamversion":{envelope.version},"subject":{quote(envelope.stream)},'
        f'"time":"{instant(envelope.recorded_at)}","type":"{type_of(envelope)}"}}'
    )


def sealed_with_leaf(envelope: Envelope) -> Envelope:
    """The envelope with the RFC 9162 leaf hash of its canonical text."""
    return Envelope(*envelope[:-1], leaf_hash(cloud_event(envelope, with_leaf=False).encode()))


def attributes(envelope: Envelope) -> dict[str, Any]:
    """Who, when and why, without the payload: for histories."""
    return {
        "sequence": envelope.sequence,
        "type": envelope.type,
        "version": envelope.version,
        "occurred_at": instant(envelope.occurred_at),
        "recorded_at": instant(envelope.recorded_at),
        "actor": envelope.actor,
        "correlation_id": envelope.correlation_id,
    }
