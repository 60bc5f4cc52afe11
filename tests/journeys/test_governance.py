"""S12–S15: leadership weighs what the service saw, decides on it, and closes nothing that was not considered."""

import json
from typing import Any

import pytest

from tests.journeys.boardroom import (
    ACTION,
    ASSESSMENT,
    MINUTES,
    OPENING,
    PATH,
    SUMMARY,
    closed,
    decided,
    ids,
    opened,
    read,
    step,
)
from tests.journeys.inside import Inside
from tests.journeys.ward import MONDAY, NO_SYSTEM_RISK, SYSTEM_RISK, Ward, gates, pointers
from tests.office import ledger_of


def three(ward: Ward, **changes: Any) -> dict[str, Any]:
    """The escalation that three similar near misses raise."""
    known = {one["id"] for one in ward.escalations()}
    for _ in range(3):
        ward.submit(**changes)
    (escalation,) = (one for one in ward.escalations() if one["id"] not in known)
    return escalation


def member(escalation: dict[str, Any]) -> str:
    return escalation["members"][0]["near_miss_id"]


# S12


def test_s12_only_leadership_acts_in_a_governance_review(inside: Inside) -> None:
    review = opened(inside.ward)
    manager = inside.holding("near-misses:read", "near-misses:write", "reviews:act")

    for name, body in (
        ("recommended-actions", ACTION),
        ("decisions", {"text": "So be it.", "cites": ["snapshot"]}),
        ("assessment", ASSESSMENT),
        ("minutes", MINUTES),
        ("closure", SUMMARY),
    ):
        step(manager, review, name, body, expect=403)
    manager.post(PATH, OPENING, expect=403)

    assert read(manager, review) == review
    leadership = inside.holding("governance:act")
    assert closed(leadership, review)["status"] == "closed"


def test_s12_a_missed_cadence_is_overdue_and_climbs(inside: Inside) -> None:
    ward = inside.ward
    review = opened(ward)
    inside.clock.set("2026-04-10T08:00:00Z")
    step(ward, review, "minutes", MINUTES)

    late = read(ward, review)
    assert (late["status"], late["overdue_since"]) == ("overdue", "2026-04-02T10:00:00.000000Z")
    assert ids(ward.get(PATH, status="overdue")["items"]) == [review["id"]]
    told = [one for one in ward.get("/v1/notices")["items"] if one["why"] == "governance_overdue"]
    assert sorted((one["to"], one["scheduled_at"][:10]) for one in told) == [
        ("admin", "2026-04-02"),
        ("leadership", "2026-04-02"),
    ]
    assert told[0]["links"] == {"self": PATH}

    done = closed(ward, review)
    inside.clock.set("2026-05-09T08:00:00Z")
    ward.submit(occurred_at="2026-05-09T07:00:00Z")

    assert done["status"] == "closed"
    assert "overdue_since" not in done
    after = [one for one in ward.get("/v1/notices")["items"] if one["why"] == "governance_overdue"]
    assert after == told


# S13


