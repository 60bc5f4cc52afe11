"""Whether a report speaks the organisation's words.

A code that a record held before is not refused for having been retired since. A fault names the nearest codes and
never repeats what was sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import cast

from app.domain.decider import Fault
from app.domain.taxonomy import NO_WORDS, Taxonomy, Words
from app.domain.taxonomy_default import UNKNOWN

NOTHING: Mapping[str, object] = MappingProxyType({})


def faults(
    taxonomy: Taxonomy, values: Mapping[str, object], held: Mapping[str, object] = NOTHING, pointer: str = ""
) -> list[Fault]:
    """Every code of a report that the taxonomy does not know, has retired, or keeps for another incident type.

    `values`: the fields of a submission by name, codes as text, `workflow_link` as a mapping; absent or None is not
    said. `held`: what the record said before. `pointer`: where `values` stand within the request body.
    """
    found: list[Fault] = []
    for key, name in (
        ("incident_type", "incident_types"),
        ("classification", "classifications"),
        ("recovery_barrier", "recovery_barriers"),
    ):
        found += refused(values.get(key), held.get(key), taxonomy.words[name], name, f"{pointer}/{key}")
    incident_type = values.get("incident_type") or held.get("incident_type")
    if values.get("deviation") is not None:
        words = taxonomy.deviations_of.get(str(incident_type), NO_WORDS)
        if words is not NO_WORDS:  # Else the fault is the incident type's.
            found += refused(values["deviation"], held.get("deviation"), words, "deviations", f"{pointer}/deviation")
    factors = values.get("contributing_factors")
    if isinstance(factors, Sequence):
        factors = cast("Sequence[object]", factors)
        found += factor_faults(taxonomy, factors, held.get("contributing_factors"), f"{pointer}/contributing_factors")
    link = values.get("workflow_link")
    if isinstance(link, Mapping):
        link = cast("Mapping[str, object]", link)
        found += link_faults(taxonomy, incident_type, link, NOTHING, f"{pointer}/workflow_link")
    return found


def link_faults(
    taxonomy: Taxonomy,
    incident_type: object,
    link: Mapping[str, object],
    held: Mapping[str, object] = NOTHING,
    pointer: str = "",
) -> list[Fault]:
    """The stages of a workflow link that its incident type does not have; `stage_allowed` may be `unknown`."""
    words = taxonomy.stages_of.get(str(incident_type), NO_WORDS)
    if words is NO_WORDS:
        return []
    found = list(
        refused(
            link.get("stage_affected"),
            held.get("stage_affected"),
            words,
            "workflow_stages",
            f"{pointer}/stage_affected",
        )
    )
    if link.get("stage_allowed") != UNKNOWN:
        allowed, before = link.get("stage_allowed"), held.get("stage_allowed")
        found += refused(allowed, before, words, "workflow_stages", f"{pointer}/stage_allowed")
    return found


def factor_faults(taxonomy: Taxonomy, factors: Sequence[object], held: object, pointer: str) -> Iterator[Fault]:
    words = taxonomy.words["contributing_factors"]
    if words.in_use.issuperset(factors):
        return
    before = cast("Sequence[object]", held) if isinstance(held, Sequence) else ()
    for n, factor in enumerate(factors):
        former = factor if factor in before else None
        yield from refused(factor, former, words, "contributing_factors", f"{pointer}/{n}")


def code_faults(taxonomy: Taxonomy, name: str, code: str, pointer: str) -> list[Fault]:
    """Whether one code stands in one list (a review's cause, its closure); empty when it does."""
    return list(refused(code, None, taxonomy.words[name], name, pointer))


def refused(code: object, held: object, words: Words, name: str, pointer: str) -> Iterator[Fault]:
    if code is None or code in words.in_use or (code == held and code in words.ever):
        return
    if code in words.ever:
        yield Fault(pointer, "retired-code", f"This code is retired: {advice(code, words, name)}")
    else:
        yield Fault(pointer, "unknown-code", f"This code is not known here: {advice(code, words, name)}")


def advice(code: object, words: Words, name: str) -> str:
    nearest = get_close_matches(str(code), sorted(words.in_use), n=3)
    if not nearest:
        return f"use one of `{name}` in GET /v1/taxonomy, or have it added there."
    return f"the nearest of `{name}` (GET /v1/taxonomy): {', '.join(nearest)}."
