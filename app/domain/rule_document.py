"""A rule as it stands in a policy document: read strictly, written out complete.

What is written reads back as the same rule, whatever defaults change later; so only what was never set is left out.
"""

import math
from difflib import get_close_matches
from typing import Any

from app.domain.identifiers import is_identifier
from app.domain.moment import Span
from app.domain.reading import LARGEST, Fields, Reading, each_once, pointer_to, without_absent
from app.domain.rule import (
    DEFAULT_LADDER,
    GROUPABLE,
    PERSONAL,
    REVIEW_DUE,
    SEVERAL,
    STEPS,
    Aliases,
    Ladder,
    Match,
    Rule,
    Scalar,
    Step,
    plain_number,
)

_MOST_ITEMS = 100
_MATCHABLE = (GROUPABLE | {"contributing_factors"}) - PERSONAL

_RULE = (
    "id", "name", "match", "match_any", "group_by", "threshold", "window", "op", "distinct", "weight", "missing_key",
    "cooldown", "window_basis", "count_classifications", "mode", "aliases", "require_types", "require_sequence",
    "review_due", "ladder",
)  # fmt: skip
_LADDER = ("steps", "repeat", "backstop", "ack_remind", "ack_confirm", "max_snooze")
_STEP = ("to", "timeout", "time_basis")


def read_rule(reading: Reading, item: object, pointer: str) -> Rule:
    """The rule under a pointer of the document; what was refused is told to the reading, a default stands for it."""
    fields = Fields.of(reading, item, pointer, _RULE)
    rule_id = fields.required("id", "Give the rule an id: it stays the same over all versions of the policy.")
    fields.required("threshold", "Say how many within the window make a pattern.")
    fields.required("window", "Give the length of the window as an ISO 8601 duration, for example P14D.")
    aliases = _aliases(fields)
    identity = "" if rule_id is None else reading.identifier(rule_id, fields.at("id"))
    distinct, weight = _counted_field(fields, "distinct", aliases), _counted_field(fields, "weight", aliases)
    if distinct is not None and weight is not None:
        reading.refuse(fields.at("weight"), "conflict", "Count different values or add up weights, not both.")
    return Rule(
        id=identity,
        name=fields.text("name", 256) or identity,
        match=_match(fields, fields.given("match"), fields.at("match")),
        match_any=_match_any(fields),
        group_by=_group_by(fields, aliases),
        threshold=fields.whole("threshold", 1, 10_000, 1),
        window=fields.span("window", REVIEW_DUE),
        op=fields.choice("op", ("gte", "gt"), "gte"),
        distinct=distinct,
        weight=weight,
        missing_key=fields.choice("missing_key", ("exclude", "group"), "exclude"),
        cooldown=fields.optional_span("cooldown"),
        window_basis=fields.choice("window_basis", ("elapsed", "calendar"), "elapsed"),
        count_classifications=_codes(fields, "count_classifications", ("near_miss", "no_harm_incident"), least=1),
        mode=fields.choice("mode", ("active", "shadow", "off"), "active"),
        aliases=aliases,
        require_types=_codes(fields, "require_types", ()),
        require_sequence=_codes(fields, "require_sequence", ()),
        review_due=fields.span("review_due", REVIEW_DUE),
        ladder=_ladder(fields),
    )


def rule_document(rule: Rule) -> dict[str, Any]:
    """The rule as its document, every default written out."""
    return without_absent(
        {
            "id": rule.id,
            "name": rule.name,
            "match": _match_document(rule.match),
            "match_any": [_match_document(match) for match in rule.match_any],
            "group_by": list(rule.group_by),
            "threshold": rule.threshold,
            "window": str(rule.window),
            "op": rule.op,
            "distinct": rule.distinct,
            "weight": rule.weight,
            "missing_key": rule.missing_key,
            "cooldown": _text(rule.cooldown),
            "window_basis": rule.window_basis,
            "count_classifications": list(rule.count_classifications),
            "mode": rule.mode,
            "aliases": {alias: dict(targets) for alias, targets in rule.aliases},
            "require_types": list(rule.require_types),
            "require_sequence": list(rule.require_sequence),
            "review_due": str(rule.review_due),
            "ladder": _ladder_document(rule.ladder),
        }
    )


def _ladder(fields: Fields) -> Ladder:
    if fields.given("ladder") is None:
        return DEFAULT_LADDER
    reading = fields.reading
    ladder = Fields.of(reading, fields.given("ladder"), fields.at("ladder"), _LADDER)
    steps = STEPS
    if ladder.given("steps") is not None:
        items = reading.array(ladder.given("steps"), ladder.at("steps"), 20, least=1)
        steps = tuple(_step(reading, item, f"{ladder.at('steps')}/{index}") for index, item in enumerate(items))
    backstop = ladder.given("backstop")
    return Ladder(
        steps,
        ladder.whole("repeat", -1, 1000, 0),
        "admin" if backstop is None else reading.identifier(backstop, ladder.at("backstop")),
        ladder.optional_span("ack_remind"),
        ladder.optional_span("ack_confirm"),
        ladder.optional_span("max_snooze"),
    )


def _step(reading: Reading, item: object, pointer: str) -> Step:
    fields = Fields.of(reading, item, pointer, _STEP)
    to = fields.required("to", "Name whom this step asks: roles or references. An empty array skips the step.")
    fields.required("timeout", "Say how long this step waits for an answer, as an ISO 8601 duration.")
    return Step(
        () if to is None else reading.identifiers(to, fields.at("to"), 20),
        fields.span("timeout", REVIEW_DUE),
        fields.choice("time_basis", ("elapsed", "working"), "elapsed"),
    )


