"""Requests that nobody thought of, made from openapi.yaml: the service never fails and answers as it says.

Takes a quarter of a minute, nearly all of it for making the requests.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from app.database.migrate import upgrade
from app.main import create_app
from tests.care import dose
from tests.journeys.boardroom import opened as governed
from tests.journeys.inside import Inside, opened
from tests.journeys.packs import packed
from tests.journeys.test_signals import rising
from tests.journeys.ward import ACTION
from tests.rounds import rounds

SCHEMA = schemathesis.openapi.from_dict(create_app().openapi())
OPERATIONS = {found.definition.raw["operationId"]: found for found in (one.ok() for one in SCHEMA.get_all_operations())}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
UNFIT = {"stream_ledger": [response_schema_conformance]}
"""It would hold each event against the schema of the whole text."""


@dataclass(frozen=True)
class Service:
    """The application with one review open, an action agreed in it, and the ids that its paths can name."""

    client: TestClient
    headers: Mapping[str, str]
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    url = f"sqlite:///{tmp_path_factory.mktemp('generated') / 'forewarn.db'}"
    upgrade(url)
    with opened(url) as inside:
        near_misses = [inside.ward.submit() for _ in range(3)]
        escalation = inside.ward.escalation(near_misses[2]["escalation_ids"][0])
        review = inside.ward.review(escalation["review_id"], "actions", ACTION)
        ids = {
            "action_id": review["actions"][0]["id"],
            "near_miss_id": near_misses[0]["id"],
            "intake_record_id": inside.ward.post("/v1/events", dose("d-1"), expect=202)["intake_record_id"],
            "escalation_id": escalation["id"],
            "review_id": escalation["review_id"],
            "service_id": "willow-house",
            "source": "emar:willow/ground",
            "proposal_id": proposal_of(inside),
            "signal_id": signal_of(inside),
            "governance_review_id": governed(inside.ward)["id"],
            "evidence_pack_id": packed(inside).document["id"],
            **ids_of_endpoints(inside),
            "name": "alayacare-visit",
        }
        yield Service(inside.client, inside.ward.headers, ids)


def proposal_of(inside: Inside) -> str:
    """Of two records that look like one occurrence, of a source that is expected to speak."""
    inside.ward.put("/v1/sources/emar:willow/ground", {"expected_every": "P1D"})
    for source in ("emar:willow/ground", "rota"):
        inside.ward.submit(source=source, source_event_id="e-1", service_id="elm-lodge", person_ref="resident-31")
    return inside.ward.get("/v1/duplicate-proposals")["items"][0]["id"]


def signal_of(inside: Inside) -> str:
    """Of a frequency that rises below the threshold."""
    rising(inside, service_id="yew-house")
    return inside.ward.get("/v1/signals")["items"][0]["id"]


def ids_of_endpoints(inside: Inside) -> dict[str, str]:
    """Of an endpoint that nobody can reach, and of what it is owed."""
    wanted = {"url": "https://hooks.invalid/", "event_types": ["near_miss.recorded"]}
    made = inside.ward.post("/v1/webhook-endpoints", wanted, expect=201)["id"]
    inside.ward.submit()
    (delivery,) = inside.ward.get(f"/v1/webhook-endpoints/{made}/deliveries")["items"]
    return {"endpoint_id": made, "delivery_id": delivery["id"]}


def until_the_end(parameters: Mapping[str, object]) -> dict[str, object]:
    """The same of a stream that would else go on for ever."""
    goes_on = str(parameters.get("follow", "true")).lower() in {"true", "t", "yes", "y", "on", "1"}
    return {**parameters, "follow": "false"} if goes_on else dict(parameters)


PUBLIC = {"livez", "readyz", "metrics", "read_signing_keys"}
KINDS = [(name, mode) for name in OPERATIONS for mode in GenerationMode if name not in PUBLIC or mode.is_positive]


@pytest.mark.soak
@pytest.mark.parametrize(("name", "mode"), KINDS, ids=lambda part: getattr(part, "value", part))
def test_a_generated_request_is_answered_as_described(name: str, mode: GenerationMode, service: Service) -> None:
    operation = OPERATIONS[name]
    named = {one.name: service.ids[one.name] for one in operation.path_parameters}

    @settings(
        max_examples=rounds(100, few=2),
        phases=[Phase.generate],  # What fails is told as it was sent: making it smaller would take minutes.
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(mode, path_parameters=named or None))
    def ask(case: Case) -> None:
        request = case.as_transport_kwargs(base_url=str(service.client.base_url), headers=dict(service.headers))
        sent = {known: request[known] for known in ("method", "url", "params", "json") if known in request}
        if name == "stream_ledger":
            sent["params"] = until_the_end(sent.get("params", {}))
        headers = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in request["headers"].items()]

        response = service.client.request(**sent, headers=headers, content=request.get("data"))

        case.validate_response(response, checks=CHECKS, excluded_checks=UNFIT.get(name))

    ask()
