"""Hostile, odd and awkward requests against the real service: refused by name, or taken when they are right.

Whatever came, the process stays up, its memory comes back, its log shows no traceback, and no refusal repeats what
was sent. Cases of routes that the application does not have yet are skipped by its own OpenAPI document.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from app.database.migrate import upgrade
from app.operations.house import House
from app.settings import Settings
from tests.cases import load
from tests.conftest import DATABASES
from tests.journeys import hostile
from tests.journeys.hostile import CLOSED, Placeholders, Reply, Request
from tests.journeys.inside import given_key
from tests.journeys.ward import LINK, Ward
from tests.service import API_KEY, MASTER_KEY, RunningService, running_service

DOCUMENT = load("bad_inputs.json")
CASES = DOCUMENT["cases"]
UNDERSTOOD = {
    *("id", "group", "name", "why", "method", "path", "auth", "headers", "body", "raw_http", "expected_status"),
    *("expected_problem", "item_status", "pointer", "server_level", "no_other", "operation_outcome", "empty"),
}
MOST_SECONDS = 2.0
MOST_MEMORY = 32 * 1024 * 1024
SHORTEST_ECHO = 4
"""Characters from which on a value in an answer can only have come from the request."""

CODES = {
    400: {"malformed-json", "malformed-request"},
    401: {"unauthorized"},
    403: {"forbidden"},
    404: {"not-found"},
    409: {"gate-not-met", "source-event-conflict", "idempotency-in-flight"},
    412: {"precondition-failed"},
    413: {"body-too-large"},
    415: {"unsupported-media-type"},
    422: {"validation", "idempotency-key-reused"},
    429: {"rate-limited"},
}
"""What `design/api.md` lists for each status; other statuses may have codes of their own."""

POINTER = re.compile(r'"pointer":"[^"]*"')
"""Where a fault is, which may be called as something else in the body is."""
INSIDES = re.compile(
    r"\.py\b|Traceback|site-packages|/app/|sqlalchemy|psycopg|sqlite|pydantic|starlette|fastapi|uvicorn|msgspec"
    r"|\bSELECT\b|\bINSERT\b|\bFROM\s+\w+\s+WHERE\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Besieged:
    """The service under test, what the cases may refer to, and how much memory it had before them."""

    service: RunningService
    keys: Mapping[str, str]
    known: Mapping[str, str]
    paths: list[str]
    others: list[str]
    policy: dict[str, Any]
    memory: int | None

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.service.base_url)
        return parts.hostname or "", parts.port or 0

    def has_route(self, path: str) -> bool:
        plain = path.split("?", 1)[0]
        return any(re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), plain) for template in self.paths)


@pytest.fixture(scope="module", params=DATABASES)
def besieged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    directory = tmp_path_factory.mktemp("besieged")
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{directory / 'forewarn.db'}"
        else:
            server = request.getfixturevalue("postgresql")
            url = server.create()
            stack.callback(server.drop, url)
        given, other_key = given_keys(url)
        environment = {"FOREWARN_WEBHOOK_ALLOW_NETWORKS": "127.77.0.0/16"}
        service = stack.enter_context(running_service(url, directory, environment=environment))
        client = stack.enter_context(service.client())
        others = stack.enter_context(service.client(other_key))
        yield besieged_service(service, given, client, others)


def given_keys(url: str) -> tuple[dict[str, str], str]:
    """What `auth` names → key of the first organisation; and an admin key of another one."""
    upgrade(url)
    house = House(Settings(database_url=url, master_key=MASTER_KEY))
    house.start()
    house.open_organisation("default", "default", API_KEY)
    other = house.open_organisation("other", "other")
    assert other is not None
    given = {"full": API_KEY}
    for scope in sorted({case["auth"] for case in CASES if "auth" in case} - {"full", "absent"}):
        given[scope] = given_key(house, scope).secret
    house.close()
    return given, other.secret


def besieged_service(
    service: RunningService, given: dict[str, str], client: httpx2.Client, others: httpx2.Client
) -> Besieged:
    ward, other = Ward(client), Ward(others)
    valid = Placeholders({}).fill(DOCUMENT["valid_body"])
    mine = [ward.post("/v1/near-misses", valid, expect=201)["id"] for _ in range(2)]
    ward.put(f"/v1/near-misses/{mine[0]}/workflow-link", LINK)
    theirs = [other.post("/v1/near-misses", valid, expect=201)["id"] for _ in range(3)]
    ward.ask("POST", "/v1/near-misses", valid, expect=201, **{"Idempotency-Key": "used-before"})
    policy = ward.get("/v1/policy")
    taken = set(client.get("/openapi.json").json()["components"]["schemas"]["PolicyDocument"]["properties"])
    known = {
        "OWN_ID": mine[0],
        "OWN_UNLINKED_ID": mine[1],
        "ID_OF_B": theirs[0],
        "CURSOR_OF_B": other.get("/v1/near-misses", limit=1)["next_cursor"],
        "REUSED": "used-before",
        "HOST": urlsplit(service.base_url).netloc,
        "KEY": f"Bearer {API_KEY}",
        "KEYVAL": API_KEY,
        "LEN": str(len(hostile.dumped(valid))),
        "BODY": hostile.dumped(valid).decode(),
    }
    return Besieged(
        service,
        given,
        known,
        list(client.get("/openapi.json").json()["paths"]),
        theirs,
        {name: value for name, value in policy.items() if name in taken},
        resident(service),
    )


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']} {case['name']}"[:60] for case in CASES])
def test_a_request_is_answered_as_the_cases_say(besieged: Besieged, case: dict[str, Any]) -> None:
    assert set(case) <= UNDERSTOOD
    if not besieged.has_route(case["path"]) and case.get("expected_problem") != "not-found":
        pytest.skip("route of a later issue")
    fill = Placeholders(besieged.known).fill
    valid = fill(DOCUMENT["valid_body"])

    worked_before = worked(besieged.service)
    sent, reply = asked(besieged, fill(case), valid)

    worked_for = worked(besieged.service) - worked_before
    assert reply.seconds < MOST_SECONDS or 0 < worked_for < MOST_SECONDS  # On a busy machine others take their share.
    if case["expected_status"]:
        assert reply.status in case["expected_status"], reply.body[:500]
    else:
        assert reply.status == CLOSED or 400 <= reply.status < 500
    told_well(case, reply, sent)
    still_stands(besieged)
    if "item_status" in case:
        assert [item["status"] for item in reply.document["items"]] == case["item_status"]
    if "pointer" in case:
        assert any(case["pointer"] in error["pointer"].split("/") for error in reply.document["errors"])
    if case.get("empty") and reply.status == httpx2.codes.OK:
        assert reply.document["items"] == []
    if case.get("no_other"):
        assert not any(one.encode() in reply.body for one in besieged.others)
    if case.get("operation_outcome"):
        assert reply.document["resourceType"] == "OperationOutcome"


def asked(besieged: Besieged, case: dict[str, Any], valid: dict[str, Any]) -> tuple[list[str], Reply]:
    """The texts that the body held, and the reply."""
    if "raw_http" in case:
        raw, closing, _ = case["raw_http"].partition("@CLOSE")
        pieces = [raw.encode("utf-8", "surrogateescape")]
        return [], hostile.exchange(besieged.address, pieces, case["method"], half_close=bool(closing))
    said = case.get("body")
    pieces = hostile.body_of(said, valid, lambda: besieged.policy) if said else []
    headers = list(hostile.header_lines(case.get("headers", {})))
    if (auth := case.get("auth", "absent")) != "absent":
        headers.append(("Authorization", f"Bearer {besieged.keys[auth]}"))
    chunked = said is not None and said.get("what") == "chunked_stream"
    request = Request(case["method"], case["path"], headers, pieces, chunked)
    return texts_of(b"".join(pieces)), hostile.send(besieged.address, request)


def texts_of(body: bytes) -> list[str]:
    """Every string value of a JSON body that is long enough to be told from the answer's own words."""

    def within(value: Any) -> Iterator[str]:
        match value:
            case str() if len(value) >= SHORTEST_ECHO:
                yield value
            case dict():
                for item in value.values():
                    yield from within(item)
            case list():
                for item in value:
                    yield from within(item)
            case _:
                pass

    try:
        return list(dict.fromkeys(within(json.loads(body))))
    except ValueError:
        return []


