"""S18: trace both ways, action ↔ review ↔ near miss ↔ source event; if X leads to Y, Y leads to X."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest

from app.operations import tracing
from tests.care import EMAR, dose
from tests.conftest import DATABASES
from tests.journeys import boardroom
from tests.journeys.inside import Inside, opened
from tests.journeys.test_signals import rising
from tests.journeys.ward import ACTION, CAUSES, LINK, SAFEGUARDING, SYSTEM_RISK, Ward
from tests.operations.tampering import new_database
from tests.rounds import IN_FULL

Trace = Mapping[str, Any]
DONE = {"effective_from": "2026-03-02", "evidence": "Seen at two handovers."}
ENDPOINT = {"url": "https://hooks.invalid/", "event_types": ["escalation.raised"]}


def walked(ward: Ward, address: str, **asked: Any) -> list[Trace]:
    """Every page of a trace."""
    path, _, query = address.partition("?")
    asked |= dict(parse_qsl(query))
    pages = [ward.get(path, **asked)]
    while (cursor := pages[-1]["next_cursor"]) is not None:
        pages.append(ward.get(path, **asked, cursor=cursor))
    return pages


def nodes(*pages: Trace) -> dict[str, dict[str, Any]]:
    return {one["ref"]: one for page in pages for one in page["nodes"]}


def edges(*pages: Trace) -> set[tuple[str, str, str]]:
    return {(one["from"], one["relation"], one["to"]) for page in pages for one in page["edges"]}


class Reached(dict[str, set[str]]):
    """Whatever can be reached from a trace → what its own trace leads to; and the relations on the way."""

    def __init__(self, ward: Ward, *starts: str, **asked: Any) -> None:
        super().__init__()
        self.relations: set[str] = set()
        waiting, seen = list(starts), set(starts)
        while waiting:
            pages = walked(ward, waiting.pop(), **asked)
            found = nodes(*pages)
            subject = f"{pages[0]['subject']['kind']}/{pages[0]['subject']['id']}"
            self[subject] = set(found) - {subject}
            self.relations |= {relation for _, relation, _ in edges(*pages)}
            traces = {one["links"]["trace"] for one in found.values() if "trace" in one["links"]}
            waiting += traces - seen
            seen |= traces


def one_way_only(reached: Mapping[str, set[str]]) -> list[tuple[str, str]]:
    """Pairs of which one leads to the other, and not the other way."""
    return [(one, other) for one, its in reached.items() for other in its & reached.keys() if one not in reached[other]]


def chain(inside: Inside) -> dict[str, str]:
    """Late doses of three rounds (the second belongs to the first), their review, its action, leadership's decision."""
    ward = inside.ward
    for n in (0, 1, 4, 7):
        at = {"scheduled_at": f"2026-03-02T0{n}:00:00Z", "administered_at": f"2026-03-02T0{n}:42:00Z"}
        ward.post("/v1/events", dose(f"d-{n}", person_ref=f"resident-{n}", **at), 202)
    (escalation,) = ward.escalations()
    review_id, escalation_id = escalation["review_id"], escalation["id"]
    members = [one["near_miss_id"] for one in escalation["members"]]
    ward.review(review_id, "start", {})
    ward.review(review_id, "causes", CAUSES)
    ward.review(review_id, "system-risk", SYSTEM_RISK)
    ward.review(review_id, "safeguarding", SAFEGUARDING)
    (action,) = ward.review(review_id, "actions", ACTION)["actions"]
    for one in members:
        factors = {"contributing_factors": ["workload"], "staff_involved": [{"ref": "staff-7"}]}
        awaited = ward.near_miss(one).get("awaiting", ())
        if awaited:
            ward.post(f"/v1/near-misses/{one}/details", {name: factors[name] for name in awaited})
    ward.review(review_id, "workflow-links", {"near_miss_ids": members, "link": LINK})
    ward.review(review_id, "closure", {"code": "action_agreed", "summary": "The handover is mended."})
    ward.post(f"/v1/actions/{action['id']}/completion", DONE)
    board = boardroom.opened(ward)
    boardroom.closed(ward, board, members[0])
    return {
        "source_event": urlencode({"source": EMAR, "source_event_id": "d-1"}),
        "near_miss": members[0],
        "escalation": escalation_id,
        "review": review_id,
        "action": action["id"],
        "governance_review": board["id"],
    }


def path_of(kind: str, its_id: str) -> str:
    if kind == "source_event":
        return f"/v1/trace?{its_id}"
    return f"/v1/{kind.replace('_', '-').replace('near-miss', 'near-misse')}s/{its_id}/trace"


@dataclass(frozen=True, slots=True)
class Lived:
    """A house in which a chain is closed, of which an endpoint was told."""

    inside: Inside
    ids: dict[str, str]
    endpoint_id: str


