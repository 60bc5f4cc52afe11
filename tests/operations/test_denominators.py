"""How much there was to do: one row for each service and day, the later standing, whatever the service is called."""

from datetime import date
from typing import Any

import pytest

from app.database.tables import denominators as rows
from app.domain.occurrence import Denominator
from app.operations import denominators
from app.operations.rebuild import rebuild
from tests.journeys.inside import opened as opened_inside
from tests.journeys.ward import pointers
from tests.office import Office, assert_intact, opened


def stated(office: Office, *items: Denominator) -> None:
    office.do(office.command(lambda desk, cause: denominators.state(desk, cause, items)))


def of(service_id: str, day: str, **amounts: int) -> Denominator:
    return Denominator(service_id, day, **amounts)


def standing(office: Office) -> dict[tuple[str, str], tuple[int | None, int | None, int | None]]:
    """Service and day → doses, visits, resident days."""
    return {
        (service_id, date.fromordinal(day).isoformat()): (doses, visits, residents)
        for _, service_id, day, _, doses, visits, residents in office.rows(rows)
    }


def test_the_later_row_of_a_service_and_a_day_stands_as_a_whole(database_url: str) -> None:
    with opened(database_url) as office:
        stated(office, of("willow-house", "2026-03-01", doses_due=200, resident_days=38))

        stated(office, of("willow-house", "2026-03-01", doses_due=212), of("ash-court", "2026-03-01", resident_days=9))

        assert standing(office) == {
            ("ash-court", "2026-03-01"): (None, None, 9),
            ("willow-house", "2026-03-01"): (212, None, None),
        }
        with office.house.database.read() as connection:
            assert_intact(connection)


def test_of_two_rows_in_one_statement_the_later_one_stands(database_url: str) -> None:
    with opened(database_url) as office:
        stated(office, of("willow-house", "2026-03-01", doses_due=1), of("willow-house", "2026-03-01", doses_due=2))

        assert standing(office) == {("willow-house", "2026-03-01"): (2, None, None)}


def test_saying_the_same_again_writes_nothing_and_only_news_are_written(database_url: str) -> None:
    with opened(database_url) as office:
        first, second = of("willow-house", "2026-03-01", doses_due=200), of("willow-house", "2026-03-02", doses_due=0)
        stated(office, first, second)
        before = office.ledger()

        stated(office, second, first)
        assert office.ledger() == before
        stated(office, first, of("willow-house", "2026-03-02", doses_due=7))

        (news,) = office.ledger()[len(before) :]
        assert (news.type, news.stream) == ("denominator.stated", "denominator/willow-house")
        assert news.payload == '{"items":[{"day":"2026-03-02","doses_due":7}],"unregistered_service":true}'


def test_a_service_is_known_by_all_of_its_names(database_url: str) -> None:
    with opened(database_url) as office:
        office.do(office.registration("willow-house", aliases=("WILLOW-01",)))

        stated(office, of("WILLOW-01", "2026-03-01", doses_due=3), of("willow-house", "2026-03-01", doses_due=4))

        assert standing(office) == {("willow-house", "2026-03-01"): (4, None, None)}
        assert '"unregistered_service"' not in office.ledger()[-1].payload


def test_the_table_is_made_of_the_ledger_again(database_url: str) -> None:
    with opened(database_url) as office:
        days = [of("willow-house", date.fromordinal(738_000 + n).isoformat(), visits_scheduled=n) for n in range(1200)]
        stated(office, *days)
        stated(office, *(of(one.service_id, one.date, visits_scheduled=1) for one in days[::2]))
        before = office.rows(rows)
        assert len(before) == 1200

        rebuild(office.house, office.organisation, "denominators")

        assert office.rows(rows) == before


def test_over_http_rows_are_answered_as_they_are_stored_and_listed_by_day(database_url: str) -> None:
    with opened_inside(database_url) as inside:
        ward = inside.ward
        ward.put("/v1/services/willow-house", {"name": "Willow", "service_type": "care_home", "aliases": ["W-1"]})
        said: list[dict[str, Any]] = [
            {"service_id": "W-1", "date": "2026-03-01", "doses_due": 212},
            {"service_id": "elm-lodge", "date": "2026-03-01", "visits_scheduled": 10_000_000},
            {"service_id": "willow-house", "date": "2026-03-02", "resident_days": 1},
        ]

        answer = ward.put("/v1/denominators", {"items": said})

        willow = {"service_id": "willow-house", "date": "2026-03-01", "doses_due": 212}
        elm = {**said[1], "flags": ["unregistered_service"]}
        assert answer == {"items": [willow, elm, said[2]]}
        assert ward.put("/v1/denominators", {"items": said}) == answer
        assert ward.get("/v1/denominators")["items"] == [said[2], elm, willow]
        assert ward.get("/v1/denominators", service_id="W-1", to="2026-03-02")["items"] == [willow]
        first = ward.get("/v1/denominators", limit=2, **{"from": "2026-03-01"})
        assert first["items"] == [said[2], elm]
        assert ward.get("/v1/denominators", limit=2, cursor=first["next_cursor"])["items"] == [willow]
        assert inside.other.get("/v1/denominators")["items"] == []


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        ({"service_id": "w", "date": "2026-03-01"}, "/items/0"),
        ({"service_id": "w", "date": "2026-03-01", "doses_due": None}, "/items/0"),
        ({"service_id": "w", "date": "2026-03-01T00:00:00Z", "doses_due": 1}, "/items/0/date"),
        ({"service_id": "w", "date": "2026-02-30", "doses_due": 1}, "/items/0/date"),
        ({"service_id": " ", "date": "2026-03-01", "doses_due": 1}, "/items/0/service_id"),
        ({"service_id": "w", "date": "2026-03-01", "doses_due": -1}, "/items/0/doses_due"),
        ({"service_id": "w", "date": "2026-03-01", "doses_due": 0}, "/items/0/doses_due"),
        ({"service_id": "w", "date": "2026-03-01", "resident_days": 10_000_001}, "/items/0/resident_days"),
        ({"service_id": "w", "date": "2026-03-01", "visits_scheduled": 1.5}, "/items/0/visits_scheduled"),
        ({"service_id": "w", "date": "2026-03-01", "doses": 1}, "/items/0/doses"),
    ],
)
def test_a_row_that_says_nothing_or_nonsense_is_refused(item: dict[str, Any], pointer: str, sqlite_url: str) -> None:
    with opened_inside(sqlite_url) as inside:
        assert pointer in pointers(inside.ward.put("/v1/denominators", {"items": [item]}, expect=422))


def test_more_than_a_thousand_rows_and_times_of_day_are_refused(sqlite_url: str) -> None:
    with opened_inside(sqlite_url) as inside:
        items = [{"service_id": "w", "date": "2026-03-01", "doses_due": 1}] * 1001

        assert pointers(inside.ward.put("/v1/denominators", {"items": items}, expect=422)) == {"/items"}
        assert pointers(inside.ward.put("/v1/denominators", {"items": []}, expect=422)) == {"/items"}
        for text in ("2026-03-01T00:00:00Z", "yesterday"):
            assert pointers(inside.ward.get("/v1/denominators", expect=422, to=text)) == {"/query/to"}
