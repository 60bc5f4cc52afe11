"""Examples of every event there is, drawn from the types of their fields: what the catalogue names is covered."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from app.events.catalogue import CATALOGUE

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False).filter(lambda one: abs(one) < 2**53 or not one.is_integer())
INSTANTS = st.datetimes(timezones=st.just(UTC))
DOCUMENTS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none() | st.booleans() | WHOLE | FINITE | TEXTS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: WHOLE,
    float: FINITE,
    bool: st.booleans(),
    datetime: INSTANTS,
    date: st.dates(),
    type(None): st.none(),
}


def events(name: str) -> st.SearchStrategy[Any]:
    """Events of one name of the catalogue."""
    return of(CATALOGUE[name].event)


@cache
def of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type; a type that no event has had so far is not guessed at."""
    if kind in PLAIN:
        return PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of([of(argument) for argument in arguments])
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(of(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*[of(argument) for argument in arguments])
    if origin in (dict, Mapping):
        return DOCUMENTS if arguments[1] is Any else st.dictionaries(TEXTS, of(arguments[1]), max_size=3)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{field.name: of(hints[field.name]) for field in fields(kind)})
    raise AssertionError(f"An event holds a {kind}: say here how an example of it is drawn.")
