"""What a FHIR client reads instead of a problem, and where nothing but words are left to answer: the OperationOutcome.

Issue types are of FHIR's required value set; our own code stands beside them, and FHIRPath says where the fault lies.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

PREFIX = "/v1/fhir/"
MEDIA_TYPE = "application/fhir+json"
PROBLEM = "urn:forewarn:problem"
FAULT = "urn:forewarn:fault"

_TYPES = {
    "malformed-json": "structure",
    "malformed-request": "invalid",
    "unauthorized": "login",
    "forbidden": "forbidden",
    "not-found": "not-found",
    "method-not-allowed": "not-supported",
    "source-event-conflict": "conflict",
    "idempotency-in-flight": "transient",
    "idempotency-key-reused": "business-rule",
    "precondition-failed": "conflict",
    "body-too-large": "too-long",
    "uri-too-long": "too-long",
    "headers-too-large": "too-long",
    "unsupported-media-type": "not-supported",
    "unknown-event-type": "not-supported",
    "rate-limited": "throttled",
    "internal-error": "exception",
    "unavailable": "transient",
}
"""Problem code → issue type. What is not named here is a rule of ours."""
_FAULTS = {
    "missing": "required",
    "wrong-type": "structure",
    "too-deep": "structure",
    "duplicate-key": "structure",
    "unknown-field": "structure",
    "unknown-code": "code-invalid",
    "modifier": "extension",
    "duplicate": "duplicate",
    "too-long": "too-long",
    "too-many": "too-long",
}
"""Fault code → issue type. What is not named here is a value that cannot be."""
_FATAL = frozenset({"exception"})
_INDEX = re.compile(r"/([0-9]+)(?=/|$)")


def speaks_fhir(path: str) -> bool:
    """Whether whoever asks for the path reads FHIR and nothing else."""
    return path.startswith(PREFIX)


def outcome_of(problem: Mapping[str, Any]) -> dict[str, Any]:
    """A problem as an OperationOutcome: one issue, or one for each fault."""
    code = problem["type"].rpartition(":")[2]
    faults = problem.get("errors", ())
    if not faults:
        return outcome([issue(_TYPES.get(code, "business-rule"), problem["detail"], PROBLEM, code, problem["title"])])
    return outcome(
        issue(
            _FAULTS.get(one["code"], "value"),
            one["detail"],
            FAULT,
            one["code"],
            problem["title"],
            expression=expression(one["pointer"]),
        )
        for one in faults
    )


def outcome(issues: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def issue(
    type_: str,
    says: str,
    system: str,
    code: str,
    title: str,
    *,
    severity: str | None = None,
    expression: str | None = None,
) -> dict[str, Any]:
    """One issue: `says` what there is to do, `code` of `system` what it is to a program."""
    told: dict[str, Any] = {
        "severity": severity or ("fatal" if type_ in _FATAL else "error"),
        "code": type_,
        "details": {"coding": [{"system": system, "code": code}], "text": title},
        "diagnostics": says,
    }
    return told if expression is None else {**told, "expression": [expression]}


def expression(pointer: str) -> str | None:
    """The FHIRPath of a JSON pointer, from the resource on; None for all of it, and for what lies in no resource.

    The type of the resource, which may stand before it, was sent: nothing that was sent is repeated.
    """
    if not pointer or pointer.startswith(("/query", "/path")):
        return None
    return _INDEX.sub(r"[\1]", pointer).replace("/", ".").removeprefix(".")
