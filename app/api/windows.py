"""Why, or why not yet: where a key of a rule stands at this moment."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select
from starlette.responses import Response

from app.api.asof import AsOf, sequence_of, when
from app.api.door import shown
from app.api.looking import Look, looking
from app.api.routes import told
from app.api.schemas.answers import Window, WindowExplained
from app.database.tables import escalations, standing, window_entries
from app.domain.decider import Fault, Invalid
from app.domain.explanation import Explanation, explain
from app.domain.moment import Moment, format_instant, from_micros, moment_of, to_micros, upper_bound
from app.domain.rule import GROUPABLE, Rule, Scalar, plain_number
from app.domain.similarity import Entry, Key, key_text, reach
from app.events.sealing import token
from app.operations.configuration import Configuration, load
from app.operations.show import Reader

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MOST_READINGS = 256

router = APIRouter(prefix="/v1", tags=["windows"])
READ = "near-misses:read"
Asking = Annotated[Look, Depends(looking(READ, any_parameter=True))]
RuleId = Annotated[str, Query(max_length=128, description="Then the rule's key, field by field: service_id=…&…")]


@router.get("/windows", **told(READ, Window))
def read_window(look: Asking, rule_id: RuleId, as_of: AsOf = None) -> Response:
    """The current count of a rule's key, what is missing to the threshold, and when the count next falls."""
    with look.reader() as reader:
        return shown(_standing(look, reader, rule_id, as_of).document())


@router.get("/windows/explain", **told(READ, WindowExplained))
def explain_window(look: Asking, rule_id: RuleId, as_of: AsOf = None) -> Response:
    """The same with its reasons: the records that count, the open escalation or the cool-down, and a sentence."""
    with look.reader() as reader:
        standing = _standing(look, reader, rule_id, as_of)
        return shown({**standing.document(), **standing.reasons()})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a key stands: what its window holds, and the escalation that is open or was closed last."""

    rule: Rule
    key: Key
    explanation: Explanation
    policy_version: int
    open_escalation: str | None
    closed_escalation: str | None
    cooling_until: int | None

    @property
    def state(self) -> str:
        """In a word."""
        if self.rule.mode == "off":
            return "off"
        if key_is_missing(self.rule, self.key):
            return "unkeyed"
        if self.open_escalation is not None:
            return "open"
        if self.cooling_until is not None:
            return "cooling_down"
        return "reached" if self.explanation.distance == 0 else "below_threshold"

    def document(self) -> dict[str, Any]:
        """The contract's window."""
        expiry = self.explanation.next_expiry
        return {
            "rule_id": self.rule.id,
            "mode": self.rule.mode,
            "key": dict(zip(self.rule.group_by, self.key, strict=True)),
            "window": self.rule.window.text,
            "threshold": self.rule.threshold,
            "op": self.rule.op,
            "count": self.explanation.count,
            "distance": self.explanation.distance,
            "next_expiry": format_instant(from_micros(expiry)) if expiry is not None else None,
            "state": self.state,
            "escalation_id": self.open_escalation,
            "policy_version": self.policy_version,
        }

    def reasons(self) -> dict[str, Any]:
        """What the state rests on."""
        until = format_instant(from_micros(self.cooling_until)) if self.cooling_until is not None else None
        return {
            "near_miss_ids": list(self.explanation.near_miss_ids),
            "previous_escalation_id": self.closed_escalation,
            "cooldown_until": until,
            "because": _SENTENCES[self.state].format(
                distance=self.explanation.distance, escalation=self.open_escalation, until=until
            ),
        }


_SENTENCES = {
    "off": "The rule is off: it counts nothing.",
    "unkeyed": "A part of the key is missing, so the rule counts nothing for it.",
    "open": "Escalation {escalation} is open for this key: similar reports attach to it.",
    "cooling_down": "The key cools down until {until}: a crossing is deferred until then, not dropped.",
    "reached": "The threshold is reached; the next similar report, or the rule becoming active, opens a review.",
    "below_threshold": "{distance} more similar within the window would reach the threshold.",
}


def key_is_missing(rule: Rule, key: Key) -> bool:
    """Whether a rule counts nothing for want of a part of the key."""
    return None in key and rule.missing_key == "exclude"


