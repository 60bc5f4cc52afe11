"""The ledger for others: a feed without a gap that a stranger can verify, and the same as a stream."""

from collections.abc import Iterator

import pytest

from app.database.migrate import upgrade
from tests.conftest import DATABASES
from tests.journeys.inside import Inside, opened
from tests.journeys.listening import FEED, STREAM, events, feed, leaf_of
from tests.journeys.ward import Ward
from tests.office import ledger_of, root_of

RECORDED = "forewarn.near_miss.recorded"


@pytest.fixture(scope="module", params=DATABASES)
def inside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """An application whose first organisation has raised a review, closed it and withdrawn a report."""
    server = request.getfixturevalue("postgresql") if request.param == "postgresql" else None
    url = server.create() if server else f"sqlite:///{tmp_path_factory.mktemp('feed') / 'forewarn.db'}"
    upgrade(url)
    with opened(url) as inside:
        ward = inside.ward
        near_misses = [ward.submit() for _ in range(3)]
        ward.close(ward.escalation(near_misses[2]["escalation_ids"][0]))
        ward.withdraw(ward.submit(deviation="late")["id"])
        words = {"code": "verspätet", "label": "“Später” – £5,\u2028and 😀", "incident_type": "medication"}
        ward.put("/v1/taxonomy", {"deviations": [words]})
        yield inside
    if server:
        server.drop(url)


@pytest.fixture
def used(inside: Inside) -> Ward:
    return inside.ward


def test_the_feed_is_the_ledger_without_a_gap(inside: Inside, used: Ward) -> None:
    told = feed(used, limit=7)

    with inside.house.database.read() as connection:
        stored = ledger_of(connection)
    assert [one["sequence"] for one in told] == list(range(1, len(stored) + 1))
    assert [one["id"] for one in told] == [one.event_id for one in stored]
    assert used.get(FEED, after=len(stored)) == {"items": [], "next_after": len(stored)}


def test_a_stranger_recomputes_every_leaf_and_the_root(inside: Inside, used: Ward) -> None:
    told = feed(used)

    assert [one["leafhash"] for one in told] == [leaf_of(one) for one in told]
    with inside.house.database.read() as connection:
        stored = ledger_of(connection)
    assert root_of([bytes.fromhex(one["leafhash"]) for one in told]) == root_of([one.leaf for one in stored])


def test_an_event_of_the_feed_has_the_shape_of_the_contract(used: Ward) -> None:
    first, second = used.get(FEED, types="organisation.key_created,policy.adopted,near_miss.recorded", limit=2)["items"]

    assert first["source"] == "/organisations/default"
    assert second["type"] == f"{RECORDED}.v1"
    assert second["subject"].startswith("near_miss/nm_")
    assert second["streamversion"] == 1
    assert set(second["data"]["report"]["staff_involved"][0]["ref"]) == {"sealed", "key", "token"}
    assert "causationid" not in second


def test_the_text_is_that_which_was_stored(inside: Inside, used: Ward) -> None:
    text = inside.client.get(FEED, params={"limit": 200}, headers=used.headers).text

    with inside.house.database.read() as connection:
        assert [one.sequence for one in ledger_of(connection) if one.payload not in text] == []


@pytest.mark.parametrize("name", [RECORDED, f"{RECORDED}.v1", "near_miss.recorded", f" {RECORDED} ,watch.deferred"])
def test_only_the_types_that_are_wanted_come(used: Ward, name: str) -> None:
    end = feed(used)[-1]["sequence"]

    page = used.get(FEED, types=name)

    assert len(page["items"]) == 4
    assert {one["type"] for one in page["items"]} == {f"{RECORDED}.v1"}
    assert page["next_after"] == end


def test_pages_of_some_types_join_without_a_gap(used: Ward) -> None:
    types = f"{RECORDED},forewarn.near_miss.linked.v1"
    wanted = [one for one in feed(used) if one["type"] in {f"{RECORDED}.v1", "forewarn.near_miss.linked.v1"}]

    assert feed(used, limit=1, types=types) == wanted


@pytest.mark.parametrize(
    "parameters",
    [
        {"limit": 0},
        {"limit": 201},
        {"after": -1},
        {"after": 2**63},
        {"after": "abc"},
        {"types": "near_miss.none"},
        {"types": ""},
        {"types": f"{RECORDED}.v2"},
        {"types": f"{RECORDED}.v01"},
        {"cursor": "x"},
    ],
    ids=str,
)
def test_a_parameter_that_means_nothing_is_refused(used: Ward, parameters: dict[str, object]) -> None:
    used.get(FEED, expect=422, **parameters)


@pytest.mark.parametrize("parameters", [{"after": "2.5"}, {"after": "9" * 16}, {"types": "x"}, {"limit": 5}], ids=str)
def test_a_parameter_of_the_stream_that_means_nothing_is_refused(used: Ward, parameters: dict[str, object]) -> None:
    used.get(STREAM, expect=422, follow=False, **parameters)


def test_nobody_sees_the_ledger_of_another_organisation(inside: Inside, used: Ward) -> None:
    theirs = inside.other.submit()

    told = feed(inside.other) + streamed(inside, inside.other)

    assert {one["source"] for one in told} == {"/organisations/other"}
    assert {one["subject"] for one in told if one["type"] == f"{RECORDED}.v1"} == {f"near_miss/{theirs['id']}"}
    assert {one["source"] for one in feed(used) + streamed(inside, used)} == {"/organisations/default"}


def test_the_stream_is_the_feed(inside: Inside, used: Ward) -> None:
    assert streamed(inside, used) == feed(used)


def test_a_stream_begins_after_a_sequence_or_at_the_end(inside: Inside, used: Ward) -> None:
    told = feed(used)

    assert streamed(inside, used, after="5") == told[5:]
    assert streamed(inside, used, after="end") == []
    assert streamed(inside, used, types="near_miss.recorded", after="5") == feed(used, 5, types="near_miss.recorded")


def test_what_came_last_stands_over_where_the_address_begins(inside: Inside, used: Ward) -> None:
    headers = {**used.headers, "Last-Event-ID": "9"}

    assert streamed(inside, Ward(inside.client, headers), after="5") == feed(used, 9)


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "٣", str(2**53)])
def test_a_last_event_id_that_is_none_is_refused(inside: Inside, used: Ward, last: str) -> None:
    headers = {**used.headers, "Last-Event-ID": last.encode()}

    answer = inside.client.get(STREAM, params={"follow": "false"}, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["type"].endswith(":malformed-request")


def streamed(inside: Inside, ward: Ward, **parameters: str) -> list[dict[str, object]]:
    """What the stream has told once it has come to the ledger's end."""
    answer = inside.client.get(STREAM, params={"follow": "false", **parameters}, headers=ward.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(events(answer.text.split("\n")))  # A line of it ends nowhere else: U+2028 stands in a text.
