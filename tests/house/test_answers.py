"""Every answer is what openapi.yaml says it is: a year of use in a minute, each answer held against the document."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import jsonschema_rs
import pytest

from app.main import create_app
from app.operations import endpoints
from app.operations.checkpoints import taking
from app.operations.house import SYSTEM
from app.operations.job import Command
from app.operations.signing_keys import rotate, signing_key
from tests.care import dose, reported, visit
from tests.journeys.boardroom import ASSESSMENT, MINUTES, OPENING, PATH, SUMMARY
from tests.journeys.boardroom import closed as conclude
from tests.journeys.boardroom import opened as governed
from tests.journeys.boardroom import step as governs
from tests.journeys.inside import Inside, opened
from tests.journeys.listening import feed
from tests.journeys.packs import PATH as PACKS
from tests.journeys.packs import PERIOD, packed
from tests.journeys.test_signals import rising
from tests.journeys.ward import Ward
from tools import asyncapi

DOCUMENT: dict[str, Any] = create_app().openapi()
PATHS: dict[str, Any] = DOCUMENT["paths"]
PROBLEM = "application/problem+json"

SERVICE = {
    "name": "Willow House",
    "service_type": "care_home",
    "regulator_location_id": "1-1000000001",
    "time_zone": "Europe/London",
    "aliases": ["WILLOW-01"],
    "localities": [{"locality": "north", "from": "2024-04-01"}],
    "role_holders": [{"role": "manager", "ref": "manager-2", "from": "2025-01-06", "to": "2027-01-06"}],
}
REPORT = {
    "source": "emar",
    "source_event_id": "e-1",
    "occurred_at": "2026-03-01T20:10:00+00:00",
    "discovered_at": "2026-03-01T20:20:00+00:00",
    "scheduled_at": "2026-03-01T20:00:00+00:00",
    "service_id": "WILLOW-01",
    "incident_type": "medication",
    "deviation": "omitted",
    "classification": "near_miss",
    "contributing_factors": ["workload"],
    "staff_involved": [{"ref": "staff-7", "role": "senior carer"}],
    "person_ref": "resident-31",
    "shift": {"id": "s-1", "starts_at": "2026-03-01T20:00:00Z", "ends_at": "2026-03-02T08:00:00Z"},
    "recovery_barrier": "colleague",
    "potential_harm": "moderate",
    "reported_frequency": "occasional",
    "narrative": "The night carer saw that the evening dose was not signed for.",
    "attributes": {"unit": "ground floor", "doses_in_round": 14},
}
LINK = {
    "stage_affected": "administer",
    "stage_allowed": "handover",
    "stage_allowed_basis": "probable",
    "system_used": "eMAR",
    "deviation_from_plan": "Offered 40 minutes late.",
    "corrective_action": "The handover names every time-critical dose.",
    "mapped_against": {
        "scheduling": {"planned": "2026-03-01T20:00:00Z", "actual": "2026-03-01T20:40:00Z", "note": "Late."},
        "staff_allocation": {"planned": 3, "actual": 2},
        "travel_time": {"status": "not_applicable"},
    },
}
POLICY = {
    "rules": [
        {
            "id": "similar",
            "name": "Similar near misses in one service",
            "match": {"incident_type": ["medication", "visit"]},
            "group_by": ["service_id", "incident_type", "deviation"],
            "threshold": 3,
            "window": "P14D",
            "missing_key": "group",
            "cooldown": "P1D",
            "ladder": {"steps": [{"to": ["manager"], "timeout": "P1D"}], "ack_remind": "PT1H"},
        }
    ],
    "time_zone": "Europe/London",
    "shifts": {"*": [{"bracket": "day", "from": "07:00", "to": "19:00"}]},
    "reason": "Agreed with the registered managers.",
}


@dataclass(frozen=True)
class Heard:
    """An answer, and the operation that gave it."""

    operation: str
    status: int
    response: httpx2.Response
    faults: tuple[str, ...]


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[Heard]:
    """Every answer of one provider's use of every route, held against the document as it came."""
    from app.database.migrate import upgrade

    url = f"sqlite:///{tmp_path_factory.mktemp('answers') / 'forewarn.db'}"
    upgrade(url)
    answers: list[Heard] = []

    def listen(response: httpx2.Response) -> None:
        response.read()
        if (found := operation_of(response.request)) is not None:
            name, operation = found
            answers.append(Heard(name, response.status_code, response, tuple(faults(operation, response))))

    with opened(url) as inside:
        inside.client.event_hooks = {"response": [listen]}
        use_every_route(inside)
    return answers


