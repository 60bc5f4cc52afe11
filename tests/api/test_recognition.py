"""The rules of recognition over HTTP: shown complete, followed by the next version, never changed on the quiet."""

from typing import Any

import pytest

from app.domain.recognition_document import recognition_document
from app.domain.recognition_rules import DEFAULT
from tests.journeys.inside import Inside
from tests.journeys.ward import Ward, pointers

STRICTER = {"visit_window": "PT10M", "dose_statuses": {"skipped": "not_delivered"}, "reason": "Agreed."}


def test_every_organisation_begins_with_the_rules_of_the_guide(ward: Ward) -> None:
    assert ward.get("/v1/recognition") == {"version": 1, **recognition_document(DEFAULT)}


def test_rules_are_shown_complete_and_put_again_are_no_new_version(ward: Ward) -> None:
    adopted = ward.put("/v1/recognition", STRICTER)

    shown = ward.get("/v1/recognition")

    assert shown == adopted
    assert (shown["version"], shown["visit_window"], shown["tolerance"]) == (2, "PT10M", "PT60M")
    assert (shown["dose_statuses"]["skipped"], shown["dose_statuses"]["given"]) == ("not_delivered", "delivered")
    again = {name: value for name, value in shown.items() if name != "version"}
    assert ward.put("/v1/recognition", again)["version"] == 2
    assert ward.put("/v1/recognition", STRICTER)["version"] == 2


def test_what_the_whole_does_not_say_is_the_default_again(ward: Ward) -> None:
    ward.put("/v1/recognition", STRICTER)

    back = ward.put("/v1/recognition", {})

    assert back == {"version": 3, **recognition_document(DEFAULT)}


def test_every_version_is_kept_with_who_adopted_it(ward: Ward) -> None:
    ward.put("/v1/recognition", STRICTER)
    ward.put("/v1/recognition", {})

    newest = ward.get("/v1/recognition/versions", limit=2)
    oldest = ward.get("/v1/recognition/versions", cursor=newest["next_cursor"])

    assert [one["version"] for one in newest["items"] + oldest["items"]] == [3, 2, 1]
    assert newest["items"][1]["visit_window"] == "PT10M"
    assert newest["items"][1]["adopted_by"].startswith("key/")
    assert oldest["items"][0]["adopted_at"] is None
    assert oldest["next_cursor"] is None


def test_who_read_an_older_version_does_not_undo_a_newer_one(ward: Ward) -> None:
    ward.ask("PUT", "/v1/recognition", STRICTER, expect=200, **{"If-Match": '"1"'})

    ward.ask("PUT", "/v1/recognition", {}, expect=412, **{"If-Match": '"1"'})

    assert ward.get("/v1/recognition")["version"] == 2


@pytest.mark.parametrize(
    ("document", "places"),
    [
        ([], {""}),
        ({"visit_windows": "PT10M", "tolerance": "soon"}, {"/visit_windows", "/tolerance"}),
        ({"visit_statuses": {"missed": "none"}}, {"/visit_statuses/missed"}),
    ],
)
def test_rules_that_are_none_are_refused_and_change_nothing(ward: Ward, document: Any, places: set[str]) -> None:
    problem = ward.put("/v1/recognition", document, expect=422)

    assert pointers(problem) == places
    assert ward.get("/v1/recognition")["version"] == 1


def test_rules_are_settled_by_whoever_settles_the_policy(inside: Inside) -> None:
    reader, writer = inside.holding("near-misses:read"), inside.holding("policy:write")

    reader.put("/v1/recognition", STRICTER, expect=403)
    writer.put("/v1/recognition", STRICTER)

    assert reader.get("/v1/recognition")["version"] == 2
