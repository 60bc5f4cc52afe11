"""From a document in clear to the report that is kept: the organisation's own names, and personal words sealed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from app.domain import shifts
from app.domain.moment import Moment, from_micros, parse_instant, parse_moment
from app.domain.report import (
    Assumption,
    MappedAgainst,
    Report,
    Shift,
    Staff,
    WorkflowLink,
)
from app.domain.sealed import Reference, SealedText
from app.domain.service import locality_at
from app.domain.similarity import Facts
from app.domain.zones import zone
from app.events.sealing import token
from app.operations.configuration import Configuration
from app.operations.desk import Desk
from app.projections.facts import facts

Sealed = TypeVar("Sealed", Reference, SealedText)

_LINK = ("stage_affected", "stage_allowed", "system_used", "deviation_from_plan", "corrective_action")

PERSONAL = ("staff_involved", "staff_not_known_reason", "person_ref", "narrative")
"""What is sealed in a report."""

_AS_SUBMITTED = (
    "discovered_at",
    "scheduled_at",
    "deviation",
    "recovery_barrier",
    "potential_harm",
    "reported_frequency",
)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where and when it happened, in the organisation's own terms, and what rules may look at."""

    service_id: str | None
    unregistered: bool
    locality: str | None
    bracket: str | None
    zone: str
    moment: Moment
    facts: Facts


def place_document(
    near_miss_id: str, sequence: int, document: Mapping[str, Any], person: str | None, settled: Configuration
) -> Placed:
    """Resolve the service, its locality at the time, and the shift bracket; `person` is the person's token."""
    service_id, service = settled.service_of(document.get("service_id"))
    particulars = service.particulars
    zone_name = settled.policy.time_zone
    moment = parse_moment(document["occurred_at"], zone(zone_name))
    locality = document.get("locality")
    if locality is None and particulars is not None and particulars.localities:
        locality = locality_at(service, date.fromordinal(moment.day))
    bracket = shifts.shift_bracket(
        None if moment.date_only else from_micros(moment.at),
        zone(particulars.time_zone) if particulars and particulars.time_zone else zone(zone_name),
        service_id,
        particulars.service_type if particulars else None,
        settled.shift_tables,
        _worked(document.get("shift")),
    )
    link = document.get("workflow_link") or document  # What is kept of one that is not whole: see `partial`.
    return Placed(
        service_id,
        service_id is not None and particulars is None,
        locality,
        bracket,
        zone_name,
        moment,
        facts(
            near_miss_id,
            sequence,
            moment,
            {**document, "service_id": service_id, "locality": locality, "shift_bracket": bracket},
            person,
            link.get("stage_allowed"),
            link.get("stage_affected"),
            link["system_used"] if is_whole(link) else None,
        ),
    )


@dataclass(slots=True)
class Sealer:
    """Seals the words of one record under the record's key, made when first needed, and remembers what it sealed."""

    desk: Desk
    key: str | None = None
    clear: dict[str, str] = field(default_factory=dict[str, str])

    def text(self, words: str) -> SealedText:
        """Free text."""
        vault, organisation = self.desk.vault, self.desk.organisation
        if self.key is None or not vault.has_key(self.desk.rows, organisation, self.key):
            self.key = vault.record_key(self.desk.rows, organisation)
        sealed = vault.text(organisation, self.key, words)
        self.clear[sealed.sealed] = words
        return sealed

    def reference(self, kind: str, ref: str, known_token: str | None = None) -> Reference:
        """A person; `kind` is staff or person."""
        its_token = known_token
        if its_token is None:  # A token that is given was read ahead with its batch.
            its_token = token(self.desk.pepper, kind, ref)
            self.desk.vault.look_up(self.desk.rows, self.desk.organisation, its_token)
        sealed = self.desk.vault.reference(self.desk.rows, self.desk.organisation, its_token, ref)
        self.clear[sealed.sealed] = ref
        return sealed

    def opened(self, sealed: Reference | SealedText) -> str:
        """What was sealed here."""
        return self.clear[sealed.sealed]


