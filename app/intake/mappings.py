"""A stranger's row becomes an intake submission: which field is which, what its codes mean here, what is left out.

Nothing is guessed and nothing is lost on the quiet: a row is taken, left out for a reason that the mapping names, or
refused with what to do. A time without an offset is refused unless the mapping says whose clock it was.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from app.domain.decider import Fault, Invalid
from app.domain.moment import local_instant
from app.domain.taxonomy import NO_WORDS, Change, Taxonomy
from app.domain.taxonomy_default import UNKNOWN

TIMES = ("occurred_at", "reported_at", "discovered_at", "scheduled_at")
SHIFT_TIMES = ("starts_at", "ends_at")
CODES = ("incident_type", "classification", "deviation", "recovery_barrier", "potential_harm")
TEXTS = (
    "source",
    "source_event_id",
    "service_id",
    "locality",
    *CODES,
    "staff_not_known_reason",
    "person_ref",
    "narrative",
    "workflow_stage",
)
LISTS = ("contributing_factors", "staff_involved")
AS_THEY_ARE = ("shift", "reported_frequency", "attributes", "workflow_link")
FIELDS = (*TIMES, *TEXTS, *LISTS, *AS_THEY_ARE)
STAGES = ("stage_allowed", "stage_affected")

ALSO_CALLED = {"source": "source_system", "reported_at": "recorded_at", "staff_involved": "staff_ids"}
DEFAULT_PATHS = {name: (name, ALSO_CALLED[name]) if name in ALSO_CALLED else (name,) for name in FIELDS}
"""Our field → where it stands in a row, the first that says something: a submission's own names, and the exports'."""

_NAIVE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The mapping says that such rows are none of ours, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Rows whose field (a path into the row) has one of these values are left out; "" stands for a field left empty."""

    path: str
    values: frozenset[str]
    reason: str

    def applies_to(self, row: Mapping[str, Any]) -> bool:
        found = value_at(row, self.path)
        texts = [text_of(one) for one in (cast("list[object]", found) if isinstance(found, list) else [found])]
        return any(isinstance(text, str) and text in self.values for text in texts)


@dataclass(frozen=True, slots=True)
class RowMapping:
    """How the rows of one file are read; without a mapping file, as this stands.

    `source` and `zone` hold for every row when given. `stages`: what of the link the row's `workflow_stage` tells. By
    default it is the stage where the near miss showed itself: which stage allowed it is for somebody to say (S8).
    `unknown`: field → values that say nothing. `codes`: field → the file's code → ours. `added`: terms for the
    taxonomy; `extend`: every code that it lacks besides.
    """

    source: str | None = None
    zone: ZoneInfo | None = None
    stages: tuple[str, ...] = ("stage_affected",)
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: DEFAULT_PATHS)
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    unknown: Mapping[str, frozenset[str]] = field(default_factory=lambda: {"service_id": frozenset({UNKNOWN})})
    codes: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    skips: tuple[Skip, ...] = ()
    added: Mapping[str, tuple[Change, ...]] = field(default_factory=dict[str, tuple[Change, ...]])
    extend: bool = False

    def reads(self) -> frozenset[str]:
        """The names in a row that the mapping looks at; what a source keeps beside in `raw` is its own affair."""
        paths = [path for paths in self.paths.values() for path in paths]
        paths += [*self.attributes.values(), *(skip.path for skip in self.skips)]
        return frozenset([*paths, *(path.partition(".")[0] for path in paths), "raw"])


def read_row(mapping: RowMapping, row: object) -> dict[str, Any] | LeftOut:
    """The submission that a row is, not checked yet; or why it is left out. Raises `Invalid` for what is no row."""
    if not isinstance(row, dict):
        raise Invalid(Fault("", "wrong-type", "Write one JSON object on each line."))
    row = cast("dict[str, Any]", row)
    for skip in mapping.skips:
        if skip.applies_to(row):
            return LeftOut(skip.reason)
    document: dict[str, Any] = {}
    for name, paths in mapping.paths.items():
        for path in paths:
            value = _taken(mapping, name, value_at(row, path))
            if value is not None:
                document[name] = value
                break
    if mapping.source is not None:
        document["source"] = mapping.source
    attributes = {name: value_at(row, path) for name, path in mapping.attributes.items()}
    _complete(document, "attributes", {name: one for name, one in attributes.items() if one is not None and one != ""})
    stage = document.pop("workflow_stage", None)
    if stage is not None:
        named = [name for name in mapping.stages if stage != UNKNOWN or name == "stage_allowed"]
        _complete(document, "workflow_link", dict.fromkeys(named, stage))
    return document