@pytest.fixture(scope="module", params=DATABASES)
def lived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """One for all tests of a database that only read."""
    with new_database(request, tmp_path_factory) as url, opened(url) as inside:
        endpoint_id = inside.ward.post("/v1/webhook-endpoints", ENDPOINT, expect=201)["id"]
        yield Lived(inside, chain(inside), endpoint_id)


def test_s18_an_action_leads_back_to_every_source_event_and_each_of_those_to_the_action(lived: Lived) -> None:
    inside, ids = lived.inside, lived.ids

    (back,) = walked(inside.ward, path_of("action", ids["action"]))
    (forth,) = walked(inside.ward, path_of("source_event", ids["source_event"]))

    told = {f"source_event/{quote(EMAR, safe='')}/d-{n}" for n in (0, 1, 4, 7)}
    assert told <= nodes(back).keys()
    assert {one["kind"] for one in back["nodes"]} >= {"intake_record", "near_miss", "escalation", "review", "outcome"}
    assert f"action/{ids['action']}" in nodes(forth)
    assert f"governance_review/{ids['governance_review']}" in nodes(forth)
    assert {one["status"] for one in forth["nodes"] if one["kind"] == "intake_record"} == {"joined"}
    for earlier, relation, later in (
        (f"near_miss/{ids['near_miss']}", "member", f"escalation/{ids['escalation']}"),
        (f"escalation/{ids['escalation']}", "reviewed_in", f"review/{ids['review']}"),
        (f"review/{ids['review']}", "agreed_on", f"action/{ids['action']}"),
        (f"action/{ids['action']}", "assessed_in", f"outcome/{ids['review']}"),
    ):
        assert (earlier, relation, later) in edges(back) & edges(forth)
    kinds = [one["kind"] for one in back["nodes"]]
    assert kinds == sorted(kinds, key=tracing.KINDS.index)
    sequences = [one["sequence"] for one in back["timeline"]]
    assert sequences == sorted(set(sequences))
    assert {one["subject"] for one in back["timeline"]} <= nodes(back).keys()
    assert not back["truncated"]


def test_s18_the_near_miss_tells_how_it_was_checked_and_what_was_decided(lived: Lived) -> None:
    inside, ids = lived.inside, lived.ids

    (trace,) = walked(inside.ward, path_of("near_miss", ids["near_miss"]))

    shown = nodes(trace)
    its = shown[f"near_miss/{ids['near_miss']}"]["details"]
    board = shown[f"governance_review/{ids['governance_review']}"]["details"]
    matched = [one for one in trace["edges"] if one["relation"] == "matched"]
    assert its["checks"][0]["policy_version"] == 1
    assert its["checks"][0]["sequence"] == shown[f"near_miss/{ids['near_miss']}"]["sequence"]
    assert its["counted_by"] == ["similar", "same-person"]
    assert its["feedback"]["message"].endswith("It is closed.")
    assert {one["from"] for one in matched} | {one["to"] for one in matched} == {
        one["ref"] for one in trace["nodes"] if one["kind"] == "near_miss"
    }
    assert all("similar" in one["rules"] for one in matched)
    assert [one["cites"] for one in board["decisions"]] == [[ids["near_miss"]]]
    assert (board["determination"], board["intervention_required"]) == ("emerging_risk", True)
    assert shown[f"review/{ids['review']}"]["details"]["determination"] == "system_risk"
    assert {one["details"]["to"] for one in trace["nodes"] if one["kind"] == "notice"} == {"manager"}


@pytest.mark.soak
def test_s18_whatever_a_trace_leads_to_leads_back(sqlite_url: str) -> None:
    leads_back_from_everywhere(sqlite_url)


@pytest.mark.soak
@pytest.mark.skipif(not IN_FULL, reason="The same as on SQLite, for longer: `make soak` does it.")
def test_s18_whatever_a_trace_leads_to_leads_back_on_postgresql_too(postgresql_url: str) -> None:
    leads_back_from_everywhere(postgresql_url)


def leads_back_from_everywhere(database_url: str) -> None:
    with opened(database_url) as inside:
        ward, ids = inside.ward, tangled(inside)
        whole = path_of("governance_review", ids["governance_review"])
        breaches = [one["id"] for one in ward.get("/v1/near-misses", incident_type="escalation")["items"]]
        reached = Reached(ward, whole, *(path_of("near_miss", one) for one in breaches))

        kinds = {one.partition("/")[0] for its in reached.values() for one in its}
        assert kinds >= set(tracing.KINDS) - {"delivery"}
        assert reached.relations >= {
            "member", "related", "withdrawn", "duplicate_of", "merged_into", "followed_by", "breached", "counted_in",
            "in_snapshot", "cited", "member_cited", "recommended", "open_at", "matched",
        }  # fmt: skip
        assert one_way_only(reached) == []

        opened_at = ward.get(f"/v1/governance-reviews/{ids['governance_review']}")["sequence"]
        then = Reached(ward, whole, as_of=opened_at)
        assert one_way_only(then) == []
        assert set(then) < set(reached)

        assert set(nodes(*walked(ward, whole, limit=2))) == set(nodes(*walked(ward, whole, limit=200)))


