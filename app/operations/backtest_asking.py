"""What a backtest is asked, read as strictly as a policy: every fault at once, those of the policy under `/policy`.

A version that never was in force cannot be compared with: whoever cites one is told which there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import Connection

from app.domain import adoption
from app.domain.decider import Fault, Invalid
from app.domain.moment import Span, parse_moment
from app.domain.policy import Policy
from app.domain.reading import LARGEST, Fields, Reading
from app.domain.rule import Rule
from app.domain.spelling import instead_of
from app.operations.backtesting import Asked, Grid
from app.operations.calendars import faults_of
from app.operations.configuration import policy_at

MOST_CELLS = 400
NOT_ADOPTED = ("expected_chance_firings", "less_sensitive")
"""What the service says of a policy: one that was read may be sent again with it."""

_FIELDS = ("policy", "from", "to", "compare_with", "grid")
_GRID = ("rule_id", "thresholds", "windows")
_MOST_THRESHOLD = 10_000


@dataclass(frozen=True, slots=True)
class _Said:
    policy: Policy | None
    since: int | None
    until: int | None
    compare_with: int | None
    grid: Grid | None


def asked(connection: Connection, organisation: str, document: object, in_force: Policy) -> Asked:
    """The question; raises `Invalid`. `in_force`: the policy that was in force when what is known was known."""
    reading = Reading()
    fields = Fields.of(reading, document, "", _FIELDS)
    faults: list[Fault] = []
    policy = _policy(fields, faults)
    time_zone = in_force if policy is None else policy
    since, until = (_instant(fields, name, time_zone) for name in ("from", "to"))
    if since is not None and until is not None and until <= since:
        reading.refuse("/to", "out-of-order", "Let the period end after it begins.")
    against = _against(fields, connection, organisation, in_force)
    grid = _grid(fields, policy)
    try:
        reading.finish()
    except Invalid as invalid:
        faults += invalid.faults
    if faults or policy is None:
        raise Invalid(*faults)
    return Asked(policy, against, since, until, grid)


def _policy(fields: Fields, faults: list[Fault]) -> Policy | None:
    said = fields.required("policy", "Give the policy to try, whole, as PUT /v1/policy takes it.")
    if said is None:
        return None
    if isinstance(said, dict):
        said = {name: one for name, one in cast("dict[str, Any]", said).items() if name not in NOT_ADOPTED}
    try:
        policy = adoption.candidate(adoption.Adopt(cast("Mapping[str, Any]", said)))
        faults += (replace(one, pointer=f"/policy{one.pointer}") for one in faults_of(policy.working_time))
    except Invalid as invalid:
        faults += (replace(one, pointer=f"/policy{one.pointer}") for one in invalid.faults)
        return None
    return policy


def _instant(fields: Fields, name: str, policy: Policy) -> int | None:
    said = fields.given(name)
    if said is None:
        return None
    try:
        return parse_moment(said if isinstance(said, str) else "", policy.zone).at
    except ValueError as error:
        fields.reading.refuse(fields.at(name), "not-a-moment", str(error))
        return None


def _against(fields: Fields, connection: Connection, organisation: str, in_force: Policy) -> Policy:
    version = fields.whole("compare_with", 1, LARGEST, in_force.version)
    if version == in_force.version:
        return in_force
    found = policy_at(connection, organisation, version) if version < in_force.version else None
    if found is not None:
        return found
    there_are = "is version 1 alone" if in_force.version == 1 else f"are versions 1 to {in_force.version}"
    detail = f"No policy of that version was ever in force: there {there_are}."
    fields.reading.refuse("/compare_with", "unknown-version", detail)
    return in_force


def _grid(fields: Fields, policy: Policy | None) -> Grid | None:
    said = fields.given("grid")
    if said is None:
        return None
    reading = fields.reading
    grid = Fields.of(reading, said, "/grid", _GRID)
    if policy is not None and all(rule.mode == "off" for rule in policy.rules):
        reading.refuse("/grid", "no-rules", "No rule of the policy is on, so there is none to vary: leave this out.")
        return None
    thresholds = _items(grid, "thresholds", "Give the thresholds to try, as an array of whole numbers.")
    windows = _items(grid, "windows", "Give the windows to try, as an array of ISO 8601 durations.")
    if len(thresholds) * len(windows) > MOST_CELLS:
        reading.refuse("/grid", "too-many", f"Try at most {MOST_CELLS} pairs of a threshold and a window at once.")
    numbers = [_threshold(reading, one, f"/grid/thresholds/{n}") for n, one in enumerate(thresholds)]
    spans = [_window(reading, one, f"/grid/windows/{n}") for n, one in enumerate(windows)]
    rule = None if policy is None else _rule(grid, policy)
    if rule is None:
        return None
    return Grid(rule, list(dict.fromkeys(numbers)), list({one.text: one for one in spans}.values()))


def _items(grid: Fields, name: str, detail: str) -> Sequence[Any]:
    value = grid.required(name, detail)
    return [] if value is None else grid.reading.array(value, grid.at(name), MOST_CELLS, least=1)


def _threshold(reading: Reading, value: object, pointer: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_THRESHOLD:
        return value
    reading.refuse(pointer, "out-of-range", f"Give a whole number from 1 to {_MOST_THRESHOLD}.")
    return 1


def _window(reading: Reading, value: object, pointer: str) -> Span:
    try:
        return Span.parse(value if isinstance(value, str) else "")
    except ValueError as error:
        reading.refuse(pointer, "not-a-duration", str(error))
        return Span.parse("P14D")


def _rule(grid: Fields, policy: Policy) -> Rule | None:
    rule_id = grid.given("rule_id")
    rules = [rule for rule in policy.rules if rule.mode != "off"]
    if rule_id is None:
        rule = next((one for one in rules if one.mode == "active"), rules[0])
    else:
        rule = next((one for one in rules if one.id == rule_id), None)
    if rule is None:
        said = rule_id if isinstance(rule_id, str) else ""
        detail = f"Name a rule of the policy that is not off: {instead_of(said, [one.id for one in rules])}"
        grid.reading.refuse("/grid/rule_id", "unknown-id", detail)
    return rule
