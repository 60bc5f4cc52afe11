"""From a parsed body to a model, or to the list of everything wrong with it.

Nobody should need two tries to learn of two mistakes: what the fields say and what they say together is checked in
one go. A fault says what to do and never repeats the value; its code is a word of ours, not of the library.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from app.api.pointers import MOST_FAULTS, pointer
from app.domain.decider import Fault, Invalid


class Body(BaseModel):
    """A request body, or a part of one: no field that is not known, nothing converted on the quiet."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def together(cls, document: Mapping[str, object]) -> Iterator[Fault]:
        """What the fields of the whole body say against each other, even while single ones are wrong."""
        yield from ()


Model = TypeVar("Model", bound=Body)


def validate(model: type[Model], document: object, now: datetime) -> Model:
    """The body as its model; `Invalid` with every fault (at most 50) otherwise. `now`: aware, bounds instants."""
    faults: list[Fault] = []
    taken: Model | None = None
    try:
        taken = model.model_validate(document, context=now)
    except ValidationError as error:
        found = error.errors(include_url=False)
        faults += islice((fault_of(one, model) for one in found), MOST_FAULTS)
    if isinstance(document, dict):
        faults += model.together(cast("dict[str, object]", document))
    if faults or taken is None:
        raise Invalid(*faults[:MOST_FAULTS])
    return taken


def must_say(model: type[BaseModel]) -> bool:
    """Whether a request has to have a body: where nothing needs to be said, nothing may be sent."""
    return any(field.is_required() for field in model.model_fields.values())


def refusal(code: str, detail: str) -> PydanticCustomError:
    """What a validator raises: the fault's code, and a sentence without braces."""
    return PydanticCustomError(code, detail)  # type: ignore[arg-type]  # The library wants a literal; ours are few.


_TOLD: dict[str, tuple[str, str]] = {
    "missing": ("missing", "Give this field: the request is not complete without it."),
    "string_too_long": ("too-long", "Give at most {max_length} characters."),
    "string_too_short": ("too-short", "Give at least {min_length} character(s)."),
    "string_pattern_mismatch": ("not-visible", "Give visible characters: no control characters, not blanks alone."),
    "too_long": ("too-many", "Give at most {max_length}."),
    "too_short": ("too-few", "Give at least {min_length}."),
    "literal_error": ("unknown-code", "Give one of: {expected}."),
    "enum": ("unknown-code", "Give one of: {expected}."),
    "greater_than_equal": ("out-of-range", "Give a number of at least {ge}."),
    "less_than_equal": ("out-of-range", "Give a number of at most {le}."),
    "string_type": ("wrong-type", "Give a string."),
    "int_type": ("wrong-type", "Give an integer."),
    "float_type": ("wrong-type", "Give a number."),
    "bool_type": ("wrong-type", "Give true or false."),
    "list_type": ("wrong-type", "Give an array."),
    "dict_type": ("wrong-type", "Give an object."),
    "model_type": ("wrong-type", "Give an object."),
    "model_attributes_type": ("wrong-type", "Give an object."),
}


def fault_of(error: ErrorDetails, model: type[BaseModel]) -> Fault:
    """The library's error in our words."""
    where = pointer(part for part in error["loc"] if not is_tag(part))
    kind = error["type"]
    if kind == "extra_forbidden":
        return Fault(where, "unknown-field", unknown_field(error["loc"], model))
    context: Mapping[str, Any] = error.get("ctx", {})
    if kind in _TOLD:
        # A field without a value is one that is missing; a body without one is of the wrong type.
        code, detail = _TOLD["missing" if error["input"] is None and error["loc"] else kind]
        return Fault(where, code, detail.format_map(context))
    return Fault(where, kind, error["msg"])


def unknown_field(path: tuple[int | str, ...], model: type[BaseModel]) -> str:
    if len(path) > 1:
        return "Take this field out: it is not one of those that belong here (see /docs)."
    return f"Take this field out. Those of this request are: {', '.join(names(model))}."


def names(model: type[BaseModel]) -> Iterable[str]:
    return (field.alias or name for name, field in model.model_fields.items())


def is_tag(part: int | str) -> bool:
    """Whether the part of a path only names the form of a value that has several; see `form_of` in workflow."""
    return isinstance(part, str) and part.startswith("<")
