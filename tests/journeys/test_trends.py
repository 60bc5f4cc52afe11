"""Trends over HTTP: what a manager is told, what is drawn, and which questions are refused."""

from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.journeys.inside import Inside
from tests.journeys.ward import Ward, pointers

SVG = "{http://www.w3.org/2000/svg}"


def rising(ward: Ward, service_id: str = "willow-house") -> None:
    """Half a report a week for half a year, then two a week, of kinds that no rule counts together."""
    day = date(2025, 7, 7)
    kinds = ("late", "extra", "omitted", "early", "wrong_dose", "allergy")
    for n in range(40):
        ward.submit(occurred_at=f"{day.isoformat()}T09:00:00Z", service_id=service_id, deviation=kinds[n % len(kinds)])
        day += timedelta(days=14 if n < 13 else 4)
        if day >= date(2026, 3, 2):
            return


def drawn(inside: Inside, **parameters: Any) -> ET.Element:
    response = inside.client.get("/v1/trends.svg", params=parameters, headers=inside.ward.headers)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("image/svg+xml")
    return ET.fromstring(response.text)


def test_a_manager_sees_a_rise_that_reached_no_threshold_in_a_sentence(ward: Ward) -> None:
    ward.put("/v1/services/willow-house", {"name": "Willow House", "service_type": "care_home"})
    rising(ward)

    shown = ward.get("/v1/trends", group_by="service_id", bucket="month")

    assert ward.escalations() == []
    assert {signal["rule"] for signal in shown["signals"]} == {"cusum"}
    assert shown["signals"][0]["key"] == {"service_id": "willow-house"}
    assert "Willow House (willow-house) rose from about" in shown["series"][0]["says"]


def test_as_of_an_instant_the_answer_is_the_one_of_then_with_the_period_of_then(inside: Inside) -> None:
    ward = inside.ward
    ward.submit(occurred_at="2026-02-03T09:00:00Z")
    then = ward.get("/v1/trends")
    inside.clock.advance(days=40)
    ward.submit(occurred_at="2026-02-04T09:00:00Z")

    again = ward.get("/v1/trends", as_of="2026-03-02T10:00:00Z")

    assert again == then
    assert again["to"] == "2026-04-01"
    assert ward.get("/v1/trends")["to"] == "2026-05-01"
    assert ward.get("/v1/trends", as_of=then["as_of_sequence"])["series"][0]["points"] == then["series"][0]["points"]


def test_the_picture_is_well_formed_says_what_it_shows_and_escapes_every_name(inside: Inside) -> None:
    name = "Willow & <script>House</script>"
    inside.ward.put("/v1/services/willow-house", {"name": name, "service_type": "care_home"})
    rising(inside.ward)

    for parameters in ({"group_by": "service_id"}, {"chart": "cusum"}, {"bucket": "event"}, {"measure": "rate"}):
        picture = drawn(inside, **parameters)

        assert picture.get("role") == "img"
        titles = {one.get("id"): one.text for one in (*picture.iter(f"{SVG}title"), *picture.iter(f"{SVG}desc"))}
        assert all(titles[one] for one in str(picture.get("aria-labelledby")).split())
        assert not list(picture.iter(f"{SVG}script"))

    by_service = drawn(inside, group_by="service_id")
    assert any(name in (text.text or "") for text in by_service.iter(f"{SVG}text"))


def test_signals_are_drawn_as_shapes_and_not_only_in_colour(inside: Inside) -> None:
    rising(inside.ward)

    picture = drawn(inside, chart="cusum")

    assert [one for one in picture.iter(f"{SVG}path") if one.get("class") == "signal"]


def test_an_organisation_without_a_report_has_an_empty_picture(inside: Inside) -> None:
    assert inside.ward.get("/v1/trends", group_by="service_id")["series"] == []
    assert any(one.text == "Nothing was reported." for one in drawn(inside, group_by="locality").iter(f"{SVG}text"))


