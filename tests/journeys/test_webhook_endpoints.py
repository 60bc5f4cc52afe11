"""Endpoints over HTTP: who is told, with which secret, where no webhook may go, and what is done about one that failed.

Nothing listens where these endpoints are. Takes a quarter of a minute, on both databases.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from app.domain.webhook import TYPES
from app.operations import endpoints
from app.operations.endpoints import target_of
from app.operations.job import Actor, Command
from app.operations.signing import symmetric
from tests.cases import load
from tests.journeys.inside import Inside, opened
from tests.journeys.ward import pointers

PATH = "/v1/webhook-endpoints"
URL = "http://127.77.1.2:9/hooks/forewarn"
WANTED = {"url": URL, "event_types": ["near_miss.recorded", "escalation.raised"]}


@pytest.fixture
def inside(database_url: str) -> Iterator[Inside]:
    with opened(database_url, webhook_allow_networks="127.77.0.0/16") as inside:
        yield inside


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """Where the operator allows no network that is not everybody's."""
    from app.database.migrate import upgrade

    url = f"sqlite:///{tmp_path_factory.mktemp('elsewhere') / 'forewarn.db'}"
    upgrade(url)
    with opened(url) as inside:
        yield inside


def registered(inside: Inside, **changes: Any) -> dict[str, Any]:
    return inside.ward.post(PATH, {**WANTED, **changes}, expect=201)


def read(inside: Inside, endpoint_id: str) -> dict[str, Any]:
    return inside.ward.get(f"{PATH}/{endpoint_id}")


def deliveries(inside: Inside, endpoint_id: str, **parameters: Any) -> list[dict[str, Any]]:
    return inside.ward.get(f"{PATH}/{endpoint_id}/deliveries", **parameters)["items"]


def hold(inside: Inside, endpoint_id: str) -> None:
    """As the sending of messages holds what answered 410."""
    now = inside.house.clock()

    def run(desk: Any, cause: Any) -> None:
        endpoints.hold(desk, cause, endpoint_id, "gone", now)

    show = lambda _reader, subject: {"id": subject}  # noqa: E731
    inside.house.ask(Command("default", "5f0c7fb1-c6d3-5d0f-b29f-6cb4ac3f0d7e", Actor("system/x"), "x", run, show))


# Registered


def test_an_endpoint_is_registered_with_a_secret_that_is_shown_once(inside: Inside) -> None:
    made = registered(inside, services=["willow-house"], roles=["manager"], description="The managers' rota.")

    assert made["secret"].startswith("whsec_")
    assert len(symmetric(made["secret"])) == 32
    assert made["public_key"].startswith("whpk_")
    known = read(inside, made["id"])
    assert known == {name: value for name, value in made.items() if name != "secret"}
    assert (known["url"], known["status"], known["services"], known["roles"]) == (
        URL,
        "active",
        ["willow-house"],
        ["manager"],
    )
    assert inside.ward.get(PATH)["items"] == [known]


def test_the_same_request_again_makes_no_second_endpoint_and_tells_no_secret(inside: Inside) -> None:
    first = inside.ward.ask("POST", PATH, WANTED, expect=201, **{"Idempotency-Key": "rota-1"})

    response = inside.client.post(PATH, json=WANTED, headers={**inside.ward.headers, "Idempotency-Key": "rota-1"})

    assert (response.status_code, response.headers["Idempotency-Replayed"]) == (201, "true")
    assert response.json() == {name: value for name, value in first.items() if name != "secret"}
    assert len(inside.ward.get(PATH)["items"]) == 1


def test_a_body_that_is_wrong_is_told_field_by_field(inside: Inside) -> None:
    problem = inside.ward.post(
        PATH, {"url": "", "event_types": ["escalation.risen"], "roles": ["king"], "colour": "red"}, expect=422
    )

    assert pointers(problem) == {"/url", "/event_types/0", "/roles/0", "/colour"}
    assert pointers(inside.ward.post(PATH, {"url": URL, "event_types": []}, expect=422)) == {"/event_types"}


@pytest.mark.parametrize("url", [
    *(f"https://[{one}]/" if ":" in one else f"https://{one}/" for one in load("ssrf_vectors.json")["deny"]),
    *load("ssrf_vectors.json")["urls_deny"],
    "https://0/", "https://127.0.0.1.:443/", "https://017700000001/", "https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "https://１２７.0.0.1/",
    "http://example.org/", "http://xn--/", "https://a..b/", "https://", "//example.org/", "javascript:alert(1)",
    "https://example.org/#part", "https://example.org:25/", "https://" + "a" * 2048 + ".org/",
])  # fmt: skip
def test_no_webhook_goes_to_what_is_not_everybody_s(elsewhere: Inside, url: str) -> None:
    problem = elsewhere.ward.post(PATH, {**WANTED, "url": url}, expect=422)

    assert problem["type"].endswith("validation")
    (error,) = problem["errors"]
    assert error["pointer"] == "/url"
    assert error["code"] == ("too-long" if len(url) > 2048 else "webhook-url-not-allowed")
    assert url not in str(problem)