def _ladder_document(ladder: Ladder) -> dict[str, Any]:
    steps = [
        {"to": list(step.to), "timeout": str(step.timeout), "time_basis": step.time_basis} for step in ladder.steps
    ]
    return without_absent(
        {
            "steps": steps,
            "repeat": ladder.repeat,
            "backstop": ladder.backstop,
            "ack_remind": _text(ladder.ack_remind),
            "ack_confirm": _text(ladder.ack_confirm),
            "max_snooze": _text(ladder.max_snooze),
        }
    )


def _match(fields: Fields, value: object, pointer: str) -> Match:
    if value is None:
        return ()
    match = fields.reading.members(value, pointer) or {}
    return tuple(
        (name, _allowed(fields.reading, allowed, pointer_to(pointer, name)))
        for name, allowed in match.items()
        if _matchable(fields.reading, name, pointer_to(pointer, name))
    )


def _match_any(fields: Fields) -> tuple[Match, ...]:
    value = fields.given("match_any")
    items = [] if value is None else fields.reading.array(value, fields.at("match_any"), _MOST_ITEMS)
    return tuple(_match(fields, item, f"{fields.at('match_any')}/{index}") for index, item in enumerate(items))


def _match_document(match: Match) -> dict[str, Any]:
    return {name: list(allowed) if isinstance(allowed, tuple) else allowed for name, allowed in match}


def _matchable(reading: Reading, name: str, pointer: str) -> bool:
    if name in _MATCHABLE or _is_attribute(name):
        return True
    if name in PERSONAL:
        detail = "Leave it out: a policy is no place for a person's reference. Group by person_ref instead."
    else:
        detail = f"Match on attributes.NAME or on one of: {', '.join(sorted(_MATCHABLE))}."
    reading.refuse(pointer, "unknown-code", detail)
    return False


def _allowed(reading: Reading, value: object, pointer: str) -> Scalar | tuple[Scalar, ...]:
    if not isinstance(value, list):
        return _scalar(reading, value, pointer)
    items = reading.array(value, pointer, _MOST_ITEMS, least=1)  # pyright: ignore[reportUnknownArgumentType]
    return tuple(_scalar(reading, item, f"{pointer}/{index}") for index, item in enumerate(items))


def _scalar(reading: Reading, value: object, pointer: str) -> Scalar:
    match value:
        case str() if len(value) <= 256:
            return value
        case int() if not isinstance(value, bool) and abs(value) <= LARGEST:
            return value
        case float() if math.isfinite(value):
            return plain_number(value)
        case _:
            detail = "Give text of at most 256 characters, or a finite number; a whole one within 2^53 - 1."
            reading.refuse(pointer, "wrong-type", detail)
            return ""


def _group_by(fields: Fields, aliases: Aliases) -> tuple[str, ...]:
    value = fields.required("group_by", "Name the fields that make near misses similar, for example service_id.")
    items = [] if value is None else fields.reading.array(value, fields.at("group_by"), 16)
    names = tuple(
        _single(fields, item, f"{fields.at('group_by')}/{index}", aliases) for index, item in enumerate(items)
    )
    each_once(fields.reading, names, fields.at("group_by"))
    return names


def _counted_field(fields: Fields, name: str, aliases: Aliases) -> str | None:
    value = fields.given(name)
    return None if value is None else _single(fields, value, fields.at(name), aliases)


def _single(fields: Fields, value: object, pointer: str, aliases: Aliases) -> str:
    """The name of a field that holds one value: a known one, an attribute, or an alias of the rule's own."""
    name = value if isinstance(value, str) else ""
    if name == "staff_ref":
        detail = "Choose another field: staff are never what a pattern is about. A just culture looks at the system."
    elif name in SEVERAL:
        detail = "Choose another field: this one holds several values. A rule can match on it."
    elif name in GROUPABLE or _is_attribute(name) or any(name == alias for alias, _ in aliases):
        return name
    else:
        near = get_close_matches(name, sorted(GROUPABLE), n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        detail = f"{meant}Use a field of near misses that has one value, attributes.NAME, or a field of `aliases`."
    fields.reading.refuse(pointer, "unknown-code", detail)
    return ""


def _aliases(fields: Fields) -> Aliases:
    value = fields.given("aliases")
    pointer = fields.at("aliases")
    reading = fields.reading
    aliases = {} if value is None else reading.members(value, pointer) or {}
    return tuple((alias, _targets(fields, alias, by_type, pointer)) for alias, by_type in aliases.items())


def _targets(fields: Fields, alias: str, by_type: object, pointer: str) -> tuple[tuple[str, str], ...]:
    """Incident type → field, of one alias."""
    at_alias = pointer_to(pointer, alias)
    fields.reading.identifier(alias, at_alias)
    targets = fields.reading.members(by_type, at_alias) or {}
    return tuple(
        (
            fields.reading.identifier(incident_type, at_alias),
            _single(fields, name, pointer_to(at_alias, incident_type), ()),
        )
        for incident_type, name in targets.items()
    )


def _codes(fields: Fields, name: str, default: tuple[str, ...], least: int = 0) -> tuple[str, ...]:
    value = fields.given(name)
    return default if value is None else fields.reading.identifiers(value, fields.at(name), _MOST_ITEMS, least)


def _is_attribute(name: str) -> bool:
    prefix, _, key = name.partition(".")
    return prefix == "attributes" and len(key) <= 64 and is_identifier(key)


def _text(span: Span | None) -> str | None:
    return None if span is None else str(span)
