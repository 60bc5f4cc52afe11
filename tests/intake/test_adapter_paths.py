"""Paths lead to one value, to several, or nowhere; what was asked for is noted."""

from typing import Any

import pytest

from app.intake.adapters.paths import Look, Place, parse_path

VISIT: dict[str, Any] = {
    "id": 7,
    "Calls": [{"Kind": "Time Out", "At": "14:00"}, {"Kind": "Time In", "At": "13:00", "Phone": "x"}],
    "tags": ["a", "b"],
    "none": None,
    "empty": {},
}


def look() -> Look:
    return Look((Place((), VISIT),))


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("id", [7]),
        ("Calls[Kind=Time In].At", ["13:00"]),
        ("Calls[0].At", ["14:00"]),
        ("Calls.At", ["14:00"]),
        ("Calls[].At", ["14:00", "13:00"]),
        ("tags[1]", ["b"]),
        ("tags[9]", []),
        ("id.of", []),
        ("id[0]", []),
        ("nowhere.at.all", []),
        ("none", [None]),
        ("$.id", [7]),
        ("^.id", []),
    ],
)
def test_a_path_leads_to_values(path: str, values: list[object]) -> None:
    assert [place.value for place in look().at(parse_path(path))] == values


def test_an_inner_item_sees_what_encloses_it() -> None:
    (call,) = look().at(parse_path("Calls[1]"))
    inner = look().within(call)

    assert [inner.first([parse_path(path)]) for path in ("At", "^.id", "$.id", "^.^.id")] == [
        Place(("Calls", 1, "At"), "13:00"),
        Place(("id",), 7),
        Place(("id",), 7),
        None,
    ]


def test_the_first_path_that_says_something_is_taken() -> None:
    found = look().first([parse_path("none"), parse_path("nowhere"), parse_path("Calls[0].At"), parse_path("id")])

    assert found is not None
    assert found.value == "14:00"


def test_what_nobody_asked_for_is_told() -> None:
    seen = look()
    seen.at(parse_path("Calls[Kind=Time In].At"))
    seen.at(parse_path("Calls"))

    assert seen.ignored([("id",)], 100, 128) == (
        "Calls/0/At", "Calls/1/Phone", "tags/0", "tags/1", "none", "empty",
    )  # fmt: skip
    assert seen.ignored([], 2, 6) == ("id", "Calls/")


@pytest.mark.parametrize("text", ["", "a..b", ".a", "a.", "a[", "a]b", "a[x]", "[0]", "$.", "^.", "a[=x]"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names parted|Choose items"):
        parse_path(text)