@pytest.mark.parametrize("url", ["https://8.8.8.8/", "https://[2606:4700::1111]:8443/x?y=z", "https://hooks.invalid/"])
def test_an_address_that_everybody_can_reach_and_a_name_are_taken(elsewhere: Inside, url: str) -> None:
    # Names are judged when sending, by all that they resolve to then. Nothing is sent: nothing has happened.
    assert registered(elsewhere, url=url, event_types=["governance_review.closed"])["url"] == url


def test_a_changed_address_is_judged_like_a_new_one(inside: Inside) -> None:
    made = registered(inside)

    problem = inside.ward.ask("PATCH", f"{PATH}/{made['id']}", {"url": "https://10.0.0.1/"}, expect=422)

    assert problem["errors"][0]["code"] == "webhook-url-not-allowed"
    inside.ward.ask("PATCH", f"{PATH}/whe_none", {"url": "https://10.0.0.1/"}, expect=404)
    assert read(inside, made["id"])["url"] == URL


# Changed


def test_what_is_not_said_stays_and_null_takes_a_filter_away(inside: Inside) -> None:
    made = registered(inside, services=["willow-house"], description="The managers' rota.")
    path = f"{PATH}/{made['id']}"

    changed = inside.ward.ask("PATCH", path, {"event_types": ["review.closed"], "services": None}, expect=200)

    assert (changed["event_types"], changed["services"], changed["version"]) == (["review.closed"], [], 2)
    assert (changed["url"], changed["description"]) == (URL, "The managers' rota.")
    assert inside.ward.ask("PATCH", path, {}, expect=200)["version"] == 2
    assert inside.ward.ask("PATCH", path, {"url": URL}, expect=200)["version"] == 2
    assert "description" not in inside.ward.ask("PATCH", path, {"description": None}, expect=200)
    assert pointers(inside.ward.ask("PATCH", path, {"url": None}, expect=422)) == {"/url"}
    inside.ward.ask("PATCH", path, {"roles": ["manager"]}, expect=412, **{"If-Match": '"1"'})


def test_a_secret_is_changed_and_both_sign_for_a_day(inside: Inside) -> None:
    made = registered(inside)
    path = f"{PATH}/{made['id']}/rotate-secret"

    rotated = inside.ward.ask("POST", path, expect=200, **{"Idempotency-Key": "r-1"})
    again = inside.ward.ask("POST", path, expect=200, **{"Idempotency-Key": "r-1"})

    assert rotated["secret"] not in {made["secret"], None}
    assert "secret" not in again
    assert rotated["previous_secret_valid_until"] == "2026-03-03T10:00:00.000000Z"
    assert rotated["public_key"] == made["public_key"]
    with inside.house.database.read() as connection:
        target = target_of(connection, inside.house.vault, "default", made["id"])
    assert [one.key for one in target.secrets.symmetric] == [symmetric(rotated["secret"]), symmetric(made["secret"])]


def test_a_deleted_endpoint_is_gone_and_what_it_was_owed_can_still_be_seen(inside: Inside) -> None:
    made = registered(inside)
    inside.ward.submit()
    assert [one["type"] for one in deliveries(inside, made["id"])] == ["near_miss.recorded"]
    path = f"{PATH}/{made['id']}"

    gone = inside.client.delete(path, headers=inside.ward.headers)

    assert (gone.status_code, gone.content) == (204, b"")
    inside.ward.get(path, expect=404)
    assert inside.client.delete(path, headers=inside.ward.headers).status_code == 204
    inside.ward.post(f"{path}/enable", {}, expect=404)
    assert inside.ward.get(PATH)["items"] == []
    assert [one["status"] for one in deliveries(inside, made["id"])] == ["held"]


def test_another_organisation_finds_nothing_of_it(inside: Inside) -> None:
    made = registered(inside)
    inside.ward.submit()
    (delivery,) = deliveries(inside, made["id"])

    assert inside.other.get(PATH)["items"] == []
    for path in (f"{PATH}/{made['id']}", f"{PATH}/{made['id']}/deliveries", f"/v1/deliveries/{delivery['id']}"):
        inside.other.get(path, expect=404)
    inside.other.post(f"/v1/deliveries/{delivery['id']}/replay", {}, expect=404)
    inside.other.post(f"{PATH}/{made['id']}/test", {}, expect=404)


# What it is owed