def use_every_route(inside: Inside) -> None:
    """From the first registration to a review that was closed, with the mistakes that people make on the way."""
    ward = inside.ward
    ward.put("/v1/services/willow-house", SERVICE)
    ward.get("/v1/services/willow-house")
    ward.get("/v1/services/elm-house", expect=404)
    ward.submit(source="emar", source_event_id="e-0", workflow_link=LINK)
    ward.get("/v1/policy/versions")
    ward.put("/v1/policy", POLICY)
    ward.put("/v1/policy", {"rules": [{"id": ""}]}, expect=422)
    ward.get("/v1/policy")
    ward.get("/v1/policy/versions", limit=1)
    ward.put("/v1/taxonomy", {"deviations": [{"code": "nearly", "label": "Nearly", "incident_type": "medication"}]})
    ward.put("/v1/taxonomy", {"deviations": [{"code": "nearly", "incident_type": "medication", "retired": True}]})
    ward.get("/v1/taxonomy")
    ward.put("/v1/recognition", {"visit_window": "PT20M", "dose_statuses": {"skipped": "not_delivered"}})
    ward.put("/v1/recognition", {"visit_window": "P1M"}, expect=422)
    ward.get("/v1/recognition")
    ward.get("/v1/recognition/versions", limit=1)
    ward.put("/v1/services/elm-house", {"name": "Elm House", "service_type": "home_care"})
    ward.get("/v1/services", limit=1)

    first = ward.post("/v1/near-misses", REPORT, expect=201)["id"]
    ward.post("/v1/near-misses", REPORT, expect=200)
    ward.post("/v1/near-misses", {**REPORT, "narrative": "Otherwise."}, expect=409)
    ward.post("/v1/near-misses", {}, expect=422)
    for _ in range(2):
        ward.ask(
            "POST", "/v1/near-misses", {**REPORT, "source_event_id": "e-2"}, expect=201, **{"Idempotency-Key": "k"}
        )
    ward.ask("POST", "/v1/near-misses", REPORT, expect=422, **{"Idempotency-Key": "k"})
    date_only = {**REPORT, "source_event_id": "e-3", "occurred_at": "2026-03-01", "service_id": "oak-house"}
    batch = {"items": [{**REPORT, "source_event_id": "e-4"}, {"occurred_at": 0}, date_only]}
    third, _, elsewhere = (
        one.get("near_miss") for one in ward.post("/v1/near-misses:batch", batch, expect=207)["items"]
    )
    assert third["escalation_ids"]
    ward.correct(first, deviation="late", person_ref=None)
    ward.correct(first, deviation="omitted")
    ward.mark_duplicate(elsewhere["id"], third["id"])
    ward.get(f"/v1/near-misses/{elsewhere['id']}")
    ward.get(f"/v1/near-misses/{third['id']}")
    ward.withdraw(ward.submit(deviation="extra")["id"])
    ward.post(f"/v1/near-misses/{first}/closure", {"outcome": "Resolved."}, expect=409)
    alone = ward.submit(deviation="wrong_dose", staff_involved=[], staff_not_known_reason="An agency shift.")["id"]
    ward.post(f"/v1/near-misses/{alone}/closure", {"outcome": "Resolved."}, expect=409)
    ward.put(f"/v1/near-misses/{alone}/workflow-link", LINK)
    ward.get(f"/v1/near-misses/{alone}/workflow-link/suggestions")
    ward.post(f"/v1/near-misses/{alone}/closure", {"outcome": "Resolved."})
    ward.post(f"/v1/near-misses/{first}/details", {"narrative": "More."}, expect=409)
    ward.get(f"/v1/near-misses/{first}/history")
    ward.get("/v1/near-misses", limit=1)
    ward.get("/v1/near-misses", status="lost", expect=422)

    key = {"service_id": "willow-house", "incident_type": "medication", "deviation": "omitted"}
    ward.get("/v1/windows", rule_id="similar", **key)
    ward.get("/v1/windows/explain", rule_id="similar", **key)
    ward.get("/v1/windows/explain", rule_id="similar", **{**key, "deviation": "late"})
    ward.get("/v1/windows", rule_id="none", expect=422)
    ward.get("/v1/workflow/plan-deviations", group_by="service_id")
    ward.get("/v1/workflow/plan-deviations", group_by="weather", expect=422)

    escalation = ward.escalation(third["escalation_ids"][0])
    ward.escalation("esc_none", expect=404)
    ward.get("/v1/escalations", limit=1)
    ask_for_an_escalation(ward, escalation)
    review = escalation["review_id"]
    members = [one["near_miss_id"] for one in escalation["members"] if one["kind"] == "member"]
    ward.review(review, "closure", {"code": "action_agreed", "summary": "Done."}, expect=409)
    ward.review(review, "start", {})
    ward.ask("POST", f"/v1/reviews/{review}/start", {}, expect=412, **{"If-Match": '"1"'})
    ward.review(review, "causes", {"causes": [{"code": "rota_pressure", "kind": "system", "note": "One senior."}]})
    ward.review(review, "system-risk", {"determination": "system_risk", "rationale": "The same handover."})
    concern = {"to": "The local authority", "reference": "LA-1", "at": "2026-03-02T09:30:00Z"}
    ward.review(review, "safeguarding", {"considered": True, "concern_raised": concern, "note": "One person."})
    ward.review(review, "workflow-links", {"near_miss_ids": members, "link": LINK})
    for due in ("2026-04-01", "2026-04-01", "2026-02-01"):
        ward.review(review, "actions", {"description": "A new sheet.", "owner": "manager-2", "due": due})
    ward.review(review, "countersignature", {"rationale": "Agreed."})
    ward.review(review, "closure", {"code": "action_agreed", "summary": "Done."})
    agreed, cancelled, late = (one["id"] for one in ward.get(f"/v1/reviews/{review}")["actions"])
    ward.post(f"/v1/actions/{cancelled}/cancellation", {"reason": "The eMAR asks for it now."})
    ward.post(f"/v1/actions/{agreed}/progress", {"note": "Half of it is done."})
    check = {"method": "audit", "result": "All were named.", "by": "deputy-1", "at": "2026-03-02T09:45:00Z"}
    ward.post(f"/v1/actions/{agreed}/effectiveness-check", check, expect=409)
    completion = {"effective_from": "2026-03-02", "evidence": "The sheet, signed by both shifts."}
    ward.post(f"/v1/actions/{agreed}/completion", completion)
    ward.post(f"/v1/actions/{agreed}/progress", {"note": "More."}, expect=409)
    ward.post(f"/v1/actions/{agreed}/effectiveness-check", check)
    ward.get(f"/v1/actions/{agreed}")
    ward.get(f"/v1/actions/{agreed}/outcome")
    ward.get("/v1/actions/act_none/outcome", expect=404)
    ward.get("/v1/actions/act_none", expect=404)
    ward.get("/v1/actions", limit=1)
    ward.get("/v1/actions", overdue=True)
    ward.post(f"/v1/actions/{late}/completion", completion)
    ward.get(f"/v1/actions/{late}")
    ward.get(f"/v1/actions/{late}/outcome")
    ward.get("/v1/notices", limit=1)
    ward.get("/v1/notices", to="manager-2")
    ward.get(f"/v1/reviews/{review}")
    ward.get(f"/v1/reviews/{review}", as_of=1, expect=404)
    ward.get("/v1/reviews", limit=1)
    ward.escalation(escalation["id"])
    ward.near_miss(first)
    audit(ward, {"near-misses": first, "escalations": escalation["id"], "reviews": review, "actions": agreed})
    ward.review(review, "reopening", {"reason": "A fourth report shows another stage."})
    ward.review(review, "closure", {"code": "not_a_pattern", "summary": "Done."}, expect=409)

    try_policies(inside)
    ward.get("/v1/heatmaps/workflow", rows="stage_allowed", columns="shift_bracket")
    ward.get(
        "/v1/heatmaps/workflow/cells", rows="stage_allowed", columns="weekday", row="handover", column="sun", limit=1
    )
    ward.get("/v1/heatmaps/workflow", rows="moon", expect=422)
    ward.get("/v1/assurance")
    ward.get("/v1/assurance", **{"from": "2026-03-01", "to": "2026-04-01"}, service_id="WILLOW-01")
    ward.get("/v1/assurance", **{"from": "2026-03-02", "to": "2026-03-01"}, expect=422)
    days = {"from": "2026-03-01", "to": "2026-03-03"}
    ward.put("/v1/denominators", {"items": [{"service_id": "WILLOW-01", "date": "2026-03-01", "resident_days": 30}]})
    ward.get("/v1/heatmaps/workflow", rows="service_id", columns="hour", **days)
    ward.get("/v1/heatmaps/workflow", rows="month", columns="weekday", **{**days, "to": "2026-02-01"}, expect=422)
    inside.client.get("/v1/heatmaps/workflow.svg", headers=ward.headers)
    leader = inside.holding("governance:act")
    leader.get("/v1/heatmaps/workflow")
    leader.get("/v1/heatmaps/workflow/cells", expect=403)

    look_at_trends(inside)

    send_events(inside)
    have_others_told(inside)
    send_as_vendors_do(ward)
    speak_fhir(ward)

    hear_of_sources_and_duplicates(ward)
    answer_a_signal(inside)
    govern(inside)
    have_packs_made(inside)

    reader = inside.holding("near-misses:read")
    reader.post("/v1/near-misses", REPORT, expect=403)
    inside.client.get("/v1/near-misses")
    inside.client.patch("/v1/near-misses", headers=ward.headers)
    json_text = {**ward.headers, "Content-Type": "application/json"}
    inside.client.post("/v1/near-misses", headers=json_text, content="{")
    inside.client.post("/v1/near-misses", headers=ward.headers, content="a=b")
    inside.client.post("/v1/near-misses", headers=json_text, content=b" " * 300_000)
    for path in ("/livez", "/readyz", "/metrics"):
        inside.client.get(path)
    inside.client.get("/v1/ledger/stream", params={"follow": "false"}, headers=ward.headers)
    inside.client.get("/v1/ledger/stream", headers={**ward.headers, "Last-Event-ID": "x"})
    hold_the_ledger_to_its_word(inside)
    feed(ward)