def _standing(look: Look, reader: Reader, rule_id: str, as_of: str | None) -> Standing:
    sequence = sequence_of(look, reader, as_of)
    settled = look.settled(reader) if sequence is None else load(reader.connection, look.organisation, sequence)
    rule = settled.policy.rule(rule_id)
    if rule is None:
        known = ", ".join(one.id for one in settled.policy.rules)
        raise Invalid(Fault("/query/rule_id", "unknown-id", f"Use a rule of the policy: {known}."))
    keys = _keys(reader, rule, look.visit.request.query_params)
    now = to_micros(when(look, reader, as_of))
    here = moment_of(now, settled.zone)
    entries = _entries(reader, rule, keys, here, sequence)
    open_id, closed_id, closed_at = _episode(reader, rule, keys, sequence)
    return Standing(
        rule,
        keys[0],
        explain(rule, entries, now, settled.zone),
        settled.policy.version,
        open_id,
        closed_id,
        _cooling_until(rule, closed_at, now, settled) if open_id is None else None,
    )


def _keys(reader: Reader, rule: Rule, parameters: Mapping[str, str]) -> list[Key]:
    """The key that is asked for, and how else it may be stored: a number in a query may be a number or its text."""
    unknown = set(parameters) - {"rule_id", "as_of", *rule.group_by}
    if unknown:
        detail = f"Take it out. The key of this rule is: {', '.join(rule.group_by) or 'empty'}."
        raise Invalid(*(Fault("/query", "unknown-parameter", detail) for _ in unknown))
    parts = [_part(reader, name, parameters.get(name)) for name in rule.group_by]
    return list(islice(product(*parts), _MOST_READINGS))


def _part(reader: Reader, name: str, value: str | None) -> tuple[Scalar | None, ...]:
    if value is None or value == "unknown":
        return (None,)
    if name == "person_ref":
        return (token(reader.vault.pepper(reader.connection, reader.organisation), "person", value),)
    if name in GROUPABLE or not _NUMBER.fullmatch(value) or not isfinite(float(value)):
        return (value,)
    return (plain_number(float(value)), value)


def _entries(reader: Reader, rule: Rule, keys: Sequence[Key], here: Moment, sequence: int | None) -> list[Entry]:
    entry = window_entries.c
    low, high = reach(rule, here)
    chosen = select(window_entries).where(
        entry.organisation == reader.organisation,
        entry.rule_id == rule.id,
        entry.key_text.in_([key_text(key) for key in keys]),
        entry.at > low,
        entry.at <= high,
        *standing(window_entries, sequence),
    )
    return [
        Entry(
            row.near_miss_id,
            row.sequence,
            Moment(row.at, row.day, bool(row.date_only)),
            int(row.weight) if row.weight.is_integer() else row.weight,
            row.distinct_value,
            row.incident_type,
        )
        for row in reader.connection.execute(chosen.order_by(entry.at, entry.sequence))
    ]


def _episode(
    reader: Reader, rule: Rule, keys: Sequence[Key], sequence: int | None
) -> tuple[str | None, str | None, int | None]:
    """The open escalation of a key, else the one closed last and when."""
    row = escalations.c
    chosen = select(row.escalation_id, row.is_open, row.closed_at).where(
        row.organisation == reader.organisation,
        row.rule_id == rule.id,
        row.key_text.in_([key_text(key) for key in keys]),
        row.status != "historical",
    )
    if sequence is None:
        found = [
            (one.escalation_id, None if one.is_open else one.closed_at) for one in reader.connection.execute(chosen)
        ]
    else:  # The table knows how each stands, and not how it stood: it may have been closed, and opened again.
        of_then = chosen.where(row.sequence <= sequence)
        then = replace(reader, as_of=sequence)
        found = list(then.closings([one.escalation_id for one in reader.connection.execute(of_then)]).items())
    open_id = next((escalation_id for escalation_id, closed_at in found if closed_at is None), None)
    if open_id is not None or not found:
        return open_id, None, None
    closed_id, closed_at = max(found, key=lambda one: one[1] or 0)
    return None, closed_id, closed_at


def _cooling_until(rule: Rule, closed_at: int | None, now: int, settled: Configuration) -> int | None:
    if closed_at is None or rule.cooldown is None:
        return None
    until = upper_bound(closed_at, rule.cooldown, rule.calendar, settled.zone)
    return until if until > now else None