def test_a_delivery_is_listed_and_read_with_its_message(inside: Inside) -> None:
    made = registered(inside)
    near_miss = inside.ward.submit()

    (delivery,) = deliveries(inside, made["id"])

    assert delivery["id"].startswith("msg_")
    assert (delivery["endpoint_id"], delivery["sequence"]) == (made["id"], near_miss["sequence"])
    shown = inside.ward.get(f"/v1/deliveries/{delivery['id']}")
    assert shown["message"] == {
        "type": "near_miss.recorded",
        "timestamp": near_miss["recorded_at"],
        "data": {
            "near_miss_id": near_miss["id"],
            "service_id": "willow-house",
            "status": "awaiting_workflow_link",
            "sequence": near_miss["sequence"],
            "links": {"self": f"/v1/near-misses/{near_miss['id']}"},
        },
    }
    assert inside.ward.get(f"/v1/deliveries/{delivery['id']}/attempts")["next_cursor"] is None
    inside.ward.get("/v1/deliveries/msg_none/attempts", expect=404)
    inside.ward.get(f"{PATH}/{made['id']}/deliveries", status="lost", expect=422)


def test_deliveries_come_page_by_page_and_by_their_status(inside: Inside) -> None:
    made = registered(inside)
    for _ in range(3):
        inside.ward.submit()
    hold(inside, made["id"])

    first = inside.ward.get(f"{PATH}/{made['id']}/deliveries", limit=3)
    rest = inside.ward.get(f"{PATH}/{made['id']}/deliveries", cursor=first["next_cursor"])

    assert [one["type"] for one in (*first["items"], *rest["items"])] == [
        "escalation.raised",
        *["near_miss.recorded"] * 3,
    ]
    assert len(deliveries(inside, made["id"], status="held")) == 4
    assert deliveries(inside, made["id"], status="pending") == []


def test_a_test_is_owed_like_any_message(inside: Inside) -> None:
    made = registered(inside)

    inside.ward.ask("POST", f"{PATH}/{made['id']}/test", expect=200)

    (delivery,) = deliveries(inside, made["id"])
    assert delivery["type"] == "forewarn.test"
    shown = inside.ward.get(f"/v1/deliveries/{delivery['id']}")
    assert shown["message"]["data"]["endpoint_id"] == made["id"]


# Held


def test_a_held_endpoint_says_why_and_is_enabled_by_a_person(inside: Inside) -> None:
    made = registered(inside)
    inside.ward.submit()
    deliveries(inside, made["id"])
    hold(inside, made["id"])

    held = read(inside, made["id"])
    assert (held["status"], held["held_because"], held["failing_since"]) == (
        "held",
        "gone",
        "2026-03-02T10:00:00.000000Z",
    )
    assert [one["id"] for one in inside.ward.get(PATH, status="held")["items"]] == [made["id"]]
    problem = inside.ward.post(f"{PATH}/{made['id']}/test", {}, expect=409)
    assert problem["type"].endswith("endpoint-held")
    (delivery,) = deliveries(inside, made["id"])
    inside.ward.post(f"/v1/deliveries/{delivery['id']}/replay", {}, expect=409)

    enabled = inside.ward.post(f"{PATH}/{made['id']}/enable", {})

    assert (enabled["status"], "held_because" in enabled) == ("active", False)
    assert [one["status"] for one in deliveries(inside, made["id"])] == ["pending"]
    assert inside.ward.post(f"{PATH}/{made['id']}/enable", {})["version"] == enabled["version"]


def test_what_was_held_since_a_day_is_sent_again(inside: Inside) -> None:
    made = registered(inside)
    inside.ward.submit()
    deliveries(inside, made["id"])
    hold(inside, made["id"])

    recovered = inside.ward.post(f"{PATH}/{made['id']}/recover", {"since": "2026-03-02"})

    assert recovered["status"] == "active"
    assert [one["status"] for one in deliveries(inside, made["id"])] == ["pending"]
    assert pointers(inside.ward.post(f"{PATH}/{made['id']}/recover", {}, expect=422)) == {"/since"}
    inside.ward.post(f"{PATH}/whe_none/recover", {"since": "2026-03-02"}, expect=404)


def test_one_delivery_is_sent_again_under_its_id(inside: Inside) -> None:
    made = registered(inside)
    inside.ward.submit()
    (delivery,) = deliveries(inside, made["id"])

    again = inside.ward.ask("POST", f"/v1/deliveries/{delivery['id']}/replay", expect=200)

    assert (again["id"], again["status"]) == (delivery["id"], "pending")


# Types


def test_every_type_is_listed_with_an_example(inside: Inside) -> None:
    items = inside.ward.get("/v1/event-types")["items"]

    assert [one["type"] for one in items] == list(TYPES)
    assert all(one["example"]["type"] == one["type"] for one in items)
    urgent = {one["type"] for one in items if one["urgent"]}
    assert urgent == {one for one in TYPES if one.startswith("escalation.") or one.endswith(".overdue")}
    registered(inside, event_types=list(TYPES))


def test_a_key_needs_the_scope_of_webhooks(inside: Inside) -> None:
    reader = inside.holding("near-misses:read", "audit:read")

    reader.get(PATH, expect=403)
    reader.get("/v1/event-types", expect=403)
    reader.post(PATH, WANTED, expect=403)
    inside.holding("webhooks:manage").post(PATH, WANTED, expect=201)