def hold_the_ledger_to_its_word(inside: Inside) -> None:
    """Checkpoints, one of them recorded, proofs, the keys to check them with; and sizes that the ledger never had."""
    ward, house = inside.ward, inside.house
    for _ in range(2):
        house.ask(taking(house, "default", signing_key(house), timedelta(0), 0))
        ward.submit()
    ward.get("/v1/ledger/checkpoint")
    ward.get("/v1/ledger/checkpoint", size=0, expect=422)
    ward.get("/v1/ledger/checkpoints", limit=1)
    ward.get("/v1/ledger/proofs/inclusion", sequence=3, size=7)
    ward.get("/v1/ledger/proofs/inclusion", sequence=8, size=7, expect=422)
    ward.get("/v1/ledger/proofs/consistency", **{"from": 3, "to": 7})
    ward.get("/v1/ledger/proofs/consistency", **{"from": 8, "to": 7}, expect=422)
    rotate(house)
    inside.client.get("/.well-known/forewarn-keys.json")


def try_policies(inside: Inside) -> None:
    """What a policy would have opened, what rules in shadow would have, and one that would open less."""
    ward = inside.ward
    rule = {**POLICY["rules"][0], "threshold": 2}
    question = {"policy": {"rules": [rule]}, "grid": {"thresholds": [2, 3], "windows": ["P14D", "P1M"]}}
    ward.post("/v1/policy/backtests", question)
    ward.post("/v1/policy/backtests", {"policy": {"rules": [rule]}, "compare_with": 99}, expect=422)
    inside.client.post("/v1/policy/backtests.svg", json=question, headers=ward.headers)
    ward.get("/v1/policy/shadow-episodes", limit=1)
    ward.put("/v1/policy", {"rules": []}, expect=409)


