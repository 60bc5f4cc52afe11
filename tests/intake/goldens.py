"""Golden payloads: what a vendor sends beside the events that it must become, one file for each shipped adapter.

A case names a payload of `tests/cases/fixtures`, or holds one. Its events are written out in full, so that a change
of a mapping shows what it changes.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.domain.moment import format_instant
from app.domain.recognition import DEFAULT, recognise
from app.intake import care
from app.intake.adapters import Adapter, Options, Part, apply, each_payload
from tests.cases import CASES

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Golden:
    """One case of an adapter: `payload` as it comes over HTTP, parsed if it is JSON."""

    name: str
    payload: object
    options: Options
    events: list[dict[str, Any]]


def goldens(adapter: str) -> list[Golden]:
    """The cases of an adapter; none when nobody wrote any."""
    file = FOLDER / f"{adapter}.json"
    if not file.exists():
        return []
    cases = json.loads(file.read_text(encoding="utf-8"))["cases"]
    return [Golden(one["name"], payload_of(one), Options(**one.get("options", {})), one["events"]) for one in cases]


def payload_of(case: Mapping[str, Any]) -> object:
    if "fixture" not in case:
        return case["payload"]
    text = (CASES / "fixtures" / case["fixture"]).read_bytes().decode()
    return text if case["fixture"].endswith(".hl7") else json.loads(text)


def events_of(adapter: Adapter, payload: object, options: Options) -> list[dict[str, Any]]:
    """What the adapter makes of a payload, in the words of a golden file."""
    return [told(part) for one in each_payload(adapter, payload) for part in apply(adapter, one, options)]


def told(part: Part) -> dict[str, Any]:
    raw = {name: value for name, value in asdict(part.raw).items() if value not in (None, {})}
    if part.raw.time is not None:
        raw["time"] = format_instant(part.raw.time)
    document = {"event": {**raw, "data": dict(part.raw.data)}, "ignored_fields": list(part.ignored_fields)}
    if part.set_aside is not None:
        return {**document, "set_aside": list(part.set_aside)}
    found = care.read(part.raw)
    verdict = recognise(DEFAULT, found.what)
    classified = {name: verdict.submission.get(name) for name in KINDS} if verdict.submission else None
    return {**document, "unmapped": [list(one) for one in found.unmapped], "verdict": [verdict.reason, classified]}


KINDS = ("incident_type", "deviation", "classification", "occurred_at")
"""What a verdict's submission says first; the rest is `tests/domain/test_recognition.py`'s."""
