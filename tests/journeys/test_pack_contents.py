"""What a pack tells whom: its page agrees with its members, and nobody reads what they were not to be told."""

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.proof.assurance_sentences import VALIDATIONS
from tests.journeys import boardroom
from tests.journeys.inside import Inside, opened
from tests.journeys.packs import Downloaded, packed
from tests.journeys.test_evidence_packs import a_month, lines, rows

WHY = "Too many alarms, says Ann Smith of the night team."
RULE: dict[str, Any] = {"id": "similar", "group_by": ["service_id", "incident_type"], "threshold": 3, "window": "P14D"}


@pytest.fixture(scope="module")
def office(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """After a month, a policy that sees less, and a governance review that saw it; nobody changes it."""
    file = tmp_path_factory.mktemp("office") / "forewarn.db"
    file.write_bytes(migrated_sqlite.read_bytes())
    with opened(f"sqlite:///{file}") as inside:
        a_month(inside)
        inside.ward.put("/v1/policy", {"rules": [RULE]})
        inside.ward.put("/v1/policy", {"rules": [{**RULE, "threshold": 4}], "reason": WHY})
        boardroom.opened(inside.ward, title="About Ann Smith")
        inside.clock.advance(days=40)
        yield inside


@pytest.fixture(scope="module")
def told(office: Inside) -> Downloaded:
    """For a regulator."""
    return packed(office)


@pytest.fixture(scope="module")
def bare(office: Inside) -> Downloaded:
    """For a commissioner."""
    return packed(office, audience="commissioner")


def words(page: str) -> str:
    """A page as it is read."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def counts(value: Any) -> Iterator[int | float]:
    """Every number in a document but places in the ledger."""
    if isinstance(value, dict):
        for name, one in value.items():  # pyright: ignore[reportUnknownVariableType]
            if "sequence" not in name and name != "version":
                yield from counts(one)
    elif isinstance(value, list):
        for one in value:  # pyright: ignore[reportUnknownVariableType]
            yield from counts(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def test_who_is_told_no_words_reads_none_beside_the_ledger(told: Downloaded, bare: Downloaded) -> None:
    shown = {name: text for name, text in bare.members.items() if name != "ledger.jsonl"}

    assert [name for name, text in shown.items() if "Ann Smith" in text or boardroom.OPENING["title"] in text] == []
    assert "Ann Smith" in told.member("policies.json")
    assert "Ann Smith" in told.member("changes.csv")
    assert "ledger.jsonl all the same" in words(bare.member("index.html"))


def test_who_is_told_no_small_counts_reads_none_in_minutes_or_on_the_page(told: Downloaded, bare: Downloaded) -> None:
    minutes = {name: text for name, text in bare.members.items() if name.startswith("governance/")}
    page = bare.member("index.html")

    for name, text in minutes.items():
        if name.endswith(".json"):
            assert list(counts(json.loads(text)["snapshot"])) == [], name
        else:
            assert not re.search(r"(>|\| |house )[1-4](<| \||,| more)", text), name
            assert "withheld" in text
    assert "fewer than 5" in page
    tables = page.partition("What was reported")[2].partition("What is in this pack")[0]
    assert not re.search(r">[1-4]<", tables)
    assert re.search(r">3<", told.member("index.html"))


def test_what_was_asked_for_is_told_all_the_same(office: Inside) -> None:
    pack = packed(office, audience="internal", include=["narratives", "small_cells"])

    assert "Ann Smith" in pack.member("policies.json")
    (closed, *_) = [name for name in pack.members if name.startswith("governance/") and name.endswith(".json")]
    assert list(counts(json.loads(pack.member(closed))["snapshot"])) != []


def test_the_page_counts_what_stands_apart_from_what_was_taken_back(told: Downloaded) -> None:
    page = words(told.member("index.html"))
    states = [one["status"] for one in lines(told, "near_misses.jsonl") if one["in_period"]]
    back = sum(state in ("withdrawn", "duplicate") for state in states)
    linked = json.loads(told.member("assurance.json"))["validations"][1]

    assert f"and stand: {len(states) - back}. Withdrawn, or marked as a duplicate of another: {back};" in page
    assert linked["population"] == len(states) - back


def test_the_page_states_the_validations_and_tells_each_exception_by_what_it_is_about(told: Downloaded) -> None:
    page = words(told.member("index.html"))
    exceptions = [one for its in json.loads(told.member("assurance.json"))["validations"] for one in its["exceptions"]]

    assert all(one in page for one in VALIDATIONS.values())
    assert {"not_linked", "review_overdue"} <= {one["reason"] for one in exceptions}
    near_miss = next(one for one in exceptions if one["reason"] == "not_linked")
    due = near_miss["detail"]["due"][:16].replace("T", " ")
    (where,) = [one["service_id"] for one in lines(told, "near_misses.jsonl") if one["id"] == near_miss["ids"][0]]
    row = f"not linked by its deadline (not_linked) {where} 2026-03-02 {due} UTC {near_miss['ids'][0]}"
    assert row in page
    assert "there a review that was closed late stands as an exception" in page


def test_the_page_lists_every_member_and_every_action(told: Downloaded) -> None:
    page = told.member("index.html")
    listed = page.partition("What is in this pack")[2].partition("</table>")[0]

    rows_of = dict(re.findall(r'<a href="([^"]+)">[^<]+</a></td><td>([^<]+)</td>', listed))
    assert rows_of.keys() == told.members.keys()
    for action in lines(told, "actions.jsonl"):
        assert action["id"] in page
        assert action["description"] in words(page)


def test_changes_tell_what_was_what_it_became_and_what_a_policy_loses(told: Downloaded) -> None:
    changes = {one["change"]: one for one in rows(told, "changes.csv")}

    assert changes["reclassified"]["what"] == "classification: near_miss → no_harm_incident"
    assert changes["withdrawn"]["what"].startswith("near_miss, medication, wrong_dose, willow-house, 2026-03-02")
    policy = changes["policy_less_sensitive"]
    assert (policy["id"], policy["why"]) == ("policy version 3", WHY)
    assert policy["what"] == "less sensitive by 1 rule: similar"
    assert re.fullmatch(r"\d reviews? of the P180D before would not have been opened", policy["effect_on_firings"])


def test_no_service_named_is_every_service(office: Inside) -> None:
    pack = packed(office, services=[])

    assert pack.document["services"] == []
    assert "services" not in json.loads(pack.member("manifest.json"))


def test_the_mapping_says_as_of_when_it_was_looked_up_and_names_members_that_are_there(told: Downloaded) -> None:
    mapping = json.loads(told.member("mapping.json"))
    named = {name for one in mapping["frameworks"] for its in one["requirements"] for name in its["members"]}

    assert re.fullmatch(r"\d{4}-\d\d-\d\d", mapping["looked_up_on"])
    assert "check it against the text in force" in mapping["says"]
    assert {name for name in named if not name.endswith("/")} <= told.members.keys()
