"""What a client reads when something is refused."""

import json
from typing import Annotated, Any, Literal

import pytest
from fastapi import APIRouter, FastAPI, Query
from fastapi.testclient import TestClient

from app.api import problems
from app.domain.decider import Fault, Gate, GateNotMet, Invalid, NotFound, Refused

CODES_OF_THE_CONTRACT = {
    "validation": 422,
    "malformed-json": 400,
    "malformed-request": 400,
    "body-too-large": 413,
    "unsupported-media-type": 415,
    "unauthorized": 401,
    "forbidden": 403,
    "not-found": 404,
    "gate-not-met": 409,
    "source-event-conflict": 409,
    "idempotency-key-reused": 422,
    "idempotency-in-flight": 409,
    "precondition-failed": 412,
    "method-not-allowed": 405,
    "rate-limited": 429,
    "unavailable": 503,
}


class DoorJammed(Refused):
    code = "door-jammed"


def body(response: Any) -> Any:
    return json.loads(response.body)


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    router = APIRouter(prefix="/doors")

    @router.get("/{name}")
    def look(name: str, limit: int = Query(10, ge=1, le=200)) -> dict[str, int]:
        if name == "missing":
            raise NotFound("Look for it in the list of doors.")
        if name == "broken":
            raise RuntimeError("secret of the house")
        return {"limit": limit}

    @router.put("/{name}")
    def paint(name: str) -> None:
        raise Invalid(Fault("/colour", "missing", "Give a colour."))

    @router.get("/{name}/parts")
    def parts(
        name: str,
        size: int,
        limit: Annotated[int, Query(ge=1, le=200)] = 10,
        word: Annotated[str | None, Query(min_length=1, max_length=8)] = None,
        whole: bool = False,
        kind: Literal["door", "window"] = "door",
    ) -> None: ...

    app.include_router(router)
    problems.install(app)
    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize("code", CODES_OF_THE_CONTRACT)
def test_every_code_of_the_contract_has_its_status_and_a_type_that_ends_in_it(code: str) -> None:
    response = problems.problem(code, "Do this.")

    told = body(response)
    assert response.status_code == told["status"] == CODES_OF_THE_CONTRACT[code]
    assert response.media_type == "application/problem+json"
    assert told["type"].endswith(code)
    assert set(told) == {"type", "title", "status", "detail", "instance"}


def test_a_busy_service_says_when_to_come_back() -> None:
    assert problems.problem("unavailable", "Wait.").headers["Retry-After"] == "1"
    assert problems.problem("unavailable", "Wait.", headers={"Retry-After": "30"}).headers["Retry-After"] == "30"


def test_an_invalid_request_names_every_fault_but_never_more_than_fifty() -> None:
    one = body(problems.from_refusal(Invalid(Fault("/a", "missing", "Give it."))))
    many = body(problems.from_refusal(Invalid(*(Fault(f"/{n}", "missing", "Give it.") for n in range(51)))))

    assert one["errors"] == [{"pointer": "/a", "code": "missing", "detail": "Give it."}]
    assert len(many["errors"]) == 50


def test_a_closure_that_misses_conditions_names_them_with_their_ids() -> None:
    refusal = GateNotMet(Gate("not_mapped", "Map them.", ("nm-1", "nm-2")), Gate("no_system_cause", "Name one."))

    told = body(problems.from_refusal(refusal))

    assert told["status"] == 409
    assert told["gates"] == [
        {"code": "not_mapped", "detail": "Map them.", "ids": ["nm-1", "nm-2"]},
        {"code": "no_system_cause", "detail": "Name one.", "ids": []},
    ]


def test_a_refusal_with_a_code_of_its_own_is_a_gate_of_that_code() -> None:
    told = body(problems.from_refusal(DoorJammed("Oil it.")))

    assert told["type"].endswith("gate-not-met")
    assert told["detail"] == "Oil it."
    assert told["gates"] == [{"code": "door-jammed", "detail": "Oil it.", "ids": []}]


def test_two_problems_are_two_instances() -> None:
    first, second = (body(problems.problem("not-found", "Look."))["instance"] for _ in range(2))

    assert first.startswith("urn:uuid:")
    assert first != second


def test_a_refusal_leaves_the_application_as_a_problem(client: TestClient) -> None:
    response = client.get("/doors/missing")

    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["detail"] == "Look for it in the list of doors."


@pytest.mark.parametrize("path", ["/nowhere/Zanzibar", "/%c0%ae%c0%ae"])
def test_a_path_without_a_route_is_a_problem_that_does_not_repeat_it(client: TestClient, path: str) -> None:
    response = client.get(path)

    assert response.status_code == 404
    assert response.json()["type"].endswith("not-found")
    assert "Zanzibar" not in response.text


def test_a_method_that_is_not_allowed_names_those_of_every_route_on_the_path(client: TestClient) -> None:
    response = client.delete("/doors/front")

    assert response.status_code == 405
    assert response.json()["type"].endswith("method-not-allowed")
    assert response.headers["allow"] == "GET, PUT"


def test_a_parameter_out_of_range_is_named_and_not_repeated(client: TestClient) -> None:
    response = client.get("/doors/front", params={"limit": "1000000007"})

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/query/limit"
    assert "1000000007" not in response.text


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({}, ("/query/size", "missing", "Give this parameter: it is needed here.")),
        ({"size": "all"}, ("/query/size", "int-parsing", "Give a whole number.")),
        ({"size": "1.5"}, ("/query/size", "int-parsing", "Give a whole number.")),
        ({"size": 1, "limit": "0"}, ("/query/limit", "greater-than-equal", "Give 1 or more.")),
        ({"size": 1, "limit": "201"}, ("/query/limit", "less-than-equal", "Give 200 or less.")),
        ({"size": 1, "word": "x" * 9}, ("/query/word", "string-too-long", "Give at most 8 characters.")),
        ({"size": 1, "word": ""}, ("/query/word", "string-too-short", "Give at least 1 characters.")),
        ({"size": 1, "whole": "perhaps"}, ("/query/whole", "bool-parsing", "Give true or false.")),
        ({"size": 1, "kind": "blue"}, ("/query/kind", "literal-error", "Use 'door' or 'window'.")),
    ],
)
def test_a_parameter_of_another_type_is_told_what_to_give(
    client: TestClient, asked: dict[str, Any], fault: tuple[str, str, str]
) -> None:
    response = client.get("/doors/front/parts", params=asked)

    assert response.status_code == 422
    assert [tuple(one.values()) for one in response.json()["errors"]] == [fault]


def test_a_failure_says_that_the_connection_ends_with_it(client: TestClient) -> None:
    assert client.get("/doors/broken").headers["connection"] == "close"


def test_a_failure_of_the_service_leaks_nothing(client: TestClient) -> None:
    response = client.get("/doors/broken")

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text
    assert "RuntimeError" not in response.text
