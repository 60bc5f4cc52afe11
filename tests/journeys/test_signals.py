"""A rise below the threshold over HTTP: seen by whoever looks, told to the manager, and answered by them."""

from datetime import timedelta
from typing import Any

import pytest

from app.operations.attending import Attendant
from app.operations.follow import catch_up
from app.projections.inline import FOLLOWING
from tests.journeys.inside import Inside, opened
from tests.journeys.ward import pointers, text

REGISTERED = {
    "name": "Willow House",
    "service_type": "care_home",
    "aliases": ["WH-1"],
    "localities": [{"locality": "north", "from": "2025-01-01"}],
    "role_holders": [{"role": "manager", "ref": "manager-2", "from": "2025-01-01"}],
}
NOTE = "Two seniors left in January; agency staff cover evening rounds until April."


def attended(inside: Inside) -> None:
    """Whatever a worker does in its next round is done."""
    house = inside.house
    for name in FOLLOWING:
        catch_up(house.database, house.batches.dialect, house.configurations, "default", name)
    Attendant(house).attend()


def rising(inside: Inside, **particulars: Any) -> None:
    """From one in eight weeks to one a week, told today."""
    for week in (*range(40, 8, -8), *range(8, 0, -1)):
        inside.ward.submit(occurred_at=text(inside.clock() - timedelta(weeks=week)), **particulars)
    attended(inside)


def test_a_manager_reads_what_rises_and_answers_it(database_url: str) -> None:
    with opened(database_url) as inside:
        ward = inside.ward
        ward.put("/v1/services/willow-house", REGISTERED)
        rising(inside)
        rising(inside, service_id="ash-court")

        (signal,) = ward.get("/v1/signals", status="open", kind="rising", locality="north")["items"]
        path = f"/v1/signals/{signal['id']}"
        assert ward.get(path) == signal
        assert (signal["service_id"], signal["status"]) == ("willow-house", "open")
        assert signal["owner"] == {"role": "manager", "holders": ["manager-2"], "nobody_reachable": False}
        assert "have become more frequent since 5 January 2026: 8 in the last 8 weeks" in signal["says"]
        assert ward.get("/v1/signals", service_id="WH-1")["items"] == [signal]
        assert len(ward.get("/v1/signals")["items"]) == 2
        (only,) = ward.get("/v1/signals", service_id="ash-court")["items"]
        assert ward.get("/v1/signals", limit=1)["items"] == [only]
        assert inside.other.get("/v1/signals")["items"] == []
        inside.other.get(path, expect=404)

        (notice,) = ward.get("/v1/notices", service_id="willow-house", to="manager")["items"]
        assert (notice["why"], notice["signal_id"]) == ("trend_signalled", signal["id"])
        assert ward.get(notice["links"]["self"]) == signal
        (by_name,) = ward.get("/v1/notices", to="manager-2")["items"]
        assert by_name["signal_id"] == signal["id"]

        manager = inside.holding("reviews:act", "near-misses:read", role="manager", acts_for_people=True)
        inside.holding("near-misses:read").post(f"{path}/acknowledgement", {"note": NOTE}, 403)
        assert pointers(manager.post(f"{path}/acknowledgement", {}, 422)) == {"/note"}
        assert pointers(manager.post(f"{path}/acknowledgement", {"note": " "}, 422)) == {"/note"}
        said = {"Forewarn-Actor": "manager-2", "Idempotency-Key": "answer-1"}
        stale = {**said, "If-Match": '"7"'}
        manager.ask("POST", f"{path}/acknowledgement", {"note": NOTE}, expect=412, **stale)

        answered = manager.ask("POST", f"{path}/acknowledgement", {"note": NOTE}, expect=200, **said)

        assert (answered["status"], answered["acknowledgement"]["by"]) == ("acknowledged", "manager-2")
        assert manager.ask("POST", f"{path}/acknowledgement", {"note": NOTE}, expect=200, **said) == answered
        again = manager.ask(
            "POST", f"{path}/acknowledgement", {"note": NOTE}, expect=200, **{"Forewarn-Actor": "manager-2"}
        )
        assert again == answered
        refused = ward.post(f"{path}/acknowledgement", {"note": "Nothing to it."}, 409)
        assert refused["type"].endswith(":signal-not-open")
        ward.post("/v1/signals/sig_none/acknowledgement", {"note": NOTE}, 404)
        assert ward.get(path) == answered
        assert ward.get(path, as_of=answered["sequence"]) == signal
        assert [one["id"] for one in ward.get("/v1/signals", status="acknowledged")["items"]] == [signal["id"]]


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [({"status": "new"}, "/query/status"), ({"kind": "falling"}, "/query/kind"), ({"source": "emar"}, "/query")],
)
def test_a_list_of_signals_refuses_what_it_does_not_know(asked: dict[str, str], pointer: str, sqlite_url: str) -> None:
    with opened(sqlite_url) as inside:
        assert pointers(inside.ward.get("/v1/signals", 422, **asked)) == {pointer}