def test_s13_a_governance_review_holds_what_the_service_saw(inside: Inside) -> None:
    ward = inside.ward
    ward.put("/v1/services/willow-house", {"name": "Willow House", "service_type": "care_home"})
    escalation = three(ward)
    ward.submit(service_id="ash-court", contributing_factors=["workload", "staffing"])
    ward.submit(service_id="ash-court", occurred_at="2026-02-20")  # Before the period.
    ward.review(escalation["review_id"], "system-risk", SYSTEM_RISK)
    agreed = {"description": "Name doses.", "owner": "manager-2", "due": "2026-04-01"}
    action = ward.review(escalation["review_id"], "actions", agreed)["actions"][0]

    snapshot = opened(ward)["snapshot"]

    assert snapshot["services_affected"] == [
        {
            "service_id": "willow-house",
            "name": "Willow House",
            "count": 3,
            "by_classification": {"near_miss": 3},
            "escalations": 1,
        },
        {"service_id": "ash-court", "count": 1, "by_classification": {"near_miss": 1}, "escalations": 0},
    ]
    assert snapshot["contributing_factors"] == [
        {
            "code": "workload",
            "count": 4,
            "services": [{"service_id": "willow-house", "count": 3}, {"service_id": "ash-court", "count": 1}],
        },
        {"code": "staffing", "count": 1, "services": [{"service_id": "ash-court", "count": 1}]},
    ]
    (seen,) = snapshot["escalations"]
    assert (seen["id"], seen["members"], seen["determination"]) == (escalation["id"], 3, "system_risk")
    assert [(one["id"], one["status"]) for one in snapshot["open_actions"]] == [(action["id"], "open")]
    assert [one["review_id"] for one in snapshot["system_risk_reviews"]] == [escalation["review_id"]]
    assert sum(point["count"] for point in snapshot["trends"][0]["series"][0]["points"]) == 5
    assert snapshot["signals"] == snapshot["outcomes"] == snapshot["less_sensitive_policies"] == []


def test_s13_of_one_service_or_locality_a_review_sees_nothing_else(inside: Inside) -> None:
    ward = inside.ward
    for service_id, locality in (("willow-house", "north"), ("ash-court", "south")):
        body = {"name": service_id, "service_type": "care_home", "aliases": [f"{service_id}-1"]}
        ward.put(f"/v1/services/{service_id}", {**body, "localities": [{"locality": locality, "from": "2024-01-01"}]})
    here, there = three(ward), three(ward, service_id="ash-court")

    of_service = opened(ward, services=["willow-house-1"])
    of_locality = opened(ward, localities=["south"])

    assert of_service["services"] == ["willow-house"]
    assert ids(of_service["snapshot"]["escalations"]) == [here["id"]]
    assert ids(of_locality["snapshot"]["escalations"]) == [there["id"]]
    assert [one["service_id"] for one in of_locality["snapshot"]["services_affected"]] == ["ash-court"]
    whole = opened(ward)

    def found(**filters: str) -> set[str]:
        return set(ids(ward.get(PATH, **filters)["items"]))

    assert found(service_id="willow-house-1") == {of_service["id"], whole["id"]}
    assert found(locality="south") == {of_locality["id"], whole["id"]}
    assert found(**{"from": "2026-03-03"}) == set()
    assert len(found(to="2026-02-24")) == 3


def test_s13_a_frozen_snapshot_never_changes_whatever_arrives_later(inside: Inside) -> None:
    ward = inside.ward
    escalation = three(ward)
    review = opened(ward)
    inside.clock.advance(hours=1)

    near_miss_id = member(escalation)
    ward.submit(contributing_factors=["staffing"])
    ward.withdraw(near_miss_id)
    ward.put("/v1/services/willow-house", {"name": "Willow House", "service_type": "care_home"})
    three(ward, service_id="ash-court")
    ward.close(ward.escalation(escalation["id"]))

    assert read(ward, review) == review
    later = opened(ward)["snapshot"]
    assert {name for name, value in later.items() if value != review["snapshot"][name]} >= {
        "as_of_sequence",
        "services_affected",
        "contributing_factors",
        "escalations",
    }


@pytest.mark.parametrize(
    ("since", "until"),
    [("2026-02-01", "2099-01-01"), ("2098-01-01", "2099-01-01"), ("2000-01-01", "2000-02-01")],
    ids=["that still runs", "that is to come", "of long ago"],
)
def test_s13_a_period_of_any_time_can_be_reviewed(ward: Ward, since: str, until: str) -> None:
    ward.submit()

    review = opened(ward, **{"from": since, "to": until})

    assert closed(ward, review)["status"] == "closed"


