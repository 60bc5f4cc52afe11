"""The assurance over HTTP and on the command line: what an auditor asks, and what a script is told by its exit code."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from app.cli.commands import cli
from app.database.tables import events
from app.proof.assurance_sentences import VALIDATIONS
from tests import office
from tests.journeys import boardroom
from tests.journeys.inside import Inside, opened
from tests.journeys.ward import LINK
from tests.operations.tampering import unguarded
from tests.proof.assuring import LINKED, REPEATED, USED, named
from tests.service import MASTER_KEY

PATH = "/v1/assurance"


@pytest.fixture
def inside(database_url: str) -> Iterator[Inside]:
    with opened(database_url) as application:
        yield application


def test_an_auditor_sees_each_validation_go_from_nothing_to_confirmed(inside: Inside) -> None:
    ward = inside.ward
    empty = inside.holding("audit:read").get(PATH)
    assert [one["confirmed"] for one in empty["validations"]] == [None, None, None]

    ids = [ward.submit()["id"] for _ in range(3)]
    (escalation,) = ward.escalations()
    pending = ward.get(PATH)
    assert [(one["confirmed"], one["pending_total"]) for one in pending["validations"]] == [
        (False, 1), (False, 3), (False, 1),
    ]  # fmt: skip
    assert [one["ids"] for one in named(pending, LINKED)["pending"]] == [[one] for one in ids]

    ward.close(escalation, LINK)
    boardroom.closed(ward, boardroom.opened(ward), escalation["id"])
    done = ward.get(PATH, **{"from": "2026-03-01", "to": "2026-03-03"})

    assert [(one["confirmed"], one["population"]) for one in done["validations"]] == [(True, 1), (True, 3), (True, 2)]
    assert done["ledger"] == {"intact": True}
    assert (done["from"], done["to"]) == ("2026-03-01T00:00:00.000000Z", "2026-03-03T00:00:00.000000Z")
    (crossing,) = named(done, REPEATED)["crossings"]
    assert (crossing["escalation_id"], crossing["review_id"]) == (escalation["id"], escalation["review_id"])
    then = ward.get(PATH, as_of=pending["as_of_sequence"])
    assert then["validations"] == pending["validations"]
    elsewhere = ward.get(PATH, **{"from": "2025-03-01", "to": "2025-03-03"})
    assert [(one["confirmed"], one["population"]) for one in elsewhere["validations"]] == [(None, 0)] * 3
    assert named(ward.get(PATH, service_id="willow-house"), USED)["population"] == 2


def test_what_cannot_be_asked_is_refused(inside: Inside) -> None:
    ward = inside.ward
    ward.submit()

    backwards = ward.get(PATH, expect=422, **{"from": "2026-03-02", "to": "2026-03-02"})
    assert [(one["pointer"], one["code"]) for one in backwards["errors"]] == [("/query/to", "out-of-order")]
    ward.get(PATH, expect=422, **{"from": "yesterday"})
    strange = ward.get(PATH, expect=422, service_id="wilow-house")
    assert "willow-house" in strange["errors"][0]["detail"]
    ward.get(PATH, expect=422, as_of=10**6)
    ward.get(PATH, expect=422, period="2026")
    inside.holding("near-misses:read").get(PATH, expect=403)


def test_a_ledger_that_was_rewritten_is_not_intact_and_what_follows_it_proves_nothing(inside: Inside) -> None:
    ward = inside.ward
    first = ward.submit()["id"]
    ward.submit()
    history = ward.get(f"/v1/near-misses/{first}/history")
    sequence = history["items"][0]["sequence"]
    with inside.house.database.write() as connection, unguarded(connection):
        changed = update(events).where(events.c.sequence == sequence, events.c.organisation == "default")
        connection.execute(changed.values(actor="key/somebody-else"))

    report = ward.get(PATH)

    assert (report["ledger"]["intact"], report["ledger"]["first_bad_sequence"]) == (False, sequence)
    assert report["as_of_sequence"] == sequence - 1
    assert named(report, LINKED)["population"] == 0


def test_the_command_tells_people_and_scripts(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARN_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("FOREWARN_MASTER_KEY", MASTER_KEY)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["audit", *arguments])

    with office.opened(sqlite_url) as room:
        nothing = run()
        near_miss_id = room.submit()["id"]
        orphaned = run("--json")  # For the house's clock is months ahead of the office's.
        room.do(room.link(near_miss_id))
        linked = run("--json", "--from", "2026-03-02", "--to", "2026-03-03")
        room.submit()
        with room.house.database.write() as connection, unguarded(connection):
            changed = update(events).where(events.c.sequence == 3, events.c.organisation == "default")
            connection.execute(changed.values(actor="key/somebody-else"))
        rewritten = run()

    assert nothing.exit_code == 3, nothing.output
    assert "The ledger is intact" in nothing.stdout
    assert nothing.stdout.count("nothing to confirm") == 4  # Of the third the cadence has passed by now.
    assert "used_in_governance: governance_review_missing: due 2026-04-02T10:00:00.000000Z" in nothing.stdout
    for name, asked in VALIDATIONS.items():
        assert asked in nothing.stdout, name
    assert "nothing to confirm, of 0" not in nothing.stdout
    assert rewritten.exit_code == 1
    assert orphaned.exit_code == 3
    report = json.loads(orphaned.stdout)
    assert named(report, LINKED)["exceptions"][0]["ids"] == [near_miss_id]
    assert named(json.loads(linked.stdout), LINKED)["confirmed"] is True
    assert linked.exit_code == 0
    assert run("--from", "2026-03-02", "--to", "2026-03-01").exit_code == 2
    assert run("--from", "soon").exit_code == 2
    assert run("--organisation", "nobody").exit_code == 2
