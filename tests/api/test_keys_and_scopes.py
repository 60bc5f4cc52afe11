"""Who may do what: a key is known or it is not (401), may or may not (403); what belongs to others is not there."""

import json
import os
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from app.operations.house import House
from app.settings import Settings
from tests.forked import ran
from tests.journeys.inside import Inside, bearer, opened
from tests.journeys.ward import LINK, Ward, gates, report
from tests.service import API_KEY, MASTER_KEY, surroundings

A_SUBMISSION = ("POST", "/v1/near-misses")


# 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic QTpC"},
        {"Authorization": f"Bearer {API_KEY}x"},
        {"Authorization": API_KEY},
        {"Authorization": "Bearer fw_0123456789ab_not-a-key00000000"},
    ],
    ids=["none", "empty", "basic", "mistyped", "without a scheme", "a wrong checksum"],
)
def test_without_a_key_that_is_known_nothing_is_told(inside: Inside, headers: dict[str, str]) -> None:
    answer = inside.client.get("/v1/near-misses", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"].endswith("unauthorized")


def test_a_key_is_asked_for_before_the_body_is_read(inside: Inside) -> None:
    answer = inside.client.post("/v1/near-misses", content=b"not even JSON", headers={"Content-Type": "text/plain"})

    assert answer.status_code == 401


def test_refusals_come_in_the_order_of_the_contract(inside: Inside) -> None:
    """401, 403, then what the request is made of, then whether it exists, then what it says."""
    reader = inside.holding("near-misses:read")
    path = "/v1/near-misses/nm_nobody/workflow-link"

    def status(ward: Ward, content: bytes, media_type: str = "application/json") -> int:
        headers = {**ward.headers, "Content-Type": media_type}
        return inside.client.put(path, content=content, headers=headers).status_code

    assert status(Ward(inside.client), b"{") == 401
    assert status(reader, b"{") == 403
    assert status(inside.ward, b"{", "text/plain") == 415
    assert status(inside.ward, b" " * 300_000) == 413
    assert status(inside.ward, b"{") == 400
    assert status(inside.ward, b"{}") == 404
    assert status(inside.ward, json.dumps(LINK).encode()) == 404
    near_miss_id = inside.ward.submit()["id"]
    path = f"/v1/near-misses/{near_miss_id}/workflow-link"
    assert status(inside.ward, b"{}") == 422


# 403


def test_a_key_may_do_what_its_scopes_name_and_no_more(inside: Inside) -> None:
    writer, reader = inside.holding("near-misses:write"), inside.holding("near-misses:read")

    near_miss_id = writer.submit()["id"]
    problem = reader.post("/v1/near-misses", report(), expect=403)

    assert problem["type"].endswith("forbidden")
    assert reader.near_miss(near_miss_id)["id"] == near_miss_id
    writer.get(f"/v1/near-misses/{near_miss_id}", expect=403)
    reader.get(f"/v1/near-misses/{near_miss_id}/history", expect=403)
    inside.holding("audit:read").get(f"/v1/near-misses/{near_miss_id}/history")
    writer.put("/v1/policy", {}, expect=403)


# 404


def test_what_belongs_to_another_organisation_is_not_there(inside: Inside) -> None:
    ward, other = inside.ward, inside.other
    for _ in range(3):
        near_miss = ward.submit()
    (escalation,) = ward.escalations()
    ward.put("/v1/services/ash-court", {"name": "Ash Court", "service_type": "care_home"})

    assert other.get("/v1/near-misses")["items"] == []
    assert other.escalations() == []
    assert other.get("/v1/reviews")["items"] == []
    assert other.get("/v1/services")["items"] == []
    assert other.get("/v1/heatmaps/workflow")["total"] == 0
    window = {"rule_id": "similar", **escalation["key"]}
    assert (ward.get("/v1/windows", **window)["count"], other.get("/v1/windows", **window)["count"]) == (3, 0)
    other.near_miss(near_miss["id"], expect=404)
    other.escalation(escalation["id"], expect=404)
    other.get(f"/v1/reviews/{escalation['review_id']}", expect=404)
    other.get("/v1/services/ash-court", expect=404)
    other.get(f"/v1/near-misses/{near_miss['id']}/history", expect=404)
    other.put(f"/v1/near-misses/{near_miss['id']}/workflow-link", LINK, expect=404)
    other.review(escalation["review_id"], "start", {}, expect=404)
    duplicate = {"reason": "Told twice.", "kind": "duplicate", "duplicate_of": near_miss["id"]}
    theirs = other.submit()["id"]
    other.post(f"/v1/near-misses/{theirs}/withdrawal", duplicate, expect=422)


# Expiry, actors, rates


def test_a_key_is_refused_from_the_instant_that_it_expires(inside: Inside) -> None:
    expires_at = inside.clock.instant.replace(hour=11)
    ward = inside.holding("near-misses:read", expires_at=expires_at)
    ward.get("/v1/near-misses")

    inside.clock.advance(hours=1)

    ward.get("/v1/near-misses", expect=401)


def test_a_key_that_acts_for_people_names_who_acts(inside: Inside) -> None:
    ward = inside.holding("near-misses:write", "audit:read", acts_for_people=True)
    near_miss = ward.ask(*A_SUBMISSION, report(), expect=201, **{"Forewarn-Actor": "staff-7"})

    again = ward.ask(*A_SUBMISSION, report(), expect=201, **{"Forewarn-Actor": " staff-7 "})

    assert actor_of(ward, near_miss).startswith("staff/")
    assert "staff-7" not in actor_of(ward, near_miss)
    assert actor_of(ward, again) == actor_of(ward, near_miss)


def test_a_key_that_acts_for_itself_may_not_name_another(inside: Inside) -> None:
    ward = inside.holding("near-misses:write", actor="staff-7")
    people = inside.holding("near-misses:write", acts_for_people=True)

    refused = ward.ask(*A_SUBMISSION, report(), expect=403, **{"Forewarn-Actor": "staff-9"})
    by_key, by_header = ward.submit(), people.ask(*A_SUBMISSION, report(), expect=201, **{"Forewarn-Actor": "staff-7"})

    assert refused["type"].endswith("forbidden")
    assert actor_of(inside.ward, by_key) == actor_of(inside.ward, by_header)  # Whoever it is, by the same token.


def actor_of(ward: Ward, near_miss: dict[str, Any]) -> str:
    return ward.get(f"/v1/near-misses/{near_miss['id']}/history")["items"][0]["actor"]


@pytest.mark.parametrize("actor", ["", "   ", "a" * 129])
def test_an_actor_is_a_reference(inside: Inside, actor: str) -> None:
    ward = inside.holding("near-misses:write", acts_for_people=True)

    ward.ask(*A_SUBMISSION, report(), expect=400, **{"Forewarn-Actor": actor})


def test_a_key_that_asks_too_often_is_told_when_to_come_back(database_url: str) -> None:
    with opened(database_url, rate_limit="3/hour") as inside:
        colleague = inside.holding("near-misses:read")
        for _ in range(3):
            inside.ward.get("/v1/near-misses")

        refused = inside.client.get("/v1/near-misses", headers=inside.ward.headers)

        assert refused.status_code == 429
        assert refused.json()["type"].endswith("rate-limited")
        assert int(refused.headers["retry-after"]) > 0
        colleague.get("/v1/near-misses")


# The command line


def test_keys_are_given_out_listed_and_taken_back_on_the_command_line(sqlite_url: str, tmp_path: Path) -> None:
    made = forewarn(sqlite_url, tmp_path, "organisations", "create", "Ash Court")
    organisation, admin = made["organisation_id"], made["admin_key"]
    of = ("--organisation", organisation)
    key = forewarn(sqlite_url, tmp_path, "keys", "create", *of, "--scopes", "near-misses:read", "--expires", "P90D")
    listed = {one["key_id"]: one for one in forewarn_lines(sqlite_url, tmp_path, "keys", "list", *of)}

    forewarn(sqlite_url, tmp_path, "keys", "revoke", key["key_id"], *of)

    revoked = {one["key_id"]: one for one in forewarn_lines(sqlite_url, tmp_path, "keys", "list", *of)}
    assert listed[key["key_id"]]["scopes"] == ["near-misses:read"]
    assert listed[key["key_id"]]["expires_at"] > listed[key["key_id"]]["created_at"]
    assert listed[key["key_id"]]["revoked_at"] is None
    assert revoked[key["key_id"]]["revoked_at"] is not None
    assert all(key["key"] not in json.dumps(one) for one in revoked.values())
    with opened(sqlite_url) as inside:
        Ward(inside.client, bearer(admin)).get("/v1/near-misses")
        Ward(inside.client, bearer(key["key"])).get("/v1/near-misses", expect=401)


def test_a_role_brings_its_scopes(sqlite_url: str, tmp_path: Path) -> None:
    forewarn(sqlite_url, tmp_path, "organisations", "create", "Willow House", "--id", "default")
    key = forewarn(sqlite_url, tmp_path, "keys", "create", "--role", "manager", "--acts-for-people")

    with opened(sqlite_url) as inside:
        manager = Ward(inside.client, bearer(key["key"]))
        for _ in range(3):
            manager.ask(*A_SUBMISSION, report(), expect=201, **{"Forewarn-Actor": "manager-2"})
        (escalation,) = manager.escalations()
        manager.review(escalation["review_id"], "start", {})
        assert gates(manager.review(escalation["review_id"], "closure", CLOSURE, expect=409))
        manager.put("/v1/policy", {}, expect=403)


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create"),
        ("keys", "create", "--scopes", "near-misses:everything"),
        ("keys", "create", "--role", "caretaker"),
        ("keys", "create", "--scopes", "admin", "--expires", "soon"),
        ("keys", "create", "--scopes", "admin", "--organisation", "nobody"),
        ("keys", "revoke", "nothing"),
    ],
    ids=" ".join,
)
def test_a_command_that_cannot_be_done_is_told_in_a_sentence(
    sqlite_url: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with opened(sqlite_url):
        pass

    done = run(sqlite_url, tmp_path, *arguments)

    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_a_bootstrap_key_is_any_32_to_128_visible_ascii_characters(sqlite_url: str) -> None:
    key = "!" + "~" * 127
    house = House(Settings(database_url=sqlite_url, master_key=MASTER_KEY, bootstrap_api_key=key))

    house.open_organisation("default", "default", key)

    assert house.keys.recognise(key) is not None
    house.close()
    for unfit in ("k" * 31, "k" * 129, "k" * 32 + " ", "k" * 32 + "é"):
        with pytest.raises(ValueError, match="32 to 128 visible ASCII"):
            Settings(bootstrap_api_key=unfit)


CLOSURE = {"code": "no_action_needed", "summary": "Nothing in common."}


def forewarn(database_url: str, directory: Path, *arguments: str) -> dict[str, Any]:
    """The one JSON line that a command prints."""
    (line,) = forewarn_lines(database_url, directory, *arguments)
    return line


def forewarn_lines(database_url: str, directory: Path, *arguments: str) -> list[dict[str, Any]]:
    done = run(database_url, directory, *arguments)
    assert done.returncode == os.EX_OK, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(database_url: str, directory: Path, *arguments: str) -> "CompletedProcess[str]":
    return ran(arguments, directory, surroundings(database_url, {}))