def test_s13_recommended_actions_are_said_or_an_explicit_none_with_the_reason(ward: Ward) -> None:
    review = opened(ward)

    bare = step(ward, review, "recommended-actions", {"description": "Look at the rota."})
    none = step(ward, review, "recommended-actions", {"none": "The rota is new since Monday."})

    assert [one["description"] for one in bare["recommended_actions"]] == ["Look at the rota."]
    assert none["no_action_recommended"]["reason"] == "The rota is new since Monday."
    for body, at in (
        ({}, "/description"),
        ({"owner": "manager-2"}, "/description"),
        ({"none": "No.", "due": "2026-05-01"}, "/due"),
        ({"description": "x", "due": "soon"}, "/due"),
    ):
        assert at in pointers(step(ward, review, "recommended-actions", body, expect=422))


# S14


def test_s14_every_gate_is_named_at_once_and_then_one_by_one_met(inside: Inside) -> None:
    ward = inside.ward
    escalation, other = three(ward), three(ward, service_id="ash-court")
    review = opened(ward)

    assert gates(step(ward, review, "closure", SUMMARY, expect=409)) == {
        "emerging_risk_not_assessed": [],
        "no_decision": [],
        "no_recommended_action": [],
        "minutes_missing": [],
        "escalation_not_considered": [escalation["id"], other["id"]],
    }
    step(ward, review, "recommended-actions", {"none": "We wait."})
    decided(ward, review)
    step(ward, review, "assessment", ASSESSMENT)
    step(ward, review, "minutes", MINUTES)
    assert gates(step(ward, review, "closure", SUMMARY, expect=409)) == {
        "decision_cites_nothing": [],
        "escalation_not_considered": [escalation["id"], other["id"]],
        "intervention_without_action": [],
    }
    step(ward, review, "recommended-actions", ACTION)
    decided(ward, review, member(escalation), "snapshot", text="Two seniors.")
    assert gates(step(ward, review, "closure", SUMMARY, expect=409)) == {"escalation_not_considered": [other["id"]]}
    decided(ward, review, other["review_id"], text="And at Ash Court.")

    done = step(ward, review, "closure", SUMMARY)

    assert (done["status"], done["closure"]["summary"]) == ("closed", SUMMARY["summary"])


def test_s14_an_intervention_is_an_action_that_is_followed_up(inside: Inside) -> None:
    ward = inside.ward
    review = opened(ward)

    (recommended,) = step(ward, review, "recommended-actions", ACTION)["recommended_actions"]

    (action,) = ward.get("/v1/actions", governance_review_id=review["id"])["items"]
    assert ward.get("/v1/actions", governance_review_id="gov_none")["items"] == []
    assert (action["id"], action["governance_review_id"]) == (recommended["action_id"], review["id"])
    assert {"review_id", "escalation_id"}.isdisjoint(action)
    assert ids(opened(ward)["snapshot"]["open_actions"]) == [action["id"]]
    inside.clock.set("2026-05-12T08:00:00Z")
    (late,) = ward.get("/v1/actions")["items"]
    ward.post(f"/v1/actions/{action['id']}/progress", {"note": "Interviews are held."})
    (late,) = ward.get("/v1/actions", overdue=True)["items"]
    assert late["overdue_since"] == "2026-05-01T00:00:00.000000Z"
    told = [one for one in ward.get("/v1/notices")["items"] if one["why"] == "action_overdue"]
    assert {one["to"] for one in told} == {"leadership", "manager-2", "admin"}
    done = {"effective_from": "2026-05-12", "evidence": "The rota of May."}
    ward.post(f"/v1/actions/{action['id']}/completion", done)
    assert read(ward, review)["recommended_actions"][0]["status"] == "completed"


def test_s14_an_intervention_whose_only_action_was_cancelled_is_none(inside: Inside) -> None:
    ward = inside.ward
    review = opened(ward)
    (recommended,) = step(ward, review, "recommended-actions", ACTION)["recommended_actions"]
    decided(ward, review, "snapshot")
    step(ward, review, "assessment", ASSESSMENT)
    step(ward, review, "minutes", MINUTES)
    ward.post(f"/v1/actions/{recommended['action_id']}/cancellation", {"reason": "Nobody can be found."})

    refused = step(ward, review, "closure", SUMMARY, expect=409)

    assert gates(refused) == {"intervention_without_action": []}
    step(ward, review, "recommended-actions", {**ACTION, "due": "2026-06-01"})
    assert step(ward, review, "closure", SUMMARY)["status"] == "closed"