def sealed_before(desk: Desk, words: str, formerly: Sequence[Sealed]) -> Sealed | None:
    """The same words as they were sealed before: sealed anew they would look like others."""
    opener = desk.vault.opener(desk.connection, desk.organisation, [one.key for one in formerly])
    return next((one for one in formerly if opener(one) == words), None)


def report_of(
    document: Mapping[str, Any],
    placed: Placed,
    sealer: Sealer,
    staff_tokens: tuple[str, ...] = (),
    person_token: str | None = None,
) -> Report:
    """The report of a valid document. Tokens given spare computing them again."""
    staff = document.get("staff_involved") or ()
    tokens = staff_tokens or (None,) * len(staff)
    shift = document.get("shift")
    person = document.get("person_ref")
    reason = document.get("staff_not_known_reason")
    narrative = document.get("narrative")
    submitted = document.get("service_id")
    return Report(
        occurred_at=document["occurred_at"],
        incident_type=document["incident_type"],
        classification=document["classification"],
        zone=placed.zone,
        service_id=placed.service_id,
        reported_service_id=submitted if submitted != placed.service_id else None,
        locality=placed.locality,
        contributing_factors=tuple(document.get("contributing_factors") or ()),
        staff_involved=tuple(
            Staff(sealer.reference("staff", one["ref"], its_token), one.get("role"))
            for one, its_token in zip(staff, tokens, strict=True)
        ),
        staff_not_known_reason=sealer.text(reason) if reason else None,
        person_ref=sealer.reference("person", person, person_token) if person else None,
        shift=Shift(shift["starts_at"], shift["ends_at"], shift.get("id")) if shift else None,
        shift_bracket=placed.bracket,
        narrative=sealer.text(narrative) if narrative else None,
        attributes=document.get("attributes") or {},
        stage_allowed=document.get("stage_allowed"),
        stage_affected=document.get("stage_affected"),
        **{name: document[name] for name in _AS_SUBMITTED if name in document},
    )


def link_of(document: Mapping[str, Any], sealer: Sealer) -> WorkflowLink:
    """The workflow link of a valid document."""
    mapped = document.get("mapped_against")
    return WorkflowLink(
        document["stage_affected"],
        document["stage_allowed"],
        document["system_used"],
        sealer.text(document["deviation_from_plan"]),
        sealer.text(document["corrective_action"]),
        document.get("stage_allowed_basis"),
        mapped_of(mapped, sealer) if mapped else None,
    )


def mapped_of(document: Mapping[str, Any], sealer: Sealer) -> MappedAgainst:
    """The assumptions of S9, as a link or a source says them."""
    return MappedAgainst(**{name: _assumption(value, sealer) for name, value in document.items()})


def is_whole(link: Mapping[str, Any]) -> bool:
    """Whether a link that a system sent says everything a link must say."""
    return all(link.get(name) for name in _LINK)


def partial(link: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a link that is not whole: the stages; a person makes the rest."""
    return {name: link[name] for name in ("stage_allowed", "stage_affected") if link.get(name)}


def awaited(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Which of the required details a document lacks."""
    missing: list[str] = []
    if not document.get("contributing_factors"):
        missing.append("contributing_factors")
    if not document.get("staff_involved") and not document.get("staff_not_known_reason"):
        missing.append("staff_involved")
    if not document.get("service_id"):
        missing.append("service_id")
    return tuple(missing)


def _assumption(document: Mapping[str, Any], sealer: Sealer) -> Assumption:
    note = document.get("note")
    plain = {name: value for name, value in document.items() if name != "note"}
    return Assumption(**plain, note=sealer.text(note) if note else None)


def _worked(shift: Mapping[str, Any] | None) -> shifts.Shift | None:
    if not shift:
        return None
    return shifts.Shift(parse_instant(shift["starts_at"]), parse_instant(shift["ends_at"]))