def test_a_picture_holds_six_series_at_most_those_with_signals_first(inside: Inside) -> None:
    for n in range(8):
        inside.ward.submit(service_id=f"service-{n}", occurred_at="2026-02-03T09:00:00Z")

    picture = drawn(inside, group_by="service_id")

    assert sum(one.text == "Near misses at service-0" for one in picture.iter(f"{SVG}text")) == 1
    assert len([one for one in picture.iter(f"{SVG}text") if (one.text or "").startswith("Near misses at ")]) == 12
    assert "6 of 8 series" in "".join(picture.itertext())


@pytest.mark.parametrize(
    ("asked", "pointer", "code"),
    [
        ({"measure": "counts"}, "/query/measure", "unknown-code"),
        ({"group_by": "person_ref"}, "/query/group_by", "unknown-code"),
        ({"bucket": "fortnight"}, "/query/bucket", "unknown-code"),
        ({"chart": "pie"}, "/query/chart", "unknown-code"),
        ({"measure": "rate", "chart": "c"}, "/query/chart", "does-not-fit"),
        ({"chart": "u"}, "/query/chart", "does-not-fit"),
        ({"measure": "rate", "bucket": "event"}, "/query/bucket", "does-not-fit"),
        ({"incident_type": "medicaton"}, "/query/incident_type", "unknown-code"),
        ({"incident_type": "visit", "deviation": "omitted"}, "/query/deviation", "unknown-code"),
        ({"stage_allowed": "handovr"}, "/query/stage_allowed", "unknown-code"),
        ({"classification": "near"}, "/query/classification", "unknown-code"),
        ({"service_id": "wilow-house"}, "/query/service_id", "unknown-code"),
        ({"locality": "nowhere"}, "/query/locality", "unknown-code"),
        ({"source": "emar"}, "/query/source", "unknown-code"),
        ({"from": "yesterday"}, "/query/from", "not-a-moment"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "/query/to", "out-of-order"),
        ({"from": "2026-02-01", "to": "2026-02-01"}, "/query/to", "out-of-order"),
        ({"from": "2030-01-01"}, "/query/from", "not-before-to"),
        ({"to": "0001-01-01"}, "/query/to", "out-of-range"),
        ({"from": "0001-01-01"}, "/query/from", "not-before-to"),
        ({"bucket": "day", "from": "2020-01-01"}, "/query/from", "too-many-buckets"),
        ({"as_of": "99999"}, "/query/as_of", "out-of-range"),
        ({"colour": "red"}, "/query", "unknown-parameter"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_is_wrong_with_it(
    asking: Ward, asked: dict[str, str], pointer: str, code: str
) -> None:
    for path in ("/v1/trends", "/v1/trends.svg"):
        problem = asking.get(path, expect=422, **asked)

        assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [(pointer, code)]


def test_every_mistake_is_named_at_once_with_the_nearest_codes(asking: Ward) -> None:
    problem = asking.get("/v1/trends", expect=422, incident_type="medicaton", chart="sum", service_id="willow-hause")

    assert pointers(problem) == {"/query/incident_type", "/query/chart", "/query/service_id"}
    details = " ".join(error["detail"] for error in problem["errors"])
    assert "medication" in details
    assert "willow-house" in details
    assert "medicaton" not in details


def test_trends_are_for_those_who_may_read_near_misses(inside: Inside) -> None:
    inside.ward.submit()

    inside.holding("near-misses:write").get("/v1/trends", expect=403)

    assert inside.other.get("/v1/trends")["series"][0]["points"][-1]["count"] == 0
    assert inside.holding("near-misses:read").get("/v1/trends")["series"][0]["points"][-1]["count"] == 1


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A ward that only asks; refusals do not depend on the database."""
    from app.database.migrate import upgrade
    from tests.journeys.inside import opened

    url = f"sqlite:///{tmp_path_factory.mktemp('asking') / 'forewarn.db'}"
    upgrade(url)
    with opened(url) as inside:
        inside.ward.put("/v1/services/willow-house", {"name": "Willow House", "service_type": "care_home"})
        yield inside.ward