def look_at_trends(inside: Inside) -> None:
    """Series of every measure, rare enough for the days between, and drawn; and a question that cannot be answered."""
    ward = inside.ward
    for group_by in ("service_id", "locality", "recovery_barrier"):
        ward.get("/v1/trends", group_by=group_by, bucket="week")
    ward.get("/v1/trends", bucket="event", **{"from": "2026-01-01"})
    ward.get("/v1/trends", measure="rate", incident_type="medication", as_of=30)
    ward.get("/v1/trends", measure="chance_share")
    ward.get("/v1/trends", chart="pie", expect=422)
    inside.client.get("/v1/trends.svg", headers=ward.headers)


def send_events(inside: Inside) -> None:
    """A round, a visit and a report as CloudEvents: taken, sent again, revised, refused, kept, and read again."""
    ward = inside.ward
    events = [dose("d-1"), dose("d-2", person_ref="b"), dose("d-2", person_ref="c"), {}, visit("v-1"), reported("r-1")]
    json_text = {**ward.headers, "Content-Type": "application/cloudevents-batch+json"}
    inside.client.post("/v1/events", headers=json_text, json=events)
    inside.client.post("/v1/events", headers=json_text, json=[{}] * 101)
    for sent, status in ((dose("d-1"), 202), (dose("d-1", status="late"), 409), (dose("d-4", at="09:00"), 202)):
        taken = ward.post("/v1/events", sent, expect=status)
    ward.post("/v1/events", {}, expect=422)
    for one in ward.get("/v1/near-misses", limit=3)["items"]:
        ward.get(f"/v1/near-misses/{one['id']}")
    odd = ward.post("/v1/events", dose("d-5", person_ref="d", status="odd", colour="blue"), expect=202)
    ward.get("/v1/intake-records", limit=1)
    ward.get("/v1/intake-records", status="lost", expect=422)
    for record_id in (taken["intake_record_id"], odd["intake_record_id"]):
        ward.get(f"/v1/intake-records/{record_id}")
        ward.post(f"/v1/intake-records/{record_id}/replay", {})
    ward.get("/v1/intake-records/int_none", expect=404)
    ward.post("/v1/intake-records/int_none/replay", {}, expect=404)


