"""An inspector is given a pack: everything that happened, nothing of anybody else's, and the proof of both (S16)."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.operations.evidence_jobs import sweep
from tests import postgres
from tests.conftest import DATABASES
from tests.journeys import boardroom
from tests.journeys.inside import Inside, opened, reopened
from tests.journeys.packs import PATH, PERIOD, Downloaded, asked, built, built_again, packed
from tests.journeys.ward import ACTION, CAUSES, LINK, REPORT, SAFEGUARDING, SYSTEM_RISK, Ward, pointers

WORDS = (REPORT["narrative"], LINK["corrective_action"], ACTION["description"], "staff-7", boardroom.DECISION)
MEMBERS = {
    "manifest.json", "manifest.sig", "index.html", "near_misses.csv", "near_misses.jsonl", "trends.json", "trends.svg",
    "escalations.jsonl", "reviews.jsonl", "actions.jsonl", "outcomes.json", "timeliness.csv", "changes.csv",
    "learning.csv", "policies.json", "taxonomy.json", "mapping.json", "assurance.json", "ledger.jsonl", "proofs.json",
}  # fmt: skip


def a_month(inside: Inside) -> dict[str, Any]:
    """A pattern that was reviewed and acted on, another service's, and every kind of change; the first escalation."""
    ward = inside.ward
    ids = [ward.submit()["id"] for _ in range(3)]
    ward.withdraw(ward.submit(deviation="wrong_dose")["id"])
    ward.correct(ids[0], classification="no_harm_incident")
    doubled = ward.submit()["id"]
    ward.mark_duplicate(doubled, ids[1])
    for _ in range(3):
        ward.submit(service_id="yew-house", narrative="The lift of the yew stood still.", person_ref="resident-yew")
    escalation, other = ward.escalations()
    inside.clock.advance(hours=2)
    ward.post(f"/v1/escalations/{other['id']}/snooze", {"until": "2026-03-03T10:00:00Z"})
    review_id = escalation["review_id"]
    ward.review(review_id, "start", {})
    ward.review(review_id, "causes", CAUSES)
    ward.review(review_id, "system-risk", SYSTEM_RISK)
    ward.review(review_id, "safeguarding", SAFEGUARDING)
    ward.review(review_id, "workflow-links", {"near_miss_ids": ids, "link": LINK})
    ward.review(review_id, "actions", ACTION)
    ward.review(review_id, "closure", {"code": "action_agreed", "summary": "Doses are named at handover."})
    boardroom.closed(ward, boardroom.opened(ward), escalation["id"], other["id"])
    inside.clock.advance(hours=1)
    return escalation


