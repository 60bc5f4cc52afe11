"""A payload becomes events: an adapter says how, and nothing of the payload is lost on the quiet.

An item is understood as an event, set aside with a reason (kept as a record, never read), or refused with what is
missing. Fields that the mapping does not read are listed; a code that it does not know goes on as it was sent, and
reading the event calls it `unmapped`.
"""

from collections.abc import Iterator
from typing import cast

from app.domain.decider import Fault, Invalid
from app.intake import care, hl7v2
from app.intake.adapters.adapter import Adapter, Shape
from app.intake.adapters.item import Item, Options, Part
from app.intake.adapters.paths import Look, Place, spread
from app.intake.refusals import PayloadNotUnderstood

MOST_ITEMS = 100
"""Items of one payload: as many as a batch of events holds."""

NOT_OURS = "not_ours"
INCOMPLETE = "incomplete"
"""Reason codes of what is set aside."""


def apply(adapter: Adapter, payload: object, options: Options | None = None) -> list[Part]:
    """The events of one payload (JSON, or the text of an HL7 message), at least one; raises `PayloadNotUnderstood`."""
    looks = list(_items(adapter, _document(adapter, payload)))
    return [_part(adapter, look, index, payload, options or Options()) for index, look in enumerate(looks)]


def again(adapter: Adapter, sent: object, options: Options, event_id: str) -> Part | None:
    """The event of that id in a payload that is read once more, perhaps by a mended mapping; the only one it makes."""
    parts = apply(adapter, sent, options)
    return next((part for part in parts if part.raw.id == event_id), parts[0] if len(parts) == 1 else None)


def each_payload(adapter: Adapter, document: object) -> list[object]:
    """The payloads of a document: the items of an array, or the one that it is."""
    if not isinstance(document, list):
        return [document]
    payloads = cast("list[object]", document)
    if not 1 <= len(payloads) <= MOST_ITEMS:
        raise PayloadNotUnderstood(Fault("", "out-of-range", f"Send 1 to {MOST_ITEMS} items at once."))
    return payloads


def _document(adapter: Adapter, payload: object) -> object:
    if adapter.format == "hl7v2" and isinstance(payload, str):
        return hl7v2.parse(payload)
    if adapter.format == "json" and isinstance(payload, dict):
        return cast("object", payload)
    detail = "Send the payload as an object." if adapter.format == "json" else "Send the message as text."
    raise PayloadNotUnderstood(Fault("", "wrong-type", detail))


def _items(adapter: Adapter, document: object) -> Iterator[Look]:
    looks = [Look((Place((), document),))]
    for path in adapter.each:
        looks = [look.within(place) for look in looks for place in spread(look.at(path))]
        if not looks:
            raise PayloadNotUnderstood(Fault(path.pointer, "missing", f"{adapter.name} reads one event of each item."))
        if len(looks) > MOST_ITEMS:
            raise PayloadNotUnderstood(Fault(path.pointer, "out-of-range", f"Send at most {MOST_ITEMS} items at once."))
    for look in looks:
        look.seen.clear()  # The way to an item says nothing about what was read of it.
        yield look


def _part(adapter: Adapter, look: Look, index: int, payload: object, options: Options) -> Part:
    reading = Item(adapter, look, payload, options)
    for rule in adapter.not_ours:
        if all(reading.holds(condition) for condition in rule.when):
            return reading.aside(index, (NOT_OURS, rule.reason))
    shape = next((one for one in adapter.shapes if all(reading.holds(each) for each in one.when)), None)
    if shape is None:
        raise PayloadNotUnderstood(*_why_no_shape(adapter, reading))
    data = reading.data(shape)
    missing = next((says for name, says in shape.set_aside.items() if name not in data), None)
    if missing is not None:
        return reading.aside(index, (INCOMPLETE, missing), shape.type, data)
    part = reading.part(index, shape.type, data)
    try:
        care.read(part.raw)
    except Invalid as refusal:
        raise PayloadNotUnderstood(*(_in_the_payload(shape, fault) for fault in refusal.faults)) from None
    return part


def _why_no_shape(adapter: Adapter, reading: Item) -> Iterator[Fault]:
    for shape in adapter.shapes:
        for condition in shape.when:
            if not reading.holds(condition):
                pointer = condition.paths[0].pointer
                yield Fault(pointer, "not-understood", f"{adapter.name} knows no payload with this, or without it.")
                break


def _in_the_payload(shape: Shape, fault: Fault) -> Fault:
    """The fault where a sender would mend it: at the place that the field is read from."""
    name = fault.pointer.removeprefix("/data/").split("/", maxsplit=1)[0]
    spec = shape.fields.get(name)
    return Fault(spec.paths[0].pointer if spec else "", fault.code, f"{name}: {fault.detail}")
