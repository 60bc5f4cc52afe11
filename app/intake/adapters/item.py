"""One item of a payload as an adapter reads it: its fields, its id, its time, and what of it nobody looked at."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from app.domain.decider import Fault
from app.domain.identifiers import is_identifier
from app.domain.moment import parse_instant
from app.intake.adapters import adapter as kinds
from app.intake.adapters.adapter import TARGETS, Adapter, Condition, Shape, Spec
from app.intake.adapters.paths import Look, Path, Place, spread, told
from app.intake.adapters.times import read_time, zone_named
from app.intake.cloudevents import RawEvent
from app.intake.lenient import LONGEST_CODE, MOST_LISTED
from app.intake.mappings import text_of
from app.intake.refusals import PayloadNotUnderstood

SET_ASIDE_TYPE = "care.adapter.set_aside.v1"
"""The type of what is kept as a record although it is no event of ours."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a request says beside the payload: its source, when the adapter's own will not do; and the service of
    payloads that name none.
    """

    source: str | None = None
    service_id: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One event of a payload. `sent`: the payload as it came, from which `again` makes the same event. `set_aside`:
    reason code and sentence, when it is kept without being read.
    """

    raw: RawEvent
    mapping: str
    sent: object
    ignored_fields: tuple[str, ...] = ()
    set_aside: tuple[str, str] | None = None


class Item:
    """One item as an adapter reads it."""

    def __init__(self, adapter: Adapter, look: Look, payload: object, options: Options) -> None:
        self._adapter = adapter
        self._look = look
        self._payload = payload
        self._options = options
        self._faults: list[Fault] = []

    def holds(self, condition: Condition) -> bool:
        found = self._look.first(condition.paths)
        if condition.values is None:
            return (found is not None) is condition.present
        return found is not None and _scalar(found) in condition.values

    def data(self, shape: Shape) -> dict[str, Any]:
        """The event's data; raises `PayloadNotUnderstood` for what stands in the payload and cannot be read."""
        data: dict[str, Any] = {}
        for name, kind in TARGETS[shape.type].items():
            value = self._said(shape, name, kind)
            if value is not None:
                part, _, inner = name.partition(".")
                data |= {part: {**data.get(part, {}), inner: value}} if inner else {name: value}
        if self._faults:
            raise PayloadNotUnderstood(*self._faults)
        return data

    def part(self, index: int, type_: str, data: Mapping[str, Any], set_aside: tuple[str, str] | None = None) -> Part:
        adapter, look = self._adapter, self._look
        named = self._identifier(adapter.source_at)
        source = self._options.source or named or adapter.source or f"urn:adapter:{adapter.name}"
        raw = RawEvent(source, self._event_id(index), type_, data, self._modified_at(), None, {})
        ignored = look.ignored(adapter.known, MOST_LISTED, LONGEST_CODE)
        return Part(raw, adapter.mapping, self._payload, ignored, set_aside)

    def aside(
        self, index: int, why: tuple[str, str], type_: str = SET_ASIDE_TYPE, data: Mapping[str, Any] | None = None
    ) -> Part:
        return self.part(index, type_, data or {}, why)

    def _said(self, shape: Shape, name: str, kind: str) -> Any:
        spec = shape.fields.get(name)
        found = None if spec is None else self._found(spec, name, kind)
        if found is not None:
            return found
        if name in shape.constants:
            return shape.constants[name]
        if name == "service_id" and self._options.service_id is not None:
            return self._options.service_id
        return self._adapter.defaults.get(name)

    def _found(self, spec: Spec, name: str, kind: str) -> Any:
        if spec.join:
            places = [place for path in spec.paths for place in self._look.at(path)]
            texts = [self._text(spec, name, place) for place in places]
            return "; ".join(dict.fromkeys(text.strip() for text in texts if text and text.strip())) or None
        if kind == kinds.TEXTS:
            return self._texts(spec, name)
        place = self._look.first(spec.paths)
        if place is None:
            return None
        match kind:
            case kinds.TIME:
                return self._time(place)
            case kinds.MOMENT:
                return place.value if _is_date(place.value) else self._time(place)
            case kinds.NUMBER:
                return self._number(place)
            case kinds.TRUTH:
                text = self._text(spec, name, place)
                return {"true": True, "false": False}.get(text or "")
            case kinds.ANY:
                return self._look.whole(place).value
            case _:
                return self._text(spec, name, place)

    def _text(self, spec: Spec, name: str, place: Place) -> str | None:
        text = text_of(place.value)
        if not isinstance(text, str):
            self._refuse(place, "wrong-type", "Give a text or a number here.")
            return None
        if not text.startswith(spec.prefix):
            return None
        text = text.removeprefix(spec.prefix)
        return self._adapter.codes.get(name, {}).get(text, text) or None

    def _texts(self, spec: Spec, name: str) -> list[str] | None:
        places = [place for path in spec.paths for place in self._look.at(path)]
        texts = [self._text(spec, name, self._look.whole(one)) for place in places for one in spread([place])]
        return list(dict.fromkeys(text for text in texts if text)) or None

    def _time(self, place: Place) -> str | None:
        try:
            return read_time(place.value, self._zone(), self._adapter.unit)
        except ValueError as error:
            self._refuse(place, "not-a-time", str(error))
            return None

    def _number(self, place: Place) -> float | None:
        value = place.value
        try:
            number = float(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if isinstance(number, int | float) and not isinstance(number, bool):
            return number
        self._refuse(place, "wrong-type", "Give a number here.")
        return None

    def _zone(self) -> tzinfo | None:
        found = self._look.first(self._adapter.zone_at)
        named = None if found is None else zone_named(str(found.value))
        return named or (None if self._adapter.zone is None else zone_named(self._adapter.zone))

    def _modified_at(self) -> datetime | None:
        """The latest of the times at the first path that says one."""
        found = [[one for one in self._look.at(path) if one.value is not None] for path in self._adapter.time]
        texts = [self._time(place) for place in next((places for places in found if places), ())]
        if self._faults:
            raise PayloadNotUnderstood(*self._faults)
        return max((parse_instant(text) for text in texts if text is not None), default=None)

    def _event_id(self, index: int) -> str:
        """The payload's own ids and revision; what they lack, a hash of the content stands for."""
        adapter = self._adapter
        ids = [self._look.first([path]) for path in adapter.id]
        names = [_scalar(place) for place in ids if place is not None]
        content = _hash(self._look.chain[0].value)
        if not names or len(names) < len(ids):
            names = [content]
        elif adapter.revision is not None:
            found = self._look.first(adapter.revision)
            names.append(content[:16] if found is None else _scalar(found))
        if adapter.each and all(path.up != 0 for path in adapter.id):
            names.append(str(index))
        event_id = "/".join(names)
        return event_id if is_identifier(event_id) else f"{content}/{index}"

    def _identifier(self, paths: Sequence[Path]) -> str | None:
        found = self._look.first(paths)
        text = "" if found is None else _scalar(found)
        return text if is_identifier(text) else None

    def _refuse(self, place: Place, code: str, detail: str) -> None:
        self._faults.append(Fault(f"/{told(place.pointer)}", code, detail))


def _scalar(place: Place) -> str:
    """A text, number or truth as text; of what holds more, its hash."""
    text = text_of(place.value)
    return text if isinstance(text, str) else _hash(text)


def _hash(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _is_date(value: object) -> bool:
    return isinstance(value, str) and len(value) == len("2026-03-02") and value.count("-") == 2
