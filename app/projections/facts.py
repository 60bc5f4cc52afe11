"""What rules may look at in a record: its plain fields, and persons by token only."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from app.domain.moment import Moment, parse_moment
from app.domain.near_miss import (
    NearMiss,
)
from app.domain.report import (
    Report,
)
from app.domain.similarity import Facts
from app.domain.zones import zone

_FIELDS = (
    "service_id",
    "locality",
    "incident_type",
    "deviation",
    "classification",
    "recovery_barrier",
    "potential_harm",
    "shift_bracket",
    "source",
)
_REPORT = tuple(field.name for field in fields(Report))


def facts_of(near_miss_id: str, sequence: int, state: NearMiss) -> Facts:
    """The facts of a record as it stands."""
    report, link = state.report, state.workflow_link
    assert report is not None
    plain = {name: getattr(report, name) for name in _REPORT}
    if state.source is not None:
        plain["source"] = state.source.source
    return facts(
        near_miss_id,
        sequence,
        parse_moment(report.occurred_at, zone(report.zone)),
        plain,
        report.person_ref.token if report.person_ref else None,
        link.stage_allowed if link else report.stage_allowed,
        link.stage_affected if link else report.stage_affected,
        link.system_used if link else None,
    )


def facts(
    near_miss_id: str,
    sequence: int,
    moment: Moment,
    plain: Mapping[str, Any],
    person: str | None,
    stage_allowed: str | None,
    stage_affected: str | None,
    system_used: str | None,
) -> Facts:
    """The facts of plain fields by name, the person's token, and the stages of the work."""
    values: dict[str, Any] = {}
    for name in _FIELDS:
        value = plain.get(name)
        if value is not None:
            values[name] = value
    if factors := plain.get("contributing_factors"):
        values["contributing_factors"] = tuple(factors)
    if person is not None:
        values["person_ref"] = person
    if stage_allowed is not None:
        values["stage_allowed"] = stage_allowed
    if stage_affected is not None:
        values["stage_affected"] = stage_affected
    if system_used is not None:
        values["system_used"] = system_used
    if attributes := plain.get("attributes"):
        for name, value in attributes.items():
            values["attributes." + name] = value
    return Facts(near_miss_id, sequence, moment, values)