@dataclass(frozen=True, slots=True)
class Lived:
    """A house in which a month has passed; whoever wants to go on from there has a copy of its database."""

    inside: Inside
    escalation: dict[str, Any]
    copy: Callable[[], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def lived_sqlite(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    file = Path(shutil.copy(migrated_sqlite, tmp_path_factory.mktemp("month")))

    @contextmanager
    def copy() -> Iterator[str]:
        yield f"sqlite:///{shutil.copy(file, tmp_path_factory.mktemp('copy'))}"

    with opened(f"sqlite:///{file}") as inside:
        escalation = a_month(inside)
    return Lived(inside, escalation, copy)


@pytest.fixture(scope="module")
def lived_postgresql(postgresql: postgres.Server, migrated_postgresql: postgres.Copies) -> Iterator[Lived]:
    template = migrated_postgresql.lend()

    @contextmanager
    def copy() -> Iterator[str]:
        url = postgresql.create(template)
        yield url
        postgresql.drop(url)

    with opened(template) as inside:
        escalation = a_month(inside)
    yield Lived(inside, escalation, copy)
    migrated_postgresql.take_back(template)


@pytest.fixture(params=DATABASES)
def lived(request: pytest.FixtureRequest) -> Lived:
    return request.getfixturevalue(f"lived_{request.param}")


@pytest.fixture
def inside(lived: Lived) -> Iterator[Inside]:
    """After the month, on each of the two databases."""
    with lived.copy() as url, reopened(url, lived.inside) as house:
        yield house


@pytest.fixture
def office(lived_sqlite: Lived) -> Iterator[Inside]:
    """After the month, for what hangs on no database."""
    with lived_sqlite.copy() as url, reopened(url, lived_sqlite.inside) as house:
        yield house


@pytest.fixture
def new_office(sqlite_url: str) -> Iterator[Inside]:
    """Before it."""
    with opened(sqlite_url) as house:
        yield house


def rows(pack: Downloaded, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(pack.member(name), newline="")))


def lines(pack: Downloaded, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in pack.member(name).splitlines()]


def test_a_pack_holds_everything_that_happened_and_verifies(lived: Lived, inside: Inside, tmp_path: Path) -> None:
    escalation = lived.escalation

    pack = packed(inside)

    members = pack.members
    assert members.keys() >= MEMBERS
    assert {name.rsplit(".")[-1] for name in members if name.startswith("governance/")} == {"html", "md", "json"}
    assert pack.verdict(tmp_path).ok
    assert len(lines(pack, "near_misses.jsonl")) == len(rows(pack, "near_misses.csv")) == 8
    assert lines(pack, "escalations.jsonl")[0]["id"] == escalation["id"]
    assert lines(pack, "reviews.jsonl")[0] == inside.ward.get(f"/v1/reviews/{escalation['review_id']}")
    assert lines(pack, "actions.jsonl")[0]["description"] == ACTION["description"]
    changes = {one["change"]: one for one in rows(pack, "changes.csv")}
    assert changes.keys() == {"withdrawn", "reclassified", "duplicate", "snoozed"}
    assert changes["duplicate"]["why"] == "Both systems told of it."
    assert escalation["id"] in changes["duplicate"]["effect_on_firings"]
    assert {"conclusion", "feedback", "action", "decision"} <= {one["kind"] for one in rows(pack, "learning.csv")}
    (answered, concluded) = rows(pack, "timeliness.csv")[-2:]
    assert (answered["in_time"], answered["of"], concluded["share"]) == ("1", "1", "1.0")
    assert escalation["id"] in members["index.html"]
    assert "<script" not in members["index.html"]
    for word in WORDS:
        assert any(word in text for text in members.values())


def test_its_bytes_are_the_same_whenever_it_is_built(inside: Inside) -> None:
    pack = packed(inside)

    inside.clock.advance(days=3)
    for _ in range(3):
        inside.ward.submit(service_id="ash-court")
    packed(inside, services=["ash-court"])

    assert built_again(inside.house, pack.document["id"]) == pack.data


def test_a_pack_of_one_service_tells_nothing_of_another(inside: Inside, tmp_path: Path) -> None:
    ward = inside.ward
    own = [one["id"] for one in ward.get("/v1/near-misses", service_id="yew-house")["items"]]
    own += [one["id"] for one in ward.escalations() if one["service_id"] == "yew-house"]
    (all_of_them,) = ward.get(boardroom.PATH)["items"]
    governed = boardroom.opened(ward, services=["willow-house"])

    pack = packed(inside, services=["willow-house"])

    text = "\n".join(pack.members.values())
    assert [one for one in ("yew", "The lift", *own) if one in text] == []
    assert f"governance/{governed['id']}.json" in pack.members
    assert f"governance/{all_of_them['id']}.json" not in pack.members
    assert all_of_them["id"] in pack.member("index.html")
    verdict = pack.verdict(tmp_path)
    assert verdict.ok
    assert verdict.facts["events"]["left_out"] > 0


@pytest.mark.parametrize("audience", ["commissioner", "internal"])
def test_nobodys_words_are_told_to_others_than_a_regulator(office: Inside, audience: str, tmp_path: Path) -> None:
    pack = packed(office, audience=audience)

    text = "\n".join(pack.members.values())
    assert [word for word in (*WORDS, "nominated-1", "manager-2", "resident-yew") if word in text] == []
    assert json.loads(pack.member("manifest.json"))["includes"] == []
    assert [one for one in json.loads(pack.member("trends.json"))["series"] if not one["suppressed"]] == []
    assert ">3<" not in pack.member("trends.svg")
    assert pack.verdict(tmp_path).ok


def test_a_commissioner_may_be_told_what_is_asked_for(office: Inside) -> None:
    pack = packed(office, audience="commissioner", include=["narratives"])

    assert REPORT["narrative"] in pack.member("near_misses.csv")
    assert pack.document["include"] == ["narratives"]
    assert json.loads(pack.member("trends.json"))["series"][0]["suppressed"]


def test_a_pack_is_proven_to_follow_the_one_before(office: Inside, tmp_path: Path) -> None:
    first = packed(office)
    office.ward.submit(service_id="ash-court")

    second = packed(office, services=["willow-house"])
    third = packed(office, previous=first.document["id"])

    assert second.document["previous"] == third.document["previous"] == first.document["id"]
    assert second.verdict(tmp_path, first).ok
    assert third.verdict(tmp_path, first).ok


def test_a_period_in_which_nothing_happened_makes_a_pack_too(office: Inside, tmp_path: Path) -> None:
    pack = packed(office, **{"from": "2020-01-01", "to": "2020-02-01"})

    assert pack.verdict(tmp_path).ok
    assert pack.member("near_misses.jsonl") == ""


def test_a_pack_is_read_while_it_is_built_and_downloaded_once_it_is_ready(inside: Inside) -> None:
    ward, client = inside.ward, inside.client
    pack = asked(ward)

    early = client.get(f"{PATH}/{pack['id']}/download", headers=ward.headers)
    built(inside.house, pack["id"])
    ready = ward.get(f"{PATH}/{pack['id']}")
    download = client.get(ready["links"]["download"], headers=ward.headers)

    assert (pack["status"], ready["status"]) == ("pending", "ready")
    assert early.status_code in (200, 409)
    assert int(download.headers["content-length"]) == len(download.content) == ready["size"]
    assert download.headers["etag"] == f'"{ready["sha256"]}"'
    assert download.headers["content-disposition"].startswith("attachment; filename=")
    (shown,) = ward.get(PATH, status="ready")["items"]
    assert shown == {name: value for name, value in ready.items() if name != "members"}


def test_a_pack_is_asked_for_once_with_one_idempotency_key(new_office: Inside) -> None:
    ward = new_office.ward
    ward.submit()

    first, second = (ward.ask("POST", PATH, PERIOD, expect=202, **{"Idempotency-Key": "march"}) for _ in range(2))

    assert first == second
    assert len(ward.get(PATH)["items"]) == 1


def test_a_pack_that_is_no_longer_kept_is_shown_and_not_downloaded(new_office: Inside) -> None:
    ward, client = new_office.ward, new_office.client
    ward.submit()
    pack = packed(new_office)
    new_office.clock.advance(days=100)
    sweep(new_office.house)

    gone = client.get(f"{PATH}/{pack.document['id']}/download", headers=ward.headers)
    shown = ward.get(f"{PATH}/{pack.document['id']}")

    assert (gone.status_code, gone.json()["type"]) == (410, "urn:forewarn:problem:evidence-pack-not-kept")
    assert "download" not in shown["links"]
    assert shown["sha256"] == pack.document["sha256"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"from": "2026-03-20"}, "/to"),
    ({"from": "2026-04-01", "to": "2026-05-01"}, "/from"),
    ({"services": ["willow-hose"]}, "/services/0"),
    ({"previous": "pack_none"}, "/previous"),
    ({"audience": "press"}, "/audience"),
    ({"include": ["secrets"]}, "/include/0"),
    ({"to": "soon"}, "/to"),
]


def test_what_cannot_be_packed_is_refused_with_where_and_why(new_office: Inside) -> None:
    ward = new_office.ward
    ward.submit()

    for said, at in REFUSED:
        problem = ward.post(PATH, {**PERIOD, **said}, expect=422)

        assert at in pointers(problem), said
        if "services" in said:
            assert "willow-house" in problem["errors"][0]["detail"]
    assert ward.get(PATH)["items"] == []


def test_packs_are_for_auditors_of_the_same_organisation(sqlite_url: str) -> None:
    with opened(sqlite_url) as inside:
        inside.ward.submit()
        pack = packed(inside, inside.holding("audit:read"))
        reporter: Ward = inside.holding("near-misses:read")

        reporter.post(PATH, PERIOD, expect=403)
        reporter.get(f"{PATH}/{pack.document['id']}/download", expect=403)
        inside.other.get(f"{PATH}/{pack.document['id']}/download", expect=404)

        assert inside.other.get(PATH)["items"] == []
