"""What every event owes to those who read it back: whatever may be absent is left out, so it has a default."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest

from app.events.catalogue import CATALOGUE


@pytest.mark.parametrize("name", CATALOGUE)
def test_an_event_reads_back_without_what_may_be_absent(name: str) -> None:
    assert set(optional_without_default(CATALOGUE[name].event)) == set()


def optional_without_default(kind: Any) -> Iterator[str]:
    """Fields, here and further in, that may be None and yet have to be given."""
    if not is_dataclass(kind):
        for part in get_args(kind):
            yield from optional_without_default(part)
        return
    hints = get_type_hints(kind)
    for one in fields(kind):
        has_default = one.default is not MISSING or one.default_factory is not MISSING
        if NoneType in get_args(hints[one.name]) and not has_default:
            yield f"{getattr(kind, '__name__', kind)}.{one.name}"
        yield from optional_without_default(hints[one.name])