def told_well(case: dict[str, Any], reply: Reply, sent: list[str]) -> None:
    """A refusal is a problem of a code that the contract has for its status, and repeats nothing."""
    answer = reply.body.decode("utf-8", "replace")
    assert not INSIDES.search(answer) or reply.status < 400
    if not 400 <= reply.status < 500:
        return
    below_the_application = "raw_http" in case or case.get("server_level")
    if below_the_application and reply.headers.get("content-type") != "application/problem+json":
        return
    words = POINTER.sub("", answer)
    assert [text for text in sent if text in words] == []
    if case.get("operation_outcome"):
        assert reply.headers["content-type"].startswith("application/fhir+json")
        return
    assert reply.headers["content-type"].startswith("application/problem+json")
    problem = reply.document
    code = re.split("[:/]", problem["type"])[-1]
    assert problem["title"]
    assert problem["status"] == reply.status
    assert code in CODES.get(reply.status, {code})
    if "expected_problem" in case and not below_the_application:
        assert code == case["expected_problem"]


def still_stands(besieged: Besieged) -> None:
    """The process is up, quiet, and as small as before."""
    assert besieged.service.process.poll() is None
    assert "Traceback" not in besieged.service.log
    now = resident(besieged.service)
    if besieged.memory is not None and now is not None:
        assert now - besieged.memory <= MOST_MEMORY


