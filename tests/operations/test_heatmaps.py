"""The map's counts are those of the ledger, what it expects is what the hours explain, its rates are of denominators.

The recount knows nothing of tables: it reads the events' own JSON, up to a sequence.
"""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.decider import Invalid, Refused
from app.domain.moment import parse_instant, to_micros
from app.domain.occurrence import Denominator
from app.events.envelope import Envelope
from app.operations import denominators
from app.operations.configuration import load
from app.operations.heatmap_expected import is_hot
from app.operations.heatmaps import AXES, Asked, Map, checked, counted, document
from app.operations.show import Reader
from tests.office import LINK, Office, opened
from tests.rounds import rounds

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
COUNTED = {"near_miss", "no_harm_incident"}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def mapped(
    office: Office,
    rows: str,
    columns: str,
    as_of: int | None = None,
    period: tuple[str, str] | None = None,
    **filters: str,
) -> Map:
    """The map, once the follower has come to the ledger's end."""
    office.follow()
    since, until = (to_micros(parse_instant(f"{one}T00:00:00Z")) for one in period) if period else (None, None)
    with office.house.reader(office.organisation, as_of) as reader:
        settled = load(reader.connection, office.organisation, as_of)
        return counted(reader, settled, checked(reader, settled, Asked(rows, columns, since, until, filters)))


# Totals


