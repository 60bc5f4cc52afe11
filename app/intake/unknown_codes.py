"""Codes of a submission that nobody here knows: put aside and listed, for what a system sends is not lost to a word.

What only describes a near miss (a factor, a barrier, a stage, the harm that could have been) is left out, and a person
completes it. What a near miss cannot be without falls back: on `other`, and on what the sender calls it by its type.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, cast

from app.domain.decider import Fault

CODES = frozenset({"unknown-code", "retired-code"})
_OTHERWISE = {"incident_type": "other", "deviation": "other", "classification": "near_miss"}
_LEFT_OUT = frozenset({"recovery_barrier", "potential_harm", "reported_frequency"})
_STAGES = frozenset({"stage_allowed", "stage_affected"})


def put_aside(
    document: Mapping[str, Any], faults: Iterable[Fault]
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]] | None:
    """The submission without the codes that `faults` point at, and those codes by field; None when any fault is about
    something else.
    """
    left, told, factors = copy.deepcopy(dict(document)), list[tuple[str, str]](), set[int]()
    for fault in faults:
        name, _, rest = fault.pointer.removeprefix("/").partition("/")
        if fault.code not in CODES:
            return None
        if name in _OTHERWISE and not rest:
            told.append((name, str(left[name])))
            left[name] = _OTHERWISE[name]
        elif name in _LEFT_OUT and not rest:
            told.append((name, str(left.pop(name))))
        elif name == "contributing_factors" and rest.isdigit():
            told.append((name, str(left[name][int(rest)])))
            factors.add(int(rest))
        elif name == "workflow_link" and rest in _STAGES:
            told.append((rest, str(left[name].pop(rest))))
        else:
            return None
    if factors:
        said = cast("list[Any]", left.pop("contributing_factors"))
        known = [one for index, one in enumerate(said) if index not in factors]
        left |= {"contributing_factors": known} if known else {}
    if ("incident_type" in dict(told)) and "deviation" in left:
        left["deviation"] = _OTHERWISE["deviation"]  # Deviations belong to their incident type.
        told += [("deviation", str(document["deviation"]))]
    return left, tuple(dict.fromkeys(told))