def tangled(inside: Inside) -> dict[str, str]:
    """The chain, and all that ties things together otherwise: everything that a trace may lead through."""
    ward = inside.ward
    ids = chain(inside)
    rising(inside, service_id="yew-house")
    (signal,) = ward.get("/v1/signals")["items"]
    for deviation in ("early", "late"):
        for n in range(3):
            ward.submit(service_id="elm-house", deviation=deviation, source="rota", source_event_id=f"{deviation}-{n}")
    merged, into = ward.escalations(service_id="elm-house")
    ward.post(f"/v1/escalations/{merged['id']}/merge", {"into": into["id"]})
    ward.withdraw(merged["members"][0]["near_miss_id"])
    ward.mark_duplicate(into["members"][0]["near_miss_id"], into["members"][1]["near_miss_id"])
    ward.submit(service_id="elm-house", deviation="late", classification="harm_incident")
    again = [ward.submit(occurred_at="2026-03-02T09:30:00Z", deviation="late", person_ref="p-1") for _ in range(3)]
    board = boardroom.opened(ward)
    late = ward.submit(service_id="elm-house", deviation="late")
    boardroom.decided(ward, board, ids["action"], late["id"], into["review_id"], signal["id"])
    (wanted,) = boardroom.step(ward, board, "recommended-actions", boardroom.ACTION)["recommended_actions"]
    second = boardroom.opened(ward)
    since = [ward.submit(service_id="ash-court", deviation="extra") for _ in range(3)]  # Raised after the snapshot.
    boardroom.decided(ward, second, again[0]["id"], since[0]["id"], wanted["action_id"])
    inside.clock.advance(days=15)
    ward.post(f"/v1/escalations/{into['id']}/acknowledgement", {})  # What was due comes first: the review is late.
    return {**ids, "governance_review": board["id"], "second": second["id"]}


def test_s18_a_trace_shows_tokens_and_no_words(lived: Lived) -> None:
    inside, ids = lived.inside, lived.ids

    text = str([walked(inside.ward, path_of(kind, its_id)) for kind, its_id in ids.items()])

    assert "staff/" in text
    words = ("resident-", "staff-7", "manager-2", "nominated-1", "Co-careldopa", "handover is", "senior", "40 minutes")
    for word in words:
        assert word not in text


def test_s18_messages_are_shown_to_those_who_may_see_endpoints(lived: Lived) -> None:
    inside, ids = lived.inside, lived.ids
    auditor = inside.holding("audit:read")

    (shown,) = walked(inside.ward, path_of("review", ids["review"]))
    (hidden,) = walked(auditor, path_of("review", ids["review"]))

    (message,) = (one for one in shown["nodes"] if one["kind"] == "delivery")
    assert message["details"] == {"type": "escalation.raised", "endpoint_id": lived.endpoint_id}
    assert message["status"] in {"pending", "delivered", "held"}
    assert inside.ward.get(message["links"]["self"])["id"] == message["id"]
    assert [one["ref"] for one in hidden["nodes"]] == [one["ref"] for one in shown["nodes"] if one != message]


def test_s18_what_is_left_out_is_told(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, ids = lived.inside, lived.ids
    monkeypatch.setattr(tracing, "MOST_BESIDE", 1)

    (trace,) = walked(inside.ward, path_of("near_miss", ids["near_miss"]))
    first, *others = walked(inside.ward, path_of("review", ids["review"]), limit=1)

    assert (trace["left_out"], trace["truncated"]) == ({"beside": 3}, True)
    assert (first["near_misses"], first["truncated"]) == ({"total": 3, "shown": 1}, True)
    assert [one["near_misses"]["shown"] for one in others] == [1, 1]
    assert not others[-1]["truncated"]


def test_s18_nobody_traces_what_belongs_to_others(lived: Lived) -> None:
    inside, ids = lived.inside, lived.ids

    for kind, its_id in ids.items():
        path, _, query = path_of(kind, its_id).partition("?")
        inside.other.get(path, 404, **dict(parse_qsl(query)))
        inside.holding("near-misses:read", "reviews:act").get(path, 403, **dict(parse_qsl(query)))