Step = tuple[str, int, int]
"""What is done, to which record, and with what."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(("submit", "submit", "submit", "correct", "link", "withdraw", "duplicate")),
        st.integers(0, 9),
        st.integers(0, 9),
    ),
    min_size=6,
    max_size=14,
)
MOMENTS = ("2026-02-20", "2026-02-21T07:45:00Z", "2026-02-22T23:59:59Z", "2026-03-01T00:00:00Z", "2026-03-01T19:45:00Z")
STAGES = ("handover", "administer", "unknown")


def live(office: Office, steps: Sequence[Step]) -> None:
    """Carry the steps out; what a rule refuses did not happen."""
    ids = [office.submit()["id"]]
    for what, which, how in steps:
        one, another = ids[which % len(ids)], ids[how % len(ids)]
        with suppress(Refused):
            match what:
                case "submit":
                    classification = ("near_miss", "no_harm_incident", "harm_incident")[how % 3]
                    link = {**LINK, "stage_allowed": STAGES[which % 3]} if how % 2 else None
                    said = {"service_id": f"s{which % 3}", "occurred_at": MOMENTS[how % len(MOMENTS)]}
                    ids.append(office.submit(**said, classification=classification, workflow_link=link)["id"])
                case "correct":
                    office.do(
                        office.correction(one, service_id=f"s{how % 3}", occurred_at=MOMENTS[which % len(MOMENTS)])
                    )
                case "link":
                    office.do(office.link(one, stage_allowed=STAGES[how % 3]))
                case "withdraw":
                    office.do(office.withdrawal(one))
                case _:
                    office.do(office.duplicate(one, another))


def recounted(ledger: Sequence[Envelope], rows: str, columns: str) -> Counter[tuple[str | None, str | None]]:
    """Every record that stands, by the same two axes."""
    records: dict[str, dict[str, Any]] = {}
    for envelope in ledger:
        data = json.loads(envelope.payload)
        match envelope.type:
            case "near_miss.recorded":
                link = data.get("workflow_link")
                records[envelope.subject] = {"report": data["report"], "link": link, "stands": True}
            case "near_miss.corrected" | "near_miss.details_completed":
                records[envelope.subject]["report"] = data["report"]
            case "near_miss.linked":
                records[envelope.subject]["link"] = data["link"]
            case "near_miss.withdrawn" | "near_miss.marked_duplicate":
                records[envelope.subject]["stands"] = False
            case "near_miss.duplicate_undone":
                records[envelope.subject]["stands"] = True
            case _:
                pass
    standing = [one for one in records.values() if one["stands"] and one["report"]["classification"] in COUNTED]
    return Counter((label(one, rows), label(one, columns)) for one in standing)


def label(record: Mapping[str, Any], axis: str) -> str | None:
    report, link = record["report"], record["link"] or {}
    text = report["occurred_at"]
    when = datetime.fromisoformat(text).replace(tzinfo=UTC)
    match axis:
        case "stage_allowed" | "stage_affected":
            return link.get(axis) or report.get(axis)
        case "weekday":
            return DAYS[when.weekday()]
        case "hour":
            return None if len(text) == len("2026-03-01") else str(when.hour)
        case "month":
            return f"{when:%Y-%m}"
        case "week":
            return f"{when:%G-W%V}"
        case _:
            return report.get(axis)


@given(steps=STEPS, axes=st.tuples(st.sampled_from(AXES), st.sampled_from(AXES)), back=st.integers(0, 20))
@settings(max_examples=rounds(40))
def test_whatever_happened_the_map_is_a_recount_of_the_events(
    migrated_sqlite: Path, steps: list[Step], axes: tuple[str, str], back: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(f"sqlite:///{shutil.copy(migrated_sqlite, folder)}") as office:
        live(office, steps)

        reconciles(office, axes, back)


def test_on_either_database_the_map_is_a_recount_of_the_events(office: Office) -> None:
    steps = [("submit", n, n + 1) for n in range(6)] + [("link", 2, 0), ("duplicate", 3, 1), ("withdraw", 1, 0)]
    live(office, [*steps, ("correct", 4, 2)])

    for axes in (("stage_allowed", "shift_bracket"), ("service_id", "week"), ("weekday", "hour")):
        reconciles(office, axes, 4)


def reconciles(office: Office, axes: tuple[str, str], back: int) -> None:
    """Now, and as of some events ago."""
    ledger = office.ledger()
    for as_of in (None, max(1, len(ledger) - back)):
        found = mapped(office, *axes, as_of)
        expected = recounted(ledger[:as_of], *axes)
        has_no_stage = [
            where
            for where in expected
            if any(axis.startswith("stage") and one is None for axis, one in zip(axes, where, strict=True))
        ]
        assert found.unlinked == sum(expected.pop(where) for where in has_no_stage)
        assert found.counts == expected
        assert found.as_of_sequence == (as_of or len(ledger))


# What the hours explain


def test_a_row_is_spread_over_the_brackets_by_the_tables_of_its_own_services(office: Office) -> None:
    office.do(office.registration("willow", service_type="care_home"))
    office.do(office.registration("rowan", service_type="home_care"))
    for service_id, clock in (("willow", "07:45"), ("willow", "12:00"), ("rowan", "12:30"), ("rowan", "15:00")):
        office.submit(service_id=service_id, occurred_at=f"2026-03-01T{clock}:00Z", workflow_link=LINK)
    office.submit(service_id="willow", occurred_at="2026-03-01", workflow_link=LINK)  # No hour, so no share of them.

    found = mapped(office, "stage_allowed", "shift_bracket")

    assert found.counts["handover", None] == 1
    assert found.expected == {
        ("handover", "morning_handover"): pytest.approx(2 * 0.75 / 24),
        ("handover", "day"): pytest.approx(2 * 11.25 / 24),
        ("handover", "lunch"): pytest.approx(2 * 3 / 24),
        ("handover", "unassigned"): pytest.approx(2 * 12 / 24),
    }


def test_the_policys_own_table_spreads_by_its_first_row_that_has_an_hour(office: Office) -> None:
    rows = [("early", "06:00", "14:00"), ("late", "13:00", "22:00"), ("night", "22:00", "05:00")]
    table = [{"bracket": name, "from": begins, "to": ends} for name, begins, ends in rows]
    office.do(office.adoption({}, shifts={"*": table}))
    for clock in ("13:30", "14:30", "23:00", "05:30"):
        office.submit(occurred_at=f"2026-03-01T{clock}:00Z")

    found = mapped(office, "service_id", "shift_bracket")
    turned = mapped(office, "shift_bracket", "service_id")

    of_bracket = {column: share * 24 / 4 for (_, column), share in found.expected.items()}
    assert of_bracket == pytest.approx({"early": 8, "late": 8, "night": 7, "unassigned": 1})
    assert turned.expected == {(column, row): share for (row, column), share in found.expected.items()}


def test_hours_are_alike_and_weekdays_as_many_as_the_period_has(office: Office) -> None:
    for day in ("2026-02-22", "2026-02-23", "2026-03-01"):
        office.submit(occurred_at=f"{day}T10:00:00Z")

    by_hour = mapped(office, "service_id", "hour")
    by_weekday = mapped(office, "service_id", "weekday")
    of_eight_days = mapped(office, "service_id", "weekday", period=("2026-02-22", "2026-03-02"))

    assert by_hour.expected == {("willow-house", "10"): pytest.approx(3 / 24)}
    assert set(by_weekday.expected.values()) == {3 * (1 / 7)}
    assert of_eight_days.expected["willow-house", "sun"] == pytest.approx(3 * 2 / 8)
    assert of_eight_days.expected["willow-house", "mon"] == pytest.approx(3 * 1 / 8)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ("weekday", "weekday"),
        ("hour", "hour"),
        ("shift_bracket", "shift_bracket"),
        ("hour", "shift_bracket"),
        ("shift_bracket", "hour"),
    ],
)
def test_where_one_axis_follows_from_the_other_nothing_is_expected(office: Office, rows: str, columns: str) -> None:
    for day in range(1, 7):
        office.submit(occurred_at=f"2026-03-0{1 + day % 2}T0{day}:00:00Z")

    cells = document(mapped(office, rows, columns))["cells"]

    assert all(cell.keys() == {"row", "column", "count"} for cell in cells)


def test_without_an_axis_of_the_clock_nothing_is_expected(office: Office) -> None:
    office.submit()

    assert mapped(office, "service_id", "month").expected == {}


@pytest.mark.parametrize(
    ("count", "line", "expected", "hot"),
    [
        (3, 4, 4 * 0.03125, True),
        (2, 2, 2 * 0.03125, False),  # Two are no cluster.
        (40, 90, 42.2, False),
        (70, 90, 42.2, True),
        (5, 10, 5.0, False),
        (30_000, 1_000_000, 31_250.0, False),
        (32_000, 1_000_000, 31_250.0, True),
        (3, 3, 0.0, True),
    ],
)
def test_a_cell_is_hot_when_the_hours_would_hardly_ever_explain_it(
    count: int, line: int, expected: float, hot: bool
) -> None:
    assert is_hot(count, line, expected) is hot


# Rates


def stated(office: Office, *items: Denominator) -> None:
    office.do(office.command(lambda desk, cause: denominators.state(desk, cause, items)))


def month_of(service_id: str, **amounts: int) -> list[Denominator]:
    return [Denominator(service_id, date(2026, 2, day).isoformat(), **amounts) for day in range(1, 29)]


FEBRUARY = ("2026-02-01", "2026-03-01")


def test_a_rate_is_told_once_every_service_and_day_of_the_period_is_known(office: Office) -> None:
    for service_id, day in (("s1", "03"), ("s1", "10"), ("s1", "11"), ("s2", "10")):
        office.submit(service_id=service_id, occurred_at=f"2026-02-{day}T10:00:00Z")
    asked = {"period": FEBRUARY, "incident_type": "medication"}
    stated(office, *month_of("s1", doses_due=50), *month_of("s2", doses_due=100)[1:])

    assert mapped(office, "service_id", "week", **asked).exposure is None  # The first day of s2 is not known.
    then = len(office.ledger())
    stated(office, *month_of("s2", doses_due=100))
    found = mapped(office, "service_id", "week", **asked)
    shown = document(found)

    assert shown["rate_per"] == "doses_due"
    assert shown["exposure"] == 28 * 150
    assert shown["rate"] == pytest.approx(1000 * 4 / (28 * 150))
    rates = {(cell["row"], cell["column"]): cell["rate"] for cell in shown["cells"]}
    assert rates["s1", "2026-W07"] == pytest.approx(1000 * 2 / (7 * 50))
    assert rates["s2", "2026-W07"] == pytest.approx(1000 * 1 / (7 * 100))
    assert mapped(office, "service_id", "week", then, **asked).exposure is None
    assert mapped(office, "service_id", "week", len(office.ledger()), **asked) == found


def test_what_a_rate_is_of_hangs_on_what_is_counted(office: Office) -> None:
    office.submit(occurred_at="2026-02-10T10:00:00Z")
    stated(office, *month_of("willow-house", doses_due=50, visits_scheduled=20, resident_days=10))

    per = {
        kind: mapped(
            office, "weekday", "deviation", period=FEBRUARY, **({"incident_type": kind} if kind else {})
        ).exposure
        for kind in ("medication", "visit", "records", "")
    }

    told = {kind: (exposure.per, exposure.total) for kind, exposure in per.items() if exposure}
    assert told == {
        "medication": ("doses_due", 28 * 50),
        "visit": ("visits_scheduled", 28 * 20),
        "records": ("resident_days", 28 * 10),
        "": ("resident_days", 28 * 10),
    }


def test_no_rate_is_told_of_half_a_day_of_no_period_or_of_a_service_that_nothing_is_known_of(office: Office) -> None:
    office.submit(occurred_at="2026-02-10T10:00:00Z")
    stated(office, *month_of("willow-house", resident_days=10))

    assert mapped(office, "month", "deviation", period=FEBRUARY).exposure is not None
    assert mapped(office, "month", "deviation").exposure is None
    office.follow()
    with office.house.reader(office.organisation) as reader:
        settled = load(reader.connection, office.organisation)
        whole = Asked("month", "deviation", *(to_micros(parse_instant(f"{one}T00:00:00Z")) for one in FEBRUARY), {})
        assert whole.until is not None
        assert counted(reader, settled, replace(whole, until=whole.until - 1)).exposure is None
    office.submit(service_id="elsewhere", occurred_at="2026-02-10T10:00:00Z")
    assert mapped(office, "month", "deviation", period=FEBRUARY).exposure is None


# Withholding


def test_who_may_see_no_record_is_told_no_small_count_and_nothing_that_gives_one_away(office: Office) -> None:
    numbers = {("s1", 1): 6, ("s1", 2): 2, ("s2", 1): 7, ("s2", 2): 8}
    for (service_id, day), count in numbers.items():
        for _ in range(count):
            office.submit(service_id=service_id, occurred_at=f"2026-03-0{day}T09:00:00Z")

    found = mapped(office, "service_id", "weekday")
    shown = document(found, withholding=True)

    assert [cell["count"] for cell in document(found)["cells"]] == [2, 6, 8, 7]
    assert [cell["count"] for cell in shown["cells"]] == [None] * 4
    assert all(cell == {**cell, "count": None, "suppressed": True} and len(cell) == 4 for cell in shown["cells"])
    assert (shown["total"], shown["suppressed"]) == (23, True)


def test_a_lonely_small_number_takes_the_total_with_it(office: Office) -> None:
    for _ in range(3):
        office.submit()

    alone = document(mapped(office, "service_id", "incident_type"), withholding=True)
    unlinked = document(mapped(office, "stage_allowed", "month"), withholding=True)

    assert (alone["cells"][0]["count"], alone["total"]) == (None, None)
    assert (unlinked["cells"], unlinked["unlinked"], unlinked["total"]) == ([], None, None)


# What is not known


def test_everything_in_a_question_that_is_not_known_is_named_with_what_is_near_it(office: Office) -> None:
    office.submit()
    office.follow()
    filters = {"incident_type": "medicaton", "stage_allowed": "handovr", "service_id": "wilow", "locality": "norht"}
    with office.house.reader(office.organisation) as reader, pytest.raises(Invalid) as refused:
        checked(reader, settled_of(reader), Asked("stage_alowed", "wekday", 2, 1, filters))

    faults = {fault.pointer: fault for fault in refused.value.faults}
    assert {pointer: fault.code for pointer, fault in faults.items()} == {
        "/query/rows": "unknown-code",
        "/query/columns": "unknown-code",
        "/query/incident_type": "unknown-code",
        "/query/stage_allowed": "unknown-code",
        "/query/service_id": "unknown-code",
        "/query/locality": "unknown-code",
        "/query/to": "out-of-order",
    }
    assert "the nearest: stage_allowed" in faults["/query/rows"].detail
    assert "weekday" in faults["/query/columns"].detail
    assert "medication" in faults["/query/incident_type"].detail
    assert "handover" in faults["/query/stage_allowed"].detail
    assert "willow-house" in faults["/query/service_id"].detail


def test_a_map_of_then_stays_when_all_that_was_on_it_is_gone(office: Office) -> None:
    told = office.submit(service_id="ash-court")
    office.do(office.withdrawal(told["id"]))

    then = mapped(office, "service_id", "weekday", as_of=told["sequence"], service_id="ash-court")

    assert sum(then.counts.values()) == 1
    with pytest.raises(Invalid):
        mapped(office, "service_id", "weekday", service_id="ash-court")


def settled_of(reader: Reader) -> Any:
    return load(reader.connection, reader.organisation)
