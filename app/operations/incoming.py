"""What a system sent, read and judged, before anything is stored of it.

What the source itself calls a near miss, or harm, must be a valid submission or is refused with pointers. What only
our rules call one is never refused for what the rules made of it: it is kept as not understood, to be read again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.domain import taxonomy_check
from app.domain.decider import Fault, Invalid
from app.domain.intake import Outcome, Unmapped
from app.domain.moment import format_instant
from app.domain.occurrence import Denominator, Incident, Occurrence, Reported, Verdict
from app.domain.recognition import recognise
from app.domain.recognition_saying import UNMAPPED_STATUS
from app.domain.rule import OWN_SOURCE
from app.events.canonical import canonical
from app.intake.care import read
from app.intake.cloudevents import RawEvent
from app.intake.unknown_codes import put_aside
from app.operations.configuration import Configuration

Check = Callable[[object, datetime], dict[str, Any]]
"""The intake submission that a document is, without absent values, as at the API's own door; raises `Invalid`."""

NOT_VALID = "submission_not_valid"


@dataclass(frozen=True, slots=True)
class Incoming:
    """What came in: `raw` is the CloudEvent that it is read as, `sent` what was sent (JSON or text), kept sealed.

    `via`: events, adapter/NAME or fhir. `options`: what `sent` was read with besides, for reading it again. `mapping`:
    NAME@VERSION of what turned `sent` into `raw`. `ignored_fields` and `unmapped` (field, code) are those that the
    mapping found; what reading `raw` finds besides is added. `set_aside` (reason code, sentence): the mapping found
    nothing to recognise, so that `raw` is not read but kept as a record with that reason.
    """

    raw: RawEvent
    via: str
    sent: object
    mapping: str | None = None
    ignored_fields: tuple[str, ...] = ()
    unmapped: tuple[tuple[str, str], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    set_aside: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """What a mapping says is none of ours (a subscription, a plan for nobody), or says too little to be judged."""

    reason: str
    says: str

    @property
    def identity(self) -> None:
        """It is a word on nothing that is known."""
        return


@dataclass(frozen=True, slots=True)
class Item:
    """What came in, as it reads. `submission`: what the source itself calls a near miss, valid and named."""

    incoming: Incoming
    what: Occurrence | SetAside
    ignored_fields: tuple[str, ...]
    unmapped: tuple[Unmapped, ...]
    submission: Mapping[str, Any] | None = None

    @property
    def raw(self) -> RawEvent:
        """The event that it reads as."""
        return self.incoming.raw

    def kept(self) -> str:
        """What was sent, as it is kept."""
        return canonical({"sent": self.incoming.sent, "options": dict(self.incoming.options)})

    def read_as(self) -> str:
        """What it says, whatever it was wrapped in: without the time at which it was sent, or sent again."""
        return canonical([self.raw.type, self.raw.subject, dict(self.raw.data)])


@dataclass(frozen=True, slots=True)
class Judged:
    """What an item is by the rules of today. `document`: the intake submission of a near miss or of harm; `unmapped`:
    the codes of it that the organisation's taxonomy does not know.
    """

    outcome: Outcome
    reason: str
    verdict: Verdict
    document: dict[str, Any] | None = None
    faults: tuple[Fault, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()


def read_item(incoming: Incoming, now: datetime, check: Check) -> Item:
    """Read it; raises `Invalid` with every fault, their pointers into the CloudEvent."""
    raw = incoming.raw
    if raw.source == OWN_SOURCE:
        raise Invalid(Fault("/source", "reserved", "Name your own system: this is what the service calls itself."))
    what, ignored_fields, unmapped = _understood(incoming)
    submission, put_away = None, ()
    if isinstance(what, Reported):
        submission, put_away = _checked(_named(raw, what.document), now, check)
    return Item(
        incoming,
        what,
        tuple(dict.fromkeys([*incoming.ignored_fields, *ignored_fields])),
        tuple(dict.fromkeys(Unmapped(*one) for one in (*incoming.unmapped, *unmapped, *put_away))),
        submission,
    )


def _checked(
    document: dict[str, Any], now: datetime, check: Check
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """What the source itself calls a near miss, as a valid submission, and the codes that it had to lose for that."""
    try:
        return check(document, now), ()
    except Invalid as invalid:
        found = put_aside(document, invalid.faults)
        if found is None:
            raise Invalid(*_in_data(invalid.faults)) from invalid
    try:
        return check(found[0], now), found[1]
    except Invalid as invalid:
        raise Invalid(*_in_data(invalid.faults)) from invalid


def _understood(
    incoming: Incoming,
) -> tuple[Occurrence | SetAside, tuple[str, ...], tuple[tuple[str, str], ...]]:
    if incoming.set_aside is not None:
        return SetAside(*incoming.set_aside), (), ()
    found = read(incoming.raw)
    return found.what, found.ignored_fields, found.unmapped


def judge_item(settled: Configuration, item: Item, now: datetime, check: Check) -> Judged:
    """Whether it is a near miss by the rules of today; `Invalid` when the source itself calls it what it cannot be."""
    if isinstance(item.what, SetAside):
        return Judged(Outcome.NOT_A_NEAR_MISS, item.what.reason, Verdict(item.what.reason, item.what.says))
    verdict = recognise(settled.recognition, item.what)
    if verdict.submission is None:
        return Judged(_none(item.what, verdict), verdict.reason, verdict)
    # What the source itself calls a near miss was checked when it was read.
    said = verdict.submission if item.submission is None else item.submission
    document, faults = _submission(settled, item.raw, said, now, check)
    put_away: tuple[tuple[str, str], ...] = ()
    if faults and isinstance(item.what, Reported | Incident):
        # Once more for the words that belong to an incident type, when that was not known.
        for _ in range(2):
            found = put_aside(document, faults) if faults else None
            if found is not None:
                put_away = (*put_away, *found[1])
                document, faults = _submission(settled, item.raw, found[0], now, check)
        if faults:
            raise Invalid(*_in_data(faults))
    if faults:
        return Judged(Outcome.NOT_UNDERSTOOD, NOT_VALID, verdict, None, faults)
    outcome = Outcome.HARM_INCIDENT if isinstance(item.what, Incident) else Outcome.RECOGNISED
    return Judged(outcome, verdict.reason, verdict, document, (), tuple(Unmapped(*one) for one in put_away))


def _none(what: Occurrence, verdict: Verdict) -> Outcome:
    if isinstance(what, Denominator):
        return Outcome.DENOMINATOR
    return Outcome.UNMAPPED if verdict.reason == UNMAPPED_STATUS else Outcome.NOT_A_NEAR_MISS


def _submission(
    settled: Configuration, raw: RawEvent, submission: Mapping[str, Any], now: datetime, check: Check
) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    document = _named(raw, submission)
    try:
        document = check(document, now)
    except Invalid as invalid:
        return document, invalid.faults
    return document, tuple(taxonomy_check.faults(settled.taxonomy, document))


def _named(raw: RawEvent, submission: Mapping[str, Any]) -> dict[str, Any]:
    return {**submission, "source": raw.source, "source_event_id": raw.id}


def _in_data(faults: tuple[Fault, ...]) -> list[Fault]:
    """The faults of a submission where they stand in the event that it came in."""
    return [
        one if one.pointer == "/source" else replace(one, pointer=_OF_EVENT.get(one.pointer, f"/data{one.pointer}"))
        for one in faults
    ]


_OF_EVENT = {"/source_event_id": "/id"}


def envelope_of(raw: RawEvent) -> dict[str, Any]:
    """The event as one JSON document: how what came in headers and a body is kept."""
    document = {
        **raw.extensions,
        "specversion": "1.0",
        "id": raw.id,
        "source": raw.source,
        "type": raw.type,
        "time": format_instant(raw.time) if raw.time is not None else None,
        "subject": raw.subject,
        "data": dict(raw.data),
    }
    return {name: value for name, value in document.items() if value is not None}
