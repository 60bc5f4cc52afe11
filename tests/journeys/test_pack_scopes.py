"""What a pack's scope takes in and leaves out: every name of a service, leadership, what hangs on the time before."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import boardroom
from tests.journeys.inside import Inside, opened
from tests.journeys.packs import Downloaded, packed
from tests.journeys.ward import LINK, text
from tests.proof.assuring import LINKED, REPEATED, USED, named, reasons

PATH = "/v1/assurance"
WILLOW = {"name": "Willow", "service_type": "care_home", "localities": [], "role_holders": []}


@pytest.fixture
def inside(sqlite_url: str) -> Iterator[Inside]:
    with opened(sqlite_url) as house:
        yield house


def judged(pack: Downloaded) -> dict[str, Any]:
    return json.loads(pack.member("assurance.json"))


def of_period(inside: Inside, since: str, until: str, **said: Any) -> Downloaded:
    return packed(inside, None, **{"from": since, "to": until}, **said)


def asked(inside: Inside, since: str, until: str, **said: Any) -> dict[str, Any]:
    return inside.ward.get(PATH, **{"from": since, "to": until}, **said)


def ids_in(pack: Downloaded) -> list[str]:
    return [json.loads(line)["id"] for line in pack.member("near_misses.jsonl").splitlines()]


def test_what_was_recorded_under_any_name_of_a_service_is_about_it(inside: Inside, tmp_path: Path) -> None:
    ward = inside.ward
    ids = [ward.submit(service_id=name)["id"] for name in ("old-willow", "old-willow", "old-willow")]
    ward.put("/v1/services/willow", {**WILLOW, "aliases": ["old-willow", "ash-court"]})
    ward.put("/v1/services/willow", {**WILLOW, "aliases": []})
    ward.put("/v1/services/ash-court", WILLOW)
    ids.append(ward.submit(service_id="willow")["id"])
    other = ward.submit(service_id="ash-court")["id"]

    found = ward.get(PATH, service_id="willow")
    pack = packed(inside, services=["willow"])

    assert (named(found, REPEATED)["population"], named(found, LINKED)["population"]) == (1, 4)
    assert ids_in(pack) == ids
    assert other not in "".join(pack.members.values())
    assert json.loads(pack.member("manifest.json"))["services"] == ["willow", "old-willow"]
    assert named(judged(pack), REPEATED)["population"] == 1
    assert pack.verdict(tmp_path).ok


def test_an_alias_that_is_asked_for_leads_to_all_names_of_its_service(inside: Inside) -> None:
    ward = inside.ward
    ids = [ward.submit(service_id="old-willow")["id"]]
    ward.put("/v1/services/willow", {**WILLOW, "aliases": ["old-willow"]})
    ids.append(ward.submit(service_id="willow")["id"])

    assert ids_in(packed(inside, services=["old-willow"])) == ids
    assert named(ward.get(PATH, service_id="old-willow"), LINKED)["population"] == 2


def test_a_part_does_not_accuse_leadership_of_what_only_the_whole_shows(inside: Inside, tmp_path: Path) -> None:
    ward = inside.ward
    for _ in range(3):
        ward.submit()
    (escalation,) = ward.escalations()
    ward.close(escalation, LINK)
    boardroom.closed(ward, boardroom.opened(ward), escalation["id"])
    inside.clock.advance(days=25)
    boardroom.closed(ward, boardroom.opened(ward, **{"from": "2026-03-03", "to": "2026-03-20"}))
    inside.clock.advance(days=10)
    period = {"since": "2026-02-20", "until": "2026-03-20"}

    at_the_service = named(asked(inside, **period, service_id="willow-house"), USED)
    whole, part = of_period(inside, **period), of_period(inside, **period, services=["willow-house"])

    assert at_the_service["confirmed"] is True
    assert named(judged(whole), USED)["confirmed"] is True
    scoped = named(judged(part), USED)
    assert (scoped["confirmed"], scoped["exceptions"], scoped["not_judged"]) == (None, [], 1)
    assert scoped["why"] in part.member("index.html")
    assert part.verdict(tmp_path).ok


def test_a_pack_of_all_services_knows_of_the_governance_reviews_around_its_period(inside: Inside) -> None:
    ward = inside.ward
    boardroom.closed(ward, boardroom.opened(ward))
    inside.clock.advance(days=40)
    boardroom.closed(ward, boardroom.opened(ward, **{"from": "2026-03-03", "to": "2026-03-20"}))
    inside.clock.advance(days=40)
    for _ in range(3):
        ward.submit(occurred_at=text(inside.clock()))
    (escalation,) = ward.escalations()
    inside.clock.advance(days=1)
    period = {"since": "2026-05-08", "until": text(inside.clock())}
    inside.clock.advance(days=20)
    boardroom.closed(ward, boardroom.opened(ward, **{"from": "2026-05-23", "to": "2026-06-02"}), escalation["id"])

    pack = of_period(inside, **period)

    found = named(judged(pack), USED)
    assert reasons(found) == ["governance_review_missing"]
    assert found == named(asked(inside, **period), USED)


def test_a_crossing_that_waits_for_the_end_of_a_cool_down_is_pending_in_a_pack_too(inside: Inside) -> None:
    ward = inside.ward
    rules = ward.get("/v1/policy")["rules"]
    ward.put("/v1/policy", {**policy_of(inside), "rules": [{**rules[0], "cooldown": "P30D"}, *rules[1:]]})
    for _ in range(3):
        ward.submit()
    (escalation,) = ward.escalations()
    inside.clock.advance(days=50)
    ward.close(escalation, LINK)
    inside.clock.advance(days=15)
    for _ in range(3):
        ward.submit(occurred_at=text(inside.clock()))
    period = {"since": "2026-05-01", "until": "2026-06-01"}

    found = named(asked(inside, **period), REPEATED)

    assert (reasons(found), found["deferred"]) == ([], 1)
    several: list[dict[str, Any]] = [{}, {"services": ["willow-house"]}]
    for services in several:
        pack = named(judged(of_period(inside, **period, **services)), REPEATED)
        assert (pack["population"], pack["pending"], reasons(pack)) == (1, found["pending"], [])


def policy_of(inside: Inside) -> dict[str, Any]:
    told = inside.ward.get("/v1/policy")
    shown = {"version", "expected_chance_firings", "less_sensitive", "adopted_at", "sequence", "id"}
    return {name: value for name, value in told.items() if name not in shown}


def test_a_pack_of_all_services_leaves_out_nothing_of_its_period(inside: Inside, tmp_path: Path) -> None:
    ward = inside.ward
    old = ward.submit(occurred_at="2025-01-05T09:00:00Z")["id"]
    inside.clock.advance(days=60)
    other = ward.submit(occurred_at=text(inside.clock()), service_id="ash-court")["id"]
    inside.clock.advance(days=30)
    ward.post(f"/v1/near-misses/{old}/withdrawal", {"reason": "It was somewhere else.", "kind": "withdrawn"})
    inside.clock.advance(days=60)
    ward.submit(occurred_at=text(inside.clock()))

    month = of_period(inside, "2026-05-20", "2026-06-20")
    empty = of_period(inside, "2026-05-03", "2026-05-04")
    scoped = of_period(inside, "2026-05-20", "2026-06-20", services=["ash-court"])

    assert old in ids_in(month)
    for pack in (month, empty):
        events = pack.verdict(tmp_path).facts["events"]
        assert (events["left_out"] > 0, events["left_out_in_period"]) == (True, 0)
    assert old not in ids_in(scoped)
    assert other in ids_in(scoped)
    assert scoped.verdict(tmp_path).facts["events"]["left_out_in_period"] > 0
