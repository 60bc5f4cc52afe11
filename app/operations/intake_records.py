"""What came in, as it is shown, and read again from what was kept: by today's mapping and today's rules."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from app.domain import intake
from app.domain.decider import NotFound
from app.domain.intake import IntakeRecord
from app.domain.moment import format_instant
from app.events.envelope import Told, instant
from app.events.sealing import fingerprint
from app.events.store import Cause
from app.intake import fhir
from app.intake.adapters import Adapters, Options, again
from app.intake.cloudevents import structured
from app.operations.desk import Desk
from app.operations.ids import near_miss_id_of
from app.operations.incoming import Check, Incoming, read_item
from app.operations.recognising import Taking
from app.operations.show import Reader

NO_SUCH_RECORD = "No intake record of that id belongs to this organisation: GET /v1/intake-records lists them."


@dataclass(frozen=True, slots=True)
class Kept:
    """What was sent, opened, with all that reading it again may need."""

    via: str
    sent: Any
    options: Mapping[str, Any]
    source_event_id: str
    pepper: bytes
    adapters: Adapters

    @property
    def name(self) -> str:
        """Of the adapter that it came through."""
        return self.via.partition("/")[2]


class NoLongerReadable(NotFound):
    """What was sent was erased, or nothing here reads it any more (404)."""


def records(reader: Reader, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The intake records of these ids that exist, in the order asked; what was sent is not in them."""
    told = reader.told([f"intake/{one}" for one in ids])
    return [document_of(one, told[f"intake/{one}"]) for one in ids if told[f"intake/{one}"]]


def record(reader: Reader, intake_id: str) -> dict[str, Any]:
    """One intake record with what was sent, or `NotFound`; `{"erased": true}` stands for what was erased."""
    told = reader.told([f"intake/{intake_id}"])[f"intake/{intake_id}"]
    if not told:
        raise NotFound(NO_SUCH_RECORD)
    opened = reader.opener([told])(told[0].event.sent)
    payload = msgspec.json.decode(opened)["sent"] if isinstance(opened, str) else opened
    return {**document_of(intake_id, told), "payload": payload}


def document_of(intake_id: str, told: Sequence[Told[Any]]) -> dict[str, Any]:
    """What came in, what it was taken for, and what it is taken for since."""
    state = intake.UNRECEIVED
    for one in told:
        state = intake.evolve(state, one.event)
    received, found = state.received, state.finding
    assert received is not None
    assert found is not None
    document: dict[str, Any] = {
        "id": intake_id,
        "sequence": told[0].envelope.sequence,
        "version": len(told),
        "status": found.outcome,
        "reason": found.reason,
        "says": found.says,
        "rule": found.rule,
        "recognition_version": found.recognition_version,
        "source": received.source,
        "event_id": received.source_event_id,
        "event_type": received.event_type,
        "time": format_instant(received.time) if received.time is not None else None,
        "via": received.via,
        "mapping": found.mapping,
        "received_at": instant(told[0].envelope.recorded_at),
        "replayed_at": instant(told[-1].envelope.recorded_at) if len(told) > 1 else None,
        "near_miss_id": found.near_miss_id,
        "ignored_fields": list(found.ignored_fields),
        "unmapped": [{"field": one.field, "code": one.code} for one in found.unmapped],
    }
    return {name: value for name, value in document.items() if value is not None}


@dataclass(slots=True)
class Replay:
    """The command that reads a record again. `is_changed`: whether anything came of it, once it was carried out.

    An Idempotency-Key is kept only where something did, therefore a replayed answer says so too.
    """

    intake_id: str
    command_id: str
    adapters: Adapters
    check: Check
    is_changed: bool = True

    def run(self, desk: Desk, cause: Cause) -> None:
        """Take the record for what it is by today's mapping and rules; what has had its effect stays as it is."""
        known, version = desk.fold(f"intake/{self.intake_id}", intake.UNRECEIVED, intake.evolve)
        if known.finding is None:
            raise NotFound(NO_SUCH_RECORD)
        self.is_changed = False
        if known.finding.outcome in intake.REPLAYABLE:
            item = read_item(self._read_again(desk, known), desk.now, self.check)
            taking = Taking(desk, cause, item, self.check, self.intake_id, near_miss_id_of(self.command_id))
            self.is_changed = taking.take_again(known, version)

    def show(self, reader: Reader, intake_id: str) -> Mapping[str, Any]:
        """The record, and whether reading it again changed anything."""
        shown = record(reader, intake_id)
        return {**shown, "replay": {"changed": self.is_changed, "says": _CHANGED if self.is_changed else _AS_BEFORE}}

    def _read_again(self, desk: Desk, known: IntakeRecord) -> Incoming:
        received = known.received
        assert received is not None
        opened = Reader(desk.connection, desk.vault, desk.organisation).opener_of([received.sent])(received.sent)
        if not isinstance(opened, str):
            raise NoLongerReadable("What was sent was erased: there is nothing left to read again.")
        said = msgspec.json.decode(opened)
        kept = Kept(received.via, said["sent"], said["options"], received.source_event_id, desk.pepper, self.adapters)
        incoming = READERS[received.via.partition("/")[0]](kept)
        # Whatever a mended mapping makes of it, its source has named it once and for ever.
        raw = replace(incoming.raw, source=received.source, id=received.source_event_id)
        return replace(incoming, raw=raw)


_CHANGED = "It is taken for something else now."
_AS_BEFORE = "Nothing has changed: it has had its effect already, or is still taken for the same."


def _event(kept: Kept) -> Incoming:
    return Incoming(structured(kept.sent), kept.via, kept.sent)


def _by_adapter(kept: Kept) -> Incoming:
    adapter = kept.adapters.get(kept.name)
    part = None if adapter is None else again(adapter, kept.sent, Options(**kept.options), kept.source_event_id)
    if part is None:
        raise NoLongerReadable("No mapping reads this event in what was sent any more: mend the mapping first.")
    return Incoming(
        part.raw,
        kept.via,
        kept.sent,
        part.mapping,
        part.ignored_fields,
        options=kept.options,
        set_aside=part.set_aside,
    )


def _resource(kept: Kept) -> Incoming:
    taken = fhir.read(kept.sent, lambda text: fingerprint(kept.pepper, text))
    return Incoming(
        taken.raw,
        kept.via,
        kept.sent,
        ignored_fields=taken.ignored_fields,
        unmapped=taken.unmapped,
        set_aside=taken.set_aside,
    )


READERS: Mapping[str, Callable[[Kept], Incoming]] = {"events": _event, "adapter": _by_adapter, "fhir": _resource}
"""How what came in by each way is read again."""