def audit(ward: Ward, ids: dict[str, str]) -> None:
    """What happened to things, and everything that they are tied to."""
    for kind, its_id in ids.items():
        for what in ("history", "trace"):
            ward.get(f"/v1/{kind}/{its_id}/{what}", limit=1)
            ward.get(f"/v1/{kind}/{its_id}/{what}", as_of=999999, expect=422)
            ward.get(f"/v1/{kind}/none/{what}", expect=404)
    if "near-misses" in ids:
        ward.get("/v1/trace", source="emar", source_event_id="e-1")
        ward.get("/v1/trace", source="emar", source_event_id="none", expect=404)


def have_others_told(inside: Inside) -> None:
    """An endpoint from its registration to its end, with all that it is owed; where nobody listens."""
    ward, path = inside.ward, "/v1/webhook-endpoints"
    url, later = "https://hooks.invalid/", "2026-03-02T23:00:00Z"
    wanted = {"url": url, "event_types": ["near_miss.recorded"], "roles": ["manager"], "description": "The rota."}
    ward.get("/v1/event-types")
    ward.post(path, {**wanted, "url": "https://10.0.0.1/"}, expect=422)
    made = ward.post(path, wanted, expect=201)["id"]
    its = f"{path}/{made}"
    ward.get(path, limit=1)
    ward.get(its)
    ward.ask("PATCH", its, {"services": ["willow-house"]}, expect=200)
    ward.ask("PATCH", its, {"services": []}, expect=412, **{"If-Match": '"1"'})
    for _ in range(2):
        ward.ask("POST", f"{its}/rotate-secret", expect=200, **{"Idempotency-Key": "rotated"})
    ward.post(f"{its}/test", {})
    ward.submit()
    newest = ward.get(f"{its}/deliveries", limit=1)["items"][0]["id"]
    ward.get(f"/v1/deliveries/{newest}")
    ward.get(f"/v1/deliveries/{newest}/attempts")
    ward.post(f"/v1/deliveries/{newest}/replay", {})
    now = inside.house.clock()
    inside.house.ask(
        Command(
            "default",
            str(uuid4()),
            SYSTEM,
            made,
            lambda desk, cause: endpoints.hold(desk, cause, made, "gone", now),
            lambda _, subject: {"id": subject},
        )
    )
    ward.get(its)
    ward.post(f"/v1/deliveries/{newest}/replay", {}, expect=409)
    ward.post(f"{its}/test", {}, expect=409)
    ward.post(f"{its}/enable", {})
    ward.post(f"{its}/recover", {"since": later})
    inside.client.delete(its, headers=ward.headers)
    ward.get(its, expect=404)


