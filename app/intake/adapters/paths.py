"""Places in a stranger's document: `Calls[CallAssignment=Time In].CallDateTime`, and which of them were looked at.

A path is names parted by dots. After a name, `[0]` picks an item of an array, `[]` each of them, `[name=value]` those
whose field has that value; a name asked of an array without a choice is asked of its first item. A path begins at the
item that an event is made of; `^.` in front goes to what encloses it, `$.` to the whole document. Whatever was asked
for is noted, so that what nobody asked for can be told.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from app.domain.reading import pointer_to
from app.intake.mappings import text_of, value_at

Pointer = tuple[int | str, ...]
"""The names and indices that lead from the whole document to a value."""

_STEP = re.compile(r"([^.\[\]]+)((?:\[[^\[\]]*\])*)(?:\.(?=.)|$)")
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_INDEX = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Where:
    """Items of an array whose field has a value."""

    name: str
    value: str


Choice = int | Where | None
"""Which items of an array: the one at an index, those with a value, or (None) each."""


@dataclass(frozen=True, slots=True)
class Path:
    """`up`: how many enclosing items to go to first; None: to the whole document."""

    text: str
    up: int | None
    steps: tuple[tuple[str, tuple[Choice, ...]], ...]

    @property
    def pointer(self) -> str:
        """Where a sender would look for it: a JSON pointer without choices."""
        pointer = ""
        for name, _ in self.steps:
            pointer = pointer_to(pointer, name)
        return pointer


@dataclass(frozen=True, slots=True)
class Place:
    """A value of the document, and where it stands."""

    pointer: Pointer
    value: Any


def parse_path(text: str) -> Path:
    """The path of a text; ValueError says what to do."""
    up: int | None = 0
    rest = text
    if rest.startswith("$."):
        up, rest = None, rest[2:]
    else:
        while rest.startswith("^."):
            up, rest = up + 1, rest[2:]
    steps: list[tuple[str, tuple[Choice, ...]]] = []
    at = 0
    while at < len(rest):
        found = _STEP.match(rest, at)
        if found is None:
            break
        steps.append((found[1], tuple(_choice(inner) for inner in _CHOICE.findall(found[2]))))
        at = found.end()
    if at < len(rest) or not steps:
        raise ValueError("Write names parted by dots, with choices in brackets: Calls[CallAssignment=Time In].At.")
    return Path(text, up, tuple(steps))


def _choice(inner: str) -> Choice:
    name, equals, value = inner.partition("=")
    if equals and name:
        return Where(name, value)
    if inner and not _INDEX.fullmatch(inner):
        raise ValueError("Choose items of an array by [0], [] or [name=value].")
    return int(inner) if inner else None


@dataclass(slots=True)
class Look:
    """One item of a document, what encloses it (the whole document first), and what was looked at so far."""

    chain: tuple[Place, ...]
    seen: set[Pointer] = field(default_factory=set[Pointer])

    def within(self, place: Place) -> "Look":
        """The look at something inside the item, with notes of its own."""
        return Look((*self.chain, place), set(self.seen))

    def at(self, path: Path) -> list[Place]:
        """Everything that stands at the path, null included, in the document's order."""
        back = len(self.chain) - 1 if path.up is None else path.up
        if back >= len(self.chain):
            return []
        places = [self.chain[-1 - back]]
        for name, choices in path.steps:
            places = [below for place in places for below in _named(place, name)]
            for choice in choices:
                places = [below for place in places for below in self._chosen(place, choice)]
        for place in places:
            value: object = place.value
            if not (isinstance(value, dict | list) and value):
                self.seen.add(place.pointer)  # To know that something is there is not to have read all below it.
        return places

    def whole(self, place: Place) -> Place:
        """The place, noted with all below it."""
        self.seen.add(place.pointer)
        return place

    def first(self, paths: Sequence[Path]) -> Place | None:
        """What the first of the paths has to say; each of them is noted as known."""
        found = [place for path in paths for place in self.at(path)]
        return next((place for place in found if not _is_blank(place.value)), None)

    def _chosen(self, place: Place, choice: Choice) -> Iterator[Place]:
        items: object = place.value
        if not isinstance(items, list):
            return
        for index, item in enumerate(cast("list[Any]", items)):
            pointer = (*place.pointer, index)
            match choice:
                case Where(name, value):
                    if isinstance(item, dict):
                        self.seen.add((*pointer, *name.split(".")))
                        if text_of(value_at(cast("dict[str, Any]", item), name)) == value:
                            yield Place(pointer, item)
                case None:
                    yield Place(pointer, item)
                case _ if index == choice:
                    yield Place(pointer, item)
                case _:
                    pass

    def ignored(self, known: Sequence[tuple[str, ...]], most: int, longest: int) -> tuple[str, ...]:
        """What of the item and of what encloses it nobody looked at, as paths; `known` are left out with all below.

        Of the arrays that items were taken from, the item's neighbours are not its own affair.
        """
        found: list[str] = []
        for pointer in self._leaves((), self.chain[0].value):
            if any(pointer[:end] in self.seen for end in range(len(pointer) + 1)):
                continue
            names = tuple(part for part in pointer if isinstance(part, str))
            if not any(names[: len(one)] == one for one in known):
                found.append(told(pointer)[:longest])
        return tuple(dict.fromkeys(found))[:most]

    def _leaves(self, pointer: Pointer, value: Any) -> Iterator[Pointer]:
        match value:
            case dict() if value:
                for name, member in cast("Mapping[str, Any]", value).items():
                    yield from self._leaves((*pointer, name), member)
            case list() if value:
                for index, item in enumerate(cast("list[Any]", value)):
                    if not self._is_beside((*pointer, index)):
                        yield from self._leaves((*pointer, index), item)
            case _:
                yield pointer

    def _is_beside(self, pointer: Pointer) -> bool:
        """Whether another item of an array that the chain goes through stands there."""
        return any(
            place.pointer[: len(pointer) - 1] == pointer[:-1] and place.pointer[: len(pointer)] != pointer
            for place in self.chain
            if len(place.pointer) >= len(pointer)
        )


def spread(places: Sequence[Place]) -> Iterator[Place]:
    """Each item of what is an array; everything else as it is, but for null."""
    for place in places:
        value: object = place.value
        if isinstance(value, list):
            for index, item in enumerate(cast("list[Any]", value)):
                yield Place((*place.pointer, index), item)
        elif value is not None:
            yield place


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _named(place: Place, name: str) -> Iterator[Place]:
    pointer, value = place.pointer, place.value
    while isinstance(value, list) and value:
        pointer, value = (*pointer, 0), cast("list[Any]", value)[0]
    if isinstance(value, dict) and name in value:
        yield Place((*pointer, name), cast("dict[str, Any]", value)[name])


def told(pointer: Pointer) -> str:
    """The place as `care.read` tells of one; a name that could be anything that a person typed is not repeated."""
    path = ""
    for part in pointer:
        longer = f"{path}/{part}" if isinstance(part, int) else pointer_to(path, part)
        if longer == path:
            break
        path = longer
    return path.removeprefix("/")