# S15


def test_s15_what_is_raised_late_in_the_period_is_considered_too(inside: Inside) -> None:
    ward = inside.ward
    review = opened(ward)
    inside.clock.set("2026-03-04T09:00:00Z")
    late = three(ward)  # Of Monday morning, reported on Wednesday.
    step(ward, review, "recommended-actions", ACTION)
    decided(ward, review, "snapshot")
    step(ward, review, "assessment", ASSESSMENT)
    step(ward, review, "minutes", MINUTES)

    refused = step(ward, review, "closure", SUMMARY, expect=409)

    assert gates(refused) == {"escalation_not_considered": [late["id"]]}
    assert review["snapshot"]["escalations"] == read(ward, review)["snapshot"]["escalations"] == []
    decided(ward, review, late["id"], text="Seen.")
    step(ward, review, "closure", SUMMARY)


def test_s15_a_decision_that_cites_what_does_not_exist_is_refused_and_nothing_stored(inside: Inside) -> None:
    ward = inside.ward
    near_miss_id = ward.submit()["id"]
    theirs = inside.other.submit()["id"]
    review = opened(ward)

    refused = decided(ward, review, near_miss_id, "nm_none", theirs, "snapshot", review["id"], expect=422)

    assert pointers(refused) == {"/cites/1", "/cites/2", "/cites/4"}
    assert read(ward, review) == review


def test_s15_a_system_risk_is_carried_until_a_decision_cites_it(inside: Inside) -> None:
    ward = inside.ward
    escalation = three(ward)
    ward.review(escalation["review_id"], "system-risk", SYSTEM_RISK)
    first = opened(ward)
    closed(ward, first, member(escalation))  # Considers the escalation, and answers no system risk.
    second = opened(ward, **{"from": "2026-03-03", "to": "2026-03-10"})

    assert second["snapshot"]["escalations"] == []
    assert [one["review_id"] for one in second["snapshot"]["system_risk_reviews"]] == [escalation["review_id"]]
    closed(ward, second, escalation["review_id"])
    third = opened(ward, **{"from": "2026-03-10", "to": "2026-03-17"})
    assert third["snapshot"]["system_risk_reviews"] == []


def test_s15_what_is_no_system_risk_after_all_is_carried_no_further(ward: Ward) -> None:
    escalation = three(ward)
    ward.review(escalation["review_id"], "system-risk", SYSTEM_RISK)
    ward.review(escalation["review_id"], "system-risk", NO_SYSTEM_RISK)

    assert opened(ward)["snapshot"]["system_risk_reviews"] == []