def new_terms(words: Taxonomy, document: Mapping[str, Any]) -> Iterator[tuple[str, Change]]:
    """The codes of a submission that the taxonomy has never had, each with the list that it belongs to.

    Classifications are not among them: what counts is decided by name, and a misspelt one must not stop counting.
    """
    kind = document["incident_type"]
    for field_name, listed in (("incident_type", "incident_types"), ("recovery_barrier", "recovery_barriers")):
        yield from _unheard(words, listed, [document.get(field_name)])
    yield from _unheard(words, "contributing_factors", document.get("contributing_factors") or ())
    link: Mapping[str, Any] = document.get("workflow_link") or {}
    stages: list[Any] = [
        link.get("stage_affected"),
        None if link.get("stage_allowed") == UNKNOWN else link.get("stage_allowed"),
    ]
    known = words.stages_of.get(kind, NO_WORDS).ever
    yield from (("workflow_stages", term(one, kind)) for one in stages if one is not None and one not in known)
    deviation = document.get("deviation")
    if deviation is not None and deviation not in words.deviations_of.get(kind, NO_WORDS).ever:
        yield "deviations", term(deviation, kind)


def term(code: str, incident_type: str | None = None) -> Change:
    """A term with a label made of its code: `conflict-nmac` reads "Conflict nmac"."""
    label = " ".join(re.split(r"[\s_-]+", code)).strip() or code
    return Change(code, label[:1].upper() + label[1:], incident_type)


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """What stands at a path of names parted by dots, or None; a name that holds dots itself is found as it is."""
    if path in row or "." not in path:
        return row.get(path)
    found: Any = row
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        found = cast("dict[str, Any]", found).get(name)
    return found


def text_of(value: object) -> object:
    """A number as its digits, nothing as "", a truth as JSON writes it; everything else as it is."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return value


def _complete(document: dict[str, Any], name: str, found: Mapping[str, Any]) -> None:
    """Add to an object of the submission what it does not say itself; what is no object is left to the check."""
    own = document.get(name, {})
    if found and isinstance(own, dict):
        document[name] = {**found, **cast("dict[str, Any]", own)}


def _taken(mapping: RowMapping, name: str, value: Any) -> Any:
    """The value as a submission has it; None when it says nothing."""
    if value is None or value == "":
        return None
    if name in LISTS:
        return _several(mapping, name, value)
    if name in TIMES:
        return _time(mapping.zone, name, value)
    if name == "shift" and isinstance(value, dict):
        shift = cast("dict[str, Any]", value)
        at = {part: _time(mapping.zone, f"shift/{part}", shift[part]) for part in SHIFT_TIMES if shift.get(part)}
        return {**shift, **at}
    return value if name in AS_THEY_ARE else _known(mapping, name, value)


def _several(mapping: RowMapping, name: str, value: Any) -> list[Any] | None:
    values: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
    known: list[Any] = [one for one in (_known(mapping, name, each) for each in values) if one is not None]
    if name == "staff_involved":
        known = [{"ref": one} if isinstance(one, str) else one for one in known]
    return known or None


def _known(mapping: RowMapping, name: str, value: Any) -> Any:
    if isinstance(value, dict | list):
        return cast("object", value)
    text = text_of(value)
    if text == "" or text in mapping.unknown.get(name, ()):
        return None
    return mapping.codes.get(name, {}).get(cast("str", text), text)


def _time(zone: ZoneInfo | None, name: str, value: Any) -> Any:
    """The time with its offset; one that does not read like a naive time is left to the check that follows."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text[10:11] == " ":
        text = f"{text[:10]}T{text[11:]}"
    if _NAIVE.fullmatch(text) is None:
        return text
    if zone is None:
        detail = "Give the time with its offset from UTC, or name the `time_zone` of such times in the mapping file."
        raise Invalid(Fault(f"/{name}", "naive-time", detail))
    try:
        return local_instant(datetime.fromisoformat(text), zone).astimezone(zone).isoformat()
    except (ValueError, OverflowError):
        return text


def _unheard(words: Taxonomy, listed: str, codes: Iterable[Any]) -> Iterator[tuple[str, Change]]:
    known = words.words[listed].ever
    yield from ((listed, term(code)) for code in codes if code is not None and code not in known)