def worked(service: RunningService) -> float:
    """Seconds of work that the process has done; 0 where the system does not say."""
    stat = Path(f"/proc/{service.process.pid}/stat")
    if not stat.exists():
        return 0.0
    user, system = stat.read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def resident(service: RunningService) -> int | None:
    """Bytes of memory that the process holds; None where the system does not say."""
    status = Path(f"/proc/{service.process.pid}/status")
    if not status.exists():
        return None
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else None


def test_a_body_without_end_is_refused_while_it_streams(besieged: Besieged) -> None:
    headers = [("Authorization", f"Bearer {API_KEY}"), ("Content-Type", "application/json")]
    pieces = [b" " * 65536] * 1600

    reply = hostile.send(besieged.address, Request("POST", "/v1/near-misses", headers, pieces, is_chunked=True))

    assert reply.status in {413, CLOSED}
    still_stands(besieged)


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(besieged: Besieged) -> None:
    head = (
        "POST /v1/near-misses HTTP/1.1\r\nHost: ward\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {API_KEY}\r\nContent-Length: 99999999999\r\n\r\n"
    )

    reply = hostile.exchange(besieged.address, [head.encode()], "POST")

    assert reply.status == 413
    assert reply.seconds < MOST_SECONDS
    still_stands(besieged)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/near-misses?service_id=a%00b",
        "/v1/near-misses?escalation_id=%00",
        "/v1/near-misses?occurred_from=2026-03-02T10:00:00%00Z",
        "/v1/near-misses?%00=1",
        "/v1/near-misses/%00/history",
        "/v1/escalations?service_id=%00",
        "/v1/escalations/%00",
        "/v1/reviews/%00",
        "/v1/services/%00",
        "/v1/windows?rule_id=similar&service_id=%00",
        "/v1/heatmaps/workflow?service_id=%00",
        "/v1/heatmaps/workflow/cells?row=%00",
    ],
)
def test_nothing_is_looked_for_that_has_nul_in_its_name(besieged: Besieged, path: str) -> None:
    headers = [("Authorization", f"Bearer {API_KEY}")]

    reply = hostile.send(besieged.address, Request("GET", path, headers, []))

    assert reply.status == 422
    told_well({"expected_problem": "validation"}, reply, [])
    still_stands(besieged)
