"""The models of FHIR R4B, where `fhir.resources` is installed (the extra `fhir`): a second, closer look at a resource.

Without the package our own reading still holds. An element that the models do not know is none of their refusals here,
for what a vendor adds is kept and listed; nor is what we do not read: its own id, its narrative, what it contains.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from app.domain.decider import Fault
from app.domain.reading import pointer_to

MOST = 50
_CODES = {"missing": "missing", "extra_forbidden": "", "value_error": "not-valid"}
_UNREAD = ("contained", "id", "text")


def are_installed() -> bool:
    """Whether there are models to look with."""
    return find_spec("fhir") is not None and find_spec("fhir.resources") is not None


def validate(document: Mapping[str, Any], kind: str) -> list[Fault]:
    """What the models of R4B find wrong with a resource of the type; nothing without them. Imports them when needed."""
    if not are_installed():
        return []
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    try:
        model.model_validate({name: value for name, value in document.items() if name not in _UNREAD})
    except ValueError as error:
        return list(_faults(error))[:MOST]
    return []


def _faults(error: ValueError) -> Iterator[Fault]:
    """The models' errors in our words; they repeat what was sent, so only where and of what kind is taken from them."""
    for one in getattr(error, "errors", list[Any])():
        code = _CODES.get(one["type"], "wrong-type")
        if not code:
            continue
        pointer = ""
        for part in one["loc"]:
            longer = pointer_to(pointer, str(part))
            if longer == pointer:
                break
            pointer = longer
        yield Fault(pointer, code, _DETAILS[code])


_DETAILS = {
    "missing": "Give this element: FHIR R4 asks for it.",
    "not-valid": "Give what FHIR R4 says of this element: one of a choice, or a value in its form.",
    "wrong-type": "Give this element the type that FHIR R4 says.",
}
