"""An event as proof reads it: plain values, so that the ledger's rows and the lines of a pack are the same thing.

The payload stands as it was first stored, never upcast, for that is what the leaf hashes; whoever decodes it brings it
up. Instants are microseconds since 1970.
"""

import re
from typing import Any, NamedTuple

import msgspec

from app.domain.moment import parse_instant, to_micros
from app.events.envelope import Envelope

_TYPE = re.compile(r"forewarn\.([a-z_]+\.[a-z_]+)\.v([0-9]{1,4})")
_SOURCE = "/organisations/"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Event(NamedTuple):
    """One event of an organisation's ledger, in the order of its sequence."""

    organisation: str
    sequence: int
    id: str
    stream: str
    version: int
    type: str
    schema_version: int
    occurred_at: int
    recorded_at: int
    actor: str
    correlation_id: str
    causation_id: str | None
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        """The stream's noun, such as `near_miss`."""
        return self.stream.partition("/")[0]

    @property
    def subject(self) -> str:
        """The id of what the stream is about."""
        return self.stream.partition("/")[2]


def from_envelope(envelope: Envelope) -> Event:
    """The event that a row of the ledger holds."""
    return Event(*envelope[:12], data=_decode(envelope.payload))


def from_cloud_event(document: dict[str, Any]) -> Event:
    """The event that a CloudEvent of the ledger or of a pack tells; ValueError says what is wrong with it."""
    try:
        named = _TYPE.fullmatch(document["type"])
        source, stream, data = document["source"], document["subject"], document["data"]
        if named is None or not source.startswith(_SOURCE):
            raise ValueError("Its type or source is none that forewarn writes.")
        event = Event(
            source.removeprefix(_SOURCE),
            document["sequence"],
            document["id"],
            stream,
            document["streamversion"],
            named[1],
            int(named[2]),
            to_micros(parse_instant(document["occurredat"])),
            to_micros(parse_instant(document["time"])),
            document["actor"],
            document["correlationid"],
            document.get("causationid"),
            data,
        )
    except KeyError as missing:
        raise ValueError(f"It has no {missing.args[0]}.") from None
    except (AttributeError, TypeError):
        raise ValueError("One of its attributes has a type that it cannot have.") from None
    if type(event.sequence) is not int or type(event.version) is not int or type(event.data) is not dict:
        raise ValueError("Its sequence and streamversion are integers, and its data is an object.")
    texts = (event.id, event.stream, event.actor, event.correlation_id, event.causation_id or "")
    if not all(type(text) is str for text in texts) or "/" not in event.stream:
        raise ValueError("Its id, subject, actor, correlationid and causationid are texts, the subject KIND/ID.")
    return event