def send_as_vendors_do(ward: Ward) -> None:
    """A missed visit through its adapter, sent again, several at once, previewed, and not understood."""
    due, updated = "2026-03-01T08:00:00Z", "2026-03-01T09:00:00Z"
    visit = {"alayacare_visit_id": 1, "status": "missed", "start_at": due, "updated_at": updated}
    ward.get("/v1/adapters")
    for _ in range(2):
        ward.post("/v1/adapters/alayacare-visit", visit, expect=202)
    ward.post("/v1/adapters/alayacare-visit", [visit, {}], expect=207)
    ward.post("/v1/adapters/alayacare-visit", {}, expect=422)
    ward.post("/v1/adapters/alayacare-visit", {**visit, "status": "late"}, expect=409)
    ward.post("/v1/adapters/nobodys", visit, expect=404)
    ward.post("/v1/adapters/alayacare-visit/preview", [visit, {**visit, "status": "odd"}, {}])
    ward.post("/v1/adapters/alayacare-visit/preview", {}, expect=422)
    for kind in ("application/json", "text/html"):
        ward.client.post("/v1/adapters/alayacare-visit", headers={**ward.headers, "Content-Type": kind}, content="{")


def speak_fhir(ward: Ward) -> None:
    """A near miss, harm, a dose and every kind of answer, as a system that speaks FHIR has them."""
    subject = {"reference": "Patient/resident-31"}
    told = {"resourceType": "AdverseEvent", "actuality": "potential", "subject": subject, "date": "2026-03-01"}
    whole = {
        "detected": "2026-03-01T20:00:00Z",
        "event": {"text": "Left in the pack."},
        "severity": {"coding": [{"code": "mild"}]},
        "location": {"reference": "Location/willow-house"},
        "contributor": [{"reference": "Practitioner/staff-7"}],
    }
    dose = {
        "resourceType": "MedicationAdministration",
        "status": "not-done",
        "subject": subject,
        "medicationCodeableConcept": {"text": "Apixaban"},
        "effectiveDateTime": "2026-03-01T20:00:00Z",
    }
    for _, status in zip("ab", (201, 200), strict=True):
        ward.post("/v1/fhir/AdverseEvent", {**told, **whole}, expect=status)
    named = ward.post("/v1/fhir/AdverseEvent", {**told, "identifier": {"value": "i-1"}}, expect=201)
    ward.post("/v1/fhir/AdverseEvent", {**told, "identifier": {"value": "i-1"}, "date": "2026-02-28"}, expect=409)
    ward.post("/v1/fhir/AdverseEvent", {**told, "actuality": "actual"}, expect=201)
    ward.post("/v1/fhir/AdverseEvent", {}, expect=422)
    ward.get(f"/v1/fhir/AdverseEvent/{named['id']}")
    ward.get("/v1/fhir/AdverseEvent/nm_none", expect=404)
    ward.post("/v1/fhir/MedicationAdministration", dose, expect=201)
    ward.post("/v1/fhir/MedicationAdministration", {**dose, "status": "in-progress"}, expect=200)
    ward.get("/v1/fhir/metadata")


def hear_of_sources_and_duplicates(ward: Ward) -> None:
    """How much there was to do, who is expected to speak, and one occurrence that two systems told of."""
    row = {"service_id": "WILLOW-01", "date": "2026-03-01", "doses_due": 212, "resident_days": 38}
    ward.put("/v1/denominators", {"items": [row, {**row, "service_id": "birch-house"}]})
    ward.put("/v1/denominators", {"items": [{"service_id": "birch-house", "date": "2026-03-01"}]}, expect=422)
    ward.get("/v1/denominators", limit=1)
    declared = {"expected_every": "P1D", "service_id": "willow-house", "description": "The eMAR."}
    ward.put("/v1/sources/emar", declared)
    ward.ask("PUT", "/v1/sources/emar", {"expected_every": None}, expect=412, **{"If-Match": '"9"'})
    ward.get("/v1/sources", limit=1)
    ward.get("/v1/sources/emar")
    ward.get("/v1/sources/nobody", expect=404)
    ward.ask("DELETE", "/v1/sources/emar", expect=200)
    ward.ask("DELETE", "/v1/sources/nobody", expect=404)
    ward.put("/v1/duplicate-rule", {"within": "PT20M"})
    ward.put("/v1/duplicate-rule", {"within": "P2D"}, expect=422)
    ward.get("/v1/duplicate-rule")
    told = {"service_id": "birch-house", "person_ref": "resident-40"}
    for source in ("emar", "rota", "sensor"):
        ward.submit(source=source, source_event_id="b-1", **told)
    first, second, third = ward.get("/v1/duplicate-proposals", service_id="birch-house")["items"]
    ward.get("/v1/duplicate-proposals", limit=1)
    for pair, step, body, status in (
        (first, "dismissal", {"reason": "Two doses."}, 200),
        (first, "undo", {"reason": "Two doses."}, 409),
        (second, "confirmation", {}, 200),
        (second, "dismissal", {"reason": "Two doses."}, 409),
        (second, "undo", {"reason": "Two doses."}, 200),
        (third, "undo", {}, 422),
    ):
        ward.post(f"/v1/duplicate-proposals/{pair['id']}/{step}", body, expect=status)
        ward.get(f"/v1/duplicate-proposals/{pair['id']}")
    ward.get("/v1/duplicate-proposals/dup_none", expect=404)


