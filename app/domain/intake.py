"""One stream for each thing that a care system sent: what it was taken for and why, and what it is taken for since.

What was sent is kept, sealed, whatever became of it, so that it can be read again by a mended mapping or by newer
rules. Reading again never takes back what was recorded: that is for the source, or for people.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from app.domain.sealed import SealedText

# Words


class Outcome(StrEnum):
    """What became of it.

    recognised, harm_incident: it made a record of its own. joined: one more person of a round that is one near miss
    already. revised, withdrawn: a newer word of the same source changed what an earlier one made. unchanged: a newer
    word that changed nothing; superseded: an older one, after a newer was known. denominator: how much there was to do.
    unmapped: its status is none that anybody here knows; not_understood: what it makes is no valid submission.
    """

    RECOGNISED = "recognised"
    HARM_INCIDENT = "harm_incident"
    JOINED = "joined"
    REVISED = "revised"
    WITHDRAWN = "withdrawn"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    DENOMINATOR = "denominator"
    NOT_A_NEAR_MISS = "not_a_near_miss"
    UNMAPPED = "unmapped"
    NOT_UNDERSTOOD = "not_understood"


RECORDING = frozenset({Outcome.RECOGNISED, Outcome.HARM_INCIDENT})
"""What makes a record that has the source's pair (source, id) as its own."""

REPLAYABLE = frozenset({Outcome.NOT_A_NEAR_MISS, Outcome.UNMAPPED, Outcome.NOT_UNDERSTOOD})
"""What may be taken for something else when it is read again; all else has had its effect."""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A field whose code nobody here knows, as it was sent."""

    field: str
    code: str


@dataclass(frozen=True, slots=True)
class InRound:
    """The round that it belongs to, as a keyed hash, and when in it."""

    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What it was taken for: `outcome` (see `Outcome`), why, and the recognition `rule` that decided.

    `reason` is a code, `says` the sentence for it, without anybody's words or name. `occurrence`: keyed hash of the
    dose or visit that it is about, by which later words on it are known. `mapping`: NAME@VERSION of what turned it into
    one of our events. `ignored_fields`: paths that nobody here reads.
    """

    outcome: str
    reason: str
    recognition_version: int
    says: str | None = None
    rule: str | None = None
    near_miss_id: str | None = None
    occurrence: str | None = None
    round: InRound | None = None
    mapping: str | None = None
    ignored_fields: tuple[str, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()


# Commands


@dataclass(frozen=True, slots=True)
class Receive:
    """Take in what a source sent, as it was judged already."""

    received: "Received"


@dataclass(frozen=True, slots=True)
class Replay:
    """Take it for what it is by today's mapping and rules."""

    finding: Finding


Command = Receive | Replay


# Events


@dataclass(frozen=True, slots=True)
class Received:
    """A source sent it. `via`: events, adapter/NAME or fhir.

    `sent`: JSON of the payload as it came and of the options it came with, sealed under the record's key. `fingerprint`
    is a keyed hash of it, `read_as` one of the event that was read in it: a resend has one of the two in common.
    """

    source: str
    source_event_id: str
    event_type: str
    via: str
    fingerprint: str
    read_as: str
    sent: SealedText
    finding: Finding
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """It was read again and is taken for something else now."""

    finding: Finding


Event = Received | Replayed


# State


@dataclass(frozen=True, slots=True)
class IntakeRecord:
    """What was received, and what it is taken for today."""

    received: Received | None = None
    finding: Finding | None = None


UNRECEIVED = IntakeRecord()


def decide(command: Command, record: IntakeRecord) -> list[Event]:
    """What follows from a command; nothing when it was said before."""
    match command:
        case Receive(received):
            return [] if record.received is not None else [received]
        case Replay(finding):
            if record.finding is None or record.finding.outcome not in REPLAYABLE:
                return []
            return [] if _same(record.finding, finding) else [Replayed(finding)]
        case _:
            assert_never(command)


def _same(before: Finding, after: Finding) -> bool:
    """Whether reading again found nothing new: by which version of the rules it was found is not news by itself."""
    return (before.outcome, before.reason, before.rule) == (after.outcome, after.reason, after.rule)


def evolve(record: IntakeRecord, event: Event) -> IntakeRecord:
    """The record after an event that happened."""
    match event:
        case Received():
            return IntakeRecord(event, event.finding)
        case Replayed(finding):
            return IntakeRecord(record.received, finding)
        case _:
            assert_never(event)
