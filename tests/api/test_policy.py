"""The policy over HTTP: what is given is what is shown, complete; what nobody knows is refused with its place."""

from typing import Any

import pytest

from tests.journeys.ward import Ward, pointers

RULE = {"id": "similar", "group_by": ["service_id"], "threshold": 3, "window": "P14D"}
OFFICE_HOURS = [{"weekday": weekday, "from": "09:00", "to": "17:00"} for weekday in ("mon", "tue", "wed", "thu", "fri")]
NIGHTS = [{"weekday": "sat", "from": "22:00", "to": "06:00"}]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param({"details_due": "PT36H"}, {"details_due": "PT36H", "workflow_link_due": "P7D"}, id="details"),
        pytest.param({"workflow_link_due": "P1M"}, {"details_due": "P3D", "workflow_link_due": "P1M"}, id="link"),
        pytest.param(
            {"working_time": {"hours": NIGHTS, "country": "GB", "subdivision": "SCT", "closed_on": ["2026-12-24"]}},
            {"working_time": {"hours": NIGHTS, "country": "GB", "subdivision": "SCT", "closed_on": ["2026-12-24"]}},
            id="working time in full",
        ),
        pytest.param({"working_time": {}}, {"working_time": {"hours": OFFICE_HOURS, "closed_on": []}}, id="no country"),
    ],
)
def test_a_policy_is_shown_complete_and_put_again_is_no_new_version(
    ward: Ward, given: dict[str, Any], shown: dict[str, Any]
) -> None:
    adopted = ward.put("/v1/policy", {"rules": [RULE], **given})

    policy = ward.get("/v1/policy")

    assert policy == adopted
    assert {name: policy[name] for name in shown} == shown
    again = {name: value for name, value in policy.items() if name != "version"}
    assert ward.put("/v1/policy", again)["version"] == 2
    assert ward.put("/v1/policy", {"rules": [RULE], **given})["version"] == 2


def test_every_organisation_begins_with_the_office_hours_and_bank_holidays_of_england(ward: Ward) -> None:
    policy = ward.get("/v1/policy")

    assert (policy["details_due"], policy["workflow_link_due"]) == ("P3D", "P7D")
    assert policy["working_time"] == {
        "hours": OFFICE_HOURS,
        "country": "GB",
        "subdivision": "ENG",
        "closed_on": [],
    }


@pytest.mark.parametrize(
    ("working_time", "pointer"),
    [
        ({"country": "XX"}, "/working_time/country"),
        ({"country": "United Kingdom"}, "/working_time/country"),
        ({"country": "GB", "subdivision": "LND"}, "/working_time/subdivision"),
    ],
)
def test_a_place_whose_holidays_nobody_knows_is_refused(ward: Ward, working_time: dict[str, str], pointer: str) -> None:
    problem = ward.put("/v1/policy", {"rules": [RULE], "working_time": working_time}, expect=422)

    assert problem["type"].endswith("validation")
    assert pointers(problem) == {pointer}
    assert ward.get("/v1/policy")["version"] == 1


def test_a_policy_answers_what_its_rules_would_open_by_chance_and_may_be_put_back_with_it(ward: Ward) -> None:
    shown = ward.get("/v1/policy")
    chance = {one["rule_id"]: one for one in shown["expected_chance_firings"]}
    assert set(chance) == {"similar", "grave", "handover", "same-person"}
    assert (chance["similar"]["episodes_per_year"], chance["similar"]["warning"]) == (None, None)

    shown.pop("version")
    again = ward.put("/v1/policy", shown)

    assert (again["version"], again["expected_chance_firings"]) == (1, shown["expected_chance_firings"])