# What a manager who errs is told


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"to": "2026-02-22"}, "/to"),
        ({"to": "2026-02-23"}, "/to"),
        ({"from": "yesterday"}, "/from"),
        ({"from": "0001-01-01"}, "/from"),
        ({"from": "1999-12-31"}, "/from"),
        ({"title": None}, "/title"),
        ({"chair": " "}, "/chair"),
        ({"services": "willow-house"}, "/services"),
        ({"odd": 1}, "/odd"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_an_opening_that_cannot_be_is_refused_and_nothing_stored(ward: Ward, changes: dict[str, Any], at: str) -> None:
    body = {name: value for name, value in {**OPENING, **changes}.items() if value is not None}

    assert at in pointers(ward.post(PATH, body, expect=422))
    assert ward.get(PATH)["items"] == []


def test_a_review_of_a_place_that_nobody_knows_is_refused_with_the_nearest(inside: Inside) -> None:
    ward = inside.ward
    ward.put("/v1/services/willow", {"name": "Willow", "service_type": "care_home", "aliases": ["willow-old"]})
    ward.submit(service_id="ash-court", locality="north")

    refused = ward.post(
        PATH, {**OPENING, "services": ["willow", "wilow", "ash-cort"], "localities": ["norht", "north"]}, expect=422
    )

    assert {one["pointer"]: (one["code"], one["detail"]) for one in refused["errors"]} == {
        "/services/1": ("unknown-code", "Nothing is known of such a service; the nearest: willow, willow-old."),
        "/services/2": ("unknown-code", "Nothing is known of such a service; the nearest: ash-court."),
        "/localities/0": ("unknown-code", "Nothing is known of such a locality; the nearest: north."),
    }
    assert ward.get(PATH)["items"] == []
    assert opened(ward, services=["willow-old", "ash-court"], localities=["north"])["services"] == [
        "willow",
        "ash-court",
    ]


def test_a_closed_review_takes_nothing_more(ward: Ward) -> None:
    review = opened(ward)
    done = closed(ward, review)

    for name, body in (
        ("recommended-actions", {"description": "One more."}),
        ("decisions", {"text": "One more.", "cites": []}),
        ("assessment", {**ASSESSMENT, "rationale": "Otherwise."}),
        ("minutes", {**MINUTES, "text": "Otherwise."}),
        ("closure", {"summary": "Otherwise."}),
    ):
        refused = step(ward, review, name, body, expect=409)
        assert refused["type"].endswith("governance-review-not-open")

    assert step(ward, review, "closure", SUMMARY) == done == read(ward, review)


def test_the_same_said_again_is_no_event(ward: Ward) -> None:
    review = opened(ward)
    said = [
        ("recommended-actions", ACTION),
        ("recommended-actions", {"none": "Nothing else."}),
        ("decisions", {"text": "So be it.", "cites": ["snapshot"]}),
        ("assessment", ASSESSMENT),
        ("minutes", MINUTES),
    ]
    for name, body in said:
        last = step(ward, review, name, body)

    again = [step(ward, review, name, body) for name, body in said]

    assert all(one == last for one in again)
    assert len(ward.get("/v1/actions")["items"]) == 1


def test_a_command_sent_again_is_answered_as_the_first_time(ward: Ward) -> None:
    key = {"Idempotency-Key": "g-1"}
    first = ward.ask("POST", PATH, OPENING, expect=201, **key)
    ward.submit()
    step(ward, first, "minutes", MINUTES)

    again = ward.client.post(PATH, json=OPENING, headers={**ward.headers, **key})

    assert (again.status_code, again.json()) == (201, first)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(ward.get(PATH)["items"]) == 1
    ward.ask("POST", PATH, {**OPENING, "title": "Another"}, expect=422, **key)


def test_a_governance_review_of_another_organisation_is_not_found(inside: Inside) -> None:
    review = opened(inside.ward)

    inside.other.get(f"{PATH}/{review['id']}", expect=404)
    inside.other.get(f"{PATH}/{review['id']}/minutes.html", expect=404)
    step(inside.other, review, "minutes", MINUTES, expect=404)
    step(inside.other, review, "minutes", {}, expect=404)


def test_a_governance_review_is_shown_as_it_was_known_then(inside: Inside) -> None:
    ward = inside.ward
    review = opened(ward)
    inside.clock.advance(hours=1)
    minuted = step(ward, review, "minutes", MINUTES)
    inside.clock.advance(hours=1)
    closed(ward, review)

    assert read(ward, review, as_of=str(review["sequence"])) == review
    assert read(ward, review, as_of="2026-03-02T11:30:00Z") == minuted
    read(ward, review, as_of="2026-03-02T09:00:00Z", expect=404)


def test_what_people_wrote_stands_sealed_in_the_ledger(inside: Inside) -> None:
    ward = inside.ward
    ward.submit(narrative="The carer saw it in the evening.")
    review = opened(ward)
    closed(ward, review)

    ledger = json.dumps(ward.get("/v1/ledger/events", limit=200)["items"])

    words = (ACTION["description"], ASSESSMENT["rationale"], MINUTES["text"], SUMMARY["summary"], "nominated-1")
    assert [one for one in (*words, "manager-2", "evening") if str(one) in ledger] == []
    assert text_of(ward, review, "minutes.html").count("nominated-1") == 2


# The minutes


def text_of(ward: Ward, review: dict[str, Any], name: str) -> str:
    answer = ward.client.get(f"{PATH}/{review['id']}/{name}", headers=ward.headers)
    assert answer.status_code == 200
    kind = {"minutes.html": "text/html", "minutes.md": "text/markdown"}[name]
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


HOSTILE = "<script>alert(1)</script> | *bold* [a](https://b.invalid) `c`\n# Heading"


def test_minutes_show_whatever_was_written_as_words_and_run_nothing_of_it(ward: Ward) -> None:
    escalation = three(ward, narrative="Nobody reads this in minutes.")
    review = opened(ward, title="A <b> & | c")
    step(ward, review, "recommended-actions", {**ACTION, "description": HOSTILE})
    decided(ward, review, escalation["id"], member(escalation), text=HOSTILE)
    step(ward, review, "assessment", {**ASSESSMENT, "rationale": HOSTILE})
    step(ward, review, "minutes", {"text": HOSTILE, "present": ["<i>nominated</i>"]})
    step(ward, review, "closure", {"summary": HOSTILE})

    page, markdown = text_of(ward, review, "minutes.html"), text_of(ward, review, "minutes.md")

    assert "<script" not in page + markdown
    assert "<b>" not in page + markdown
    assert "<i>" not in page + markdown
    assert page.count("&lt;script&gt;alert(1)") == 5
    line = r"&lt;script&gt;alert(1)&lt;/script&gt; \| \*bold\* \[a\](https\://b.invalid) \`c\`"
    assert [markdown.count(f"{line}\\\n{' ' * indent}\\# Heading") for indent in (0, 2, 3)] == [3, 1, 1]
    assert "Nobody reads this" not in page + markdown
    assert all(escalation["id"] in text.replace("\\", "") for text in (page, markdown))


@pytest.mark.parametrize(
    ("database_url", "action"),
    [
        ("sqlite", {"description": "Look at the rota."}),
        ("sqlite", {"description": "Look at the rota.", "owner": "manager-2"}),
        ("sqlite", {"description": "Look at the rota.", "due": "2020-01-01"}),
        ("sqlite", ACTION),
        ("postgresql", ACTION),
        ("sqlite", {"none": "The rota is new."}),
    ],
    ids=["bare", "owned", "dated", "both", "both on postgresql", "none"],
    indirect=["database_url"],
)
def test_a_review_and_its_minutes_can_be_read_after_every_step_and_as_of_each_event(
    inside: Inside, action: dict[str, str]
) -> None:
    ward = inside.ward
    near_miss = ward.submit(service_id="ash-court")
    escalation = three(ward)
    ward.review(escalation["review_id"], "system-risk", SYSTEM_RISK)
    review = opened(ward)
    begun = review["sequence"]
    readable(ward, review)
    for name, body in (
        ("recommended-actions", action),
        ("decisions", {"text": "Nothing.", "cites": []}),
        ("decisions", {"text": "So be it.", "cites": ["snapshot", near_miss["id"], *cited(escalation)]}),
        ("assessment", {**ASSESSMENT, "intervention_required": False}),
        ("minutes", MINUTES),
        ("closure", SUMMARY),
    ):
        step(ward, review, name, body)
        readable(ward, review)

    for sequence in range(begun, max(recorded(inside).values()) + 1):
        readable(ward, review, as_of=str(sequence))
    for given in ("2026-02-22", "2027-01-01"):
        readable(ward, opened(ward, **{"from": "2026-02-01", "to": given}))


def recorded(inside: Inside) -> dict[str, int]:
    """Type of event → the last sequence of one."""
    with inside.house.database.read() as connection:
        return {one.type: one.sequence for one in ledger_of(connection) if one.organisation == "default"}


def cited(escalation: dict[str, Any]) -> list[str]:
    return [escalation["id"], escalation["review_id"]]


def readable(ward: Ward, review: dict[str, Any], **parameters: Any) -> None:
    """The review and its minutes are shown, whatever of it there is."""
    read(ward, review, **parameters)
    for name in ("minutes.html", "minutes.md"):
        answer = ward.client.get(f"{PATH}/{review['id']}/{name}", headers=ward.headers, params=parameters)
        assert answer.status_code == 200, (name, parameters, answer.text)


def test_an_action_is_shown_as_of_the_event_before_it_was_agreed(inside: Inside) -> None:
    ward = inside.ward
    review = opened(ward)
    (now,) = step(ward, review, "recommended-actions", ACTION)["recommended_actions"]
    recommended = recorded(inside)["governance_review.action_recommended"]

    (then,) = read(ward, review, as_of=str(recommended))["recommended_actions"]

    assert then == {name: value for name, value in now.items() if name != "status"}


def test_minutes_keep_the_lines_and_paragraphs_that_were_written(ward: Ward) -> None:
    review = opened(ward)
    text = "Present at two.\n1234. was read.\n\n\n---\r\n    indented <b>\n> said\n10) ten\n=====\n"

    step(ward, review, "minutes", {"text": text, "present": ["nominated-1"]})
    decided(ward, review, "snapshot", text="One.\n\n2. Two.")

    markdown = text_of(ward, review, "minutes.md")
    assert (
        "## Minutes\n\nPresent at two.\\\n1234\\. was read.\n\n"
        "\\---\\\nindented &lt;b&gt;\\\n&gt; said\\\n10\\) ten\\\n\\=====\n\n## Summary\n"
    ) in markdown
    assert "1. One.\n\n   2\\. Two.\n   - snapshot" in markdown


def test_minutes_can_be_read_before_anything_was_said(ward: Ward) -> None:
    review = opened(ward)

    assert "Not assessed yet." in text_of(ward, review, "minutes.html")
    assert "Not recorded yet." in text_of(ward, review, "minutes.md")


def test_the_minutes_of_a_quiet_week_are_these_to_the_letter(ward: Ward) -> None:
    ward.put("/v1/services/willow-house", {"name": "Willow House", "service_type": "care_home"})
    review = opened(ward, services=["willow-house"])
    closed(ward, review)

    markdown = text_of(ward, review, "minutes.md")

    at = f"{MONDAY:%Y-%m-%d %H:%M} UTC"
    head, _, rest = markdown.partition("It has not changed since.\n")
    saw, _, said = rest.partition("## Assessment\n")
    gov = review["id"].replace("_", r"\_")
    assert head == (
        "# Near misses of the week\n\n- **Period:** 2026-02-23 to before 2026-03-03\n- **Services:** willow-house\n"
        "- **Chair:** nominated-1\n- **Present:** nominated-1, manager-2\n"
        f"- **Status:** closed, closed {at}\n- **Governance review:** {gov}\n\n## What was known\n\n"
        f"As of ledger sequence {review['snapshot']['as_of_sequence']}, when the review was opened. "
    )
    assert saw.count("None.\n") == 7
    assert said == (
        "\nEmerging risk. Intervention required.\n\nOmitted doses at the evening handover have doubled.\n\n"
        "## Decisions\n\n1. The evening round gets a second senior until May.\n"
        f"   - snapshot (what was known at sequence {review['snapshot']['as_of_sequence']})\n\n"
        "## Recommended actions\n\n"
        "- A second senior at the evening handover. — manager-2, due 2026-05-01 (open)\n\n"
        "## Minutes\n\nThe chair went through every escalation.\n\n"
        "## Summary\n\nOne emerging risk; staffing changes until May.\n"
    )