def govern(inside: Inside) -> None:
    """A governance review from its opening to its closure, with the mistakes that leadership makes on the way."""
    ward = inside.ward
    ward.post(PATH, {**OPENING, "to": "2026-02-01"}, expect=422)
    other = governed(ward, services=["WILLOW-01"], localities=["north"])
    review = governed(ward, **{"from": "2026-02-01"})
    governs(ward, review, "decisions", {"text": "So be it.", "cites": ["nm_none"]}, expect=422)
    governs(ward, review, "recommended-actions", {"none": "Nothing yet."})
    governs(ward, review, "recommended-actions", {}, expect=422)
    governs(ward, review, "closure", SUMMARY, expect=409)
    conclude(ward, review, *(one["id"] for one in review["snapshot"]["escalations"] + review["snapshot"]["signals"]))
    for name, body in (
        ("recommended-actions", {"description": "One more."}),
        ("decisions", {"text": "One more."}),
        ("assessment", {**ASSESSMENT, "rationale": "Otherwise."}),
        ("minutes", {**MINUTES, "text": "Otherwise."}),
        ("closure", {"summary": "Otherwise."}),
    ):
        governs(ward, review, name, body, expect=409)
        governs(ward, "gov_none", name, body, expect=404)
    for its in (review, other):
        ward.get(f"{PATH}/{its['id']}")
        for name in ("minutes.html", "minutes.md"):
            inside.client.get(f"{PATH}/{its['id']}/{name}", headers=ward.headers)
    for name in ("", "/minutes.html", "/minutes.md"):
        ward.get(f"{PATH}/gov_none{name}", expect=404)
    audit(ward, {"governance-reviews": review["id"]})
    ward.get(PATH, limit=1)
    ward.get(PATH, status="lost", expect=422)
    ward.get("/v1/actions", limit=1)


def answer_a_signal(inside: Inside) -> None:
    """A frequency that rises below the threshold, seen and answered."""
    ward = inside.ward
    rising(inside, service_id="yew-house")
    (signal,) = ward.get("/v1/signals", service_id="yew-house", limit=1)["items"]
    path = f"/v1/signals/{signal['id']}"
    ward.get("/v1/signals", kind="moon", expect=422)
    ward.get(path)
    ward.get("/v1/signals/sig_none", expect=404)
    ward.post(f"{path}/acknowledgement", {}, expect=422)
    ward.post(f"{path}/acknowledgement", {"note": "Two seniors left in January."})
    ward.post(f"{path}/acknowledgement", {"note": "Nothing to it."}, expect=409)
    audit(ward, {"signals": signal["id"]})
    ward.get(path)
    ward.get("/v1/notices", service_id="yew-house")


def have_packs_made(inside: Inside) -> None:
    """Evidence packs for an inspector and for a commissioner, and what cannot be packed."""
    ward = inside.ward
    pack = packed(inside).document
    packed(inside, services=["willow-house"], audience="commissioner", include=["small_cells"])
    ward.post(PACKS, {**PERIOD, "to": "2026-02-01"}, expect=422)
    ward.post(PACKS, {**PERIOD, "services": ["moon"]}, expect=422)
    ward.get(PACKS, limit=1)
    ward.get(PACKS, status="lost", expect=422)
    ward.get(f"{PACKS}/{pack['id']}")
    ward.get(f"{PACKS}/pack_none", expect=404)
    ward.get(f"{PACKS}/pack_none/download", expect=404)


def ask_for_an_escalation(ward: Ward, escalation: dict[str, Any]) -> None:
    """Every command of the ladder, and each refusal that has a code of its own."""
    path = f"/v1/escalations/{escalation['id']}"
    taken = ward.ask("POST", f"{path}/acknowledgement", expect=200)
    ward.post(f"{path}/handover", {"to": ""}, expect=409)
    ward.post(f"{path}/handover", {"to": "deputy-1"})
    ward.post(f"{path}/manual-escalation", {"if_epoch": taken["epoch"]}, expect=409)
    ward.post(f"{path}/manual-escalation", {"if_epoch": taken["epoch"] + 1})
    ward.post(f"{path}/snooze", {"until": "2027-03-02T09:00:00Z"}, expect=409)
    ward.post(f"{path}/snooze", {"until": "2026-03-02T09:00:00Z"}, expect=422)
    ward.post(f"{path}/snooze", {"until": "2026-03-03T09:00:00Z"})
    ward.escalation(escalation["id"])
    ward.post(f"{path}/policy", {"version": 1})
    ward.post(f"{path}/policy", {"version": 99}, expect=404)
    ward.post(f"{path}/merge", {"into": escalation["id"]}, expect=409)
    for deviation in ("early", "late"):
        for _ in range(3):
            ward.submit(service_id="elm-house", deviation=deviation)
    beside, other = (one["id"] for one in ward.escalations(service_id="elm-house"))
    ward.post(f"/v1/escalations/{beside}/merge", {"into": other})
    ward.post(f"/v1/escalations/{beside}/acknowledgement", {}, expect=409)


@pytest.mark.parametrize("name", [operation["operationId"] for item in PATHS.values() for operation in item.values()])
def test_an_operation_answers_as_the_document_says(name: str, heard: list[Heard]) -> None:
    answers = [one for one in heard if one.operation == name]

    assert {one.status for one in answers} & {200, 201, 202, 204, 207} or name == "complete_details"
    assert [fault for one in answers for fault in one.faults] == []


def test_no_answer_was_left_unheard(heard: list[Heard]) -> None:
    assert {one.status for one in heard} >= {200, 201, 207, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422}


def test_an_event_of_the_feed_is_what_asyncapi_says(heard: list[Heard]) -> None:
    told = asyncapi.document()["components"]
    components = closed({"schemas": told["schemas"]})

    pages = [one.response.json()["items"] for one in heard if one.operation == "read_ledger"]
    events = [event for page in pages for event in page]
    wrong = [
        f"{event['type']}: {error}"
        for event in events
        for payload in (told["messages"][event["type"].removeprefix("forewarn.")]["payload"],)
        for data in (payload["allOf"][1]["properties"]["data"],)
        for schema, value in ((payload, event), (data, event["data"]))
        for error in jsonschema_rs.Draft7Validator({**schema, "components": components}).iter_errors(value)
    ]

    assert len({event["type"] for event in events}) > 40
    assert wrong == []


def operation_of(request: httpx2.Request) -> tuple[str, dict[str, Any]] | None:
    """The operation that a request went to; that of another method of the path when it has none of this one."""
    for path, item in PATHS.items():
        if re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", path), request.url.path):
            operation = item.get(request.method.lower()) or next(iter(item.values()))
            return operation["operationId"], operation
    return None


def faults(operation: dict[str, Any], response: httpx2.Response) -> Iterator[str]:
    """What in a response the document does not say, or says otherwise."""
    responses = operation["responses"]
    told = responses.get(str(response.status_code), responses.get("default"))
    if told is None:
        yield f"{response.status_code} is not told of"
        return
    told = resolved(told)
    if response.status_code == 204:
        return
    media_type = response.headers["content-type"].partition(";")[0]
    if media_type not in told["content"]:
        yield f"{response.status_code}: {media_type} is not told of"
        return
    for name in ("ETag", "Location", "Link", "Idempotency-Replayed", "Retry-After", "WWW-Authenticate"):
        if name in response.headers and name not in told.get("headers", {}):
            yield f"{response.status_code}: the header {name} is not told of"
    if media_type == PROBLEM:
        code = response.json()["type"].rpartition(":")[2]
        if code not in told["content"][PROBLEM]["examples"]:
            yield f"{response.status_code}: {code} is not told of"
    if media_type.endswith("json"):
        schema = {**told["content"][media_type]["schema"], "components": closed(DOCUMENT["components"])}
        validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        yield from (str(error) for error in validator.iter_errors(response.json()))


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    return DOCUMENT["components"]["responses"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part


def closed(part: Any) -> Any:
    """The same schemas, taking no field that they do not name: an answer has none that is not described."""
    if isinstance(part, list):
        return [closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    shut = {name: closed(one) for name, one in part.items() if name not in {"examples", "responses"}}
    return shut | {"additionalProperties": False} if "properties" in shut and "type" in shut else shut
