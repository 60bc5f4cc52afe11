"""Maps and trends of one quarter, among the near misses of two and a half years and among those of centuries.

The rate is the same, so the quarter holds as many in both: how long the history is must not matter.
What a map of all time costs is told beside it, without an aim: it counts every row. The follower is asked how many
events a second it makes into rows, with few of them there already and with many. Facts are filled by one statement.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text

from app.database.tables import FOR_EVER
from app.domain.moment import to_micros
from app.operations.follow import catch_up
from app.operations.heatmaps import Asked, counted, document
from app.operations.house import House
from app.operations.trends import Asked as TrendAsked
from app.operations.trends import trends
from app.projections.heatmap import WEEKDAYS
from bench.databases import new_database, postgresql
from bench.ledger import NOON, all_recorded, opened_house, submission
from bench.measure import Aim, Line, Scale, compare

NOT_SLOWER = Aim("at least", 1 / 1.3)
QUARTER = timedelta(days=90)
DAYS = 900
"""Of the shorter history: as far back as a trend looks for what is usual."""

_FILL = """
INSERT INTO heatmap_facts (organisation, near_miss_id, valid_to, valid_from, occurred_at, day, classification,
  service_id, locality, source, incident_type, deviation, stage_allowed, stage_affected, recovery_barrier,
  shift_bracket, weekday, hour, week, month)
SELECT 'default', 'nm_' || (d.day * :a_day + n.n), v.valid_to, v.valid_from,
  d.midnight + n.n * (86400000000 / :a_day), d.day,
  CASE WHEN n.n % 8 = 0 THEN 'no_harm_incident' ELSE 'near_miss' END, 'service-' || ((n.n * 7 + d.day) % 40),
  'place-' || (n.n % 5), 'emar', CASE WHEN n.n % 3 = 0 THEN 'visit' ELSE 'medication' END, 'late',
  CASE WHEN v.is_linked = 1 THEN 'stage-' || ((n.n + d.day) % 8) END, 'administer',
  CASE WHEN n.n % 10 = 0 THEN 'chance' ELSE 'colleague' END,
  CASE WHEN n.n % 3 = 0 THEN 'night' WHEN n.n % 10 = 1 THEN 'morning_handover' ELSE 'day' END,
  d.weekday, n.n * 24 / :a_day, d.week, d.month
FROM bench_days d CROSS JOIN bench_numbers n CROSS JOIN bench_validity v
"""
"""Each record has two rows: as it was recorded, and as it stands since it was linked."""


def on_postgresql(scale: Scale) -> list[Line]:
    """Everything on PostgreSQL."""
    with postgresql(scale.folder) as server:
        return _measured("postgresql", scale, lambda _name: new_database(server))


def on_sqlite(scale: Scale) -> list[Line]:
    """Everything on SQLite."""
    return _measured("sqlite", scale, lambda name: f"sqlite:///{scale.folder / name}.db")


def _measured(database: str, scale: Scale, url: Callable[[str], str]) -> list[Line]:
    few, many = scale.pick(10_000, 1_000), scale.pick(1_000_000, 100_000)
    a_day = few // DAYS
    with ExitStack() as stack:
        small, large = (
            stack.enter_context(_filled(url(name), rows // a_day, a_day))
            for name, rows in (("few", few), ("many", many))
        )
        between = f"{many}_against_{few}_{database}"
        times = scale.pick(20, 10)
        lines = [
            compare(
                f"{name}_{between}",
                unit,
                lambda ask=ask, times=times: _asked(small, ask, times),
                lambda ask=ask, times=times: _asked(large, ask, times),
                aim,
                scale.rounds,
            )
            for name, unit, ask, times, aim in (
                ("heatmap_quarter", "maps/s", _map_of_a_quarter, times, NOT_SLOWER),
                ("trends_quarter", "answers/s", _trends_of_a_quarter, times, NOT_SLOWER),
                ("heatmap_all_time", "maps/s", _map_of_all_time, 2, None),
            )
        ]
        lines.append(_following(f"heatmap_follower_{between}", small, large, scale))
        return lines


@contextmanager
def _filled(url: str, days: int, a_day: int) -> Iterator[House]:
    with opened_house(url) as house:
        _fill(house, days, a_day)
        yield house


def _fill(house: House, days: int, a_day: int) -> None:
    """As many days of as many records as are asked for, the last of them the one before noon's."""
    with house.database.write() as connection:
        for table in (
            "bench_days (day integer, midnight bigint, weekday text, week text, month text)",
            "bench_numbers (n bigint)",
            "bench_validity (valid_from bigint, valid_to bigint, is_linked integer)",
        ):
            connection.execute(text(f"CREATE TEMPORARY TABLE {table}"))
        connection.execute(text("INSERT INTO bench_numbers VALUES (:n)"), [{"n": n} for n in range(a_day)])
        connection.execute(
            text("INSERT INTO bench_validity VALUES (1, 2, 0), (2, :for_ever, 1)"), {"for_ever": FOR_EVER}
        )
        last = NOON.date().toordinal() - 1
        connection.execute(
            text("INSERT INTO bench_days VALUES (:day, :midnight, :weekday, :week, :month)"),
            [_day(date.fromordinal(last - n)) for n in range(days)],
        )
        connection.execute(text(_FILL), {"a_day": a_day})
        for table in ("bench_days", "bench_numbers", "bench_validity"):
            connection.execute(text(f"DROP TABLE {table}"))
    with house.database.write() as connection:
        connection.exec_driver_sql("ANALYZE heatmap_facts")


def _day(day: date) -> dict[str, object]:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    labels = {"weekday": WEEKDAYS[day.weekday()], "week": f"{day:%G-W%V}", "month": f"{day:%Y-%m}"}
    return {"day": day.toordinal(), "midnight": to_micros(midnight), **labels}


def _asked(house: House, ask: Callable[[House], int], times: int) -> float:
    """How often a second the answer comes."""
    began = time.perf_counter()
    for _ in range(times):
        assert ask(house) > 0
    return times / (time.perf_counter() - began)


def _map_of_a_quarter(house: House) -> int:
    until = NOON.replace(hour=0)
    return _map(house, to_micros(until - QUARTER), to_micros(until))


def _map_of_all_time(house: House) -> int:
    return _map(house, None, None)


def _map(house: House, since: int | None, until: int | None) -> int:
    _follow(house)
    with house.reader("default") as reader:
        settled = house.configurations.now(reader.connection, "default")
        found = counted(reader, settled, Asked("stage_allowed", "shift_bracket", since, until, {}))
        return int(document(found)["total"])


def _trends_of_a_quarter(house: House) -> int:
    _follow(house)
    until = NOON.replace(hour=0)
    asked = TrendAsked("count", "service_id", "week", to_micros(until - QUARTER), to_micros(until), {})
    with house.reader("default") as reader:
        settled = house.configurations.now(reader.connection, "default")
        return len(trends(reader, settled, asked, NOON)["series"])


def _follow(house: House) -> int:
    return catch_up(house.database, house.batches.dialect, house.configurations, "default", "heatmap")


def _following(name: str, small: House, large: House, scale: Scale) -> Line:
    """New records, recorded first and then followed; only the following is timed."""
    count = scale.pick(2000, 300)
    sent = dict.fromkeys((id(small), id(large)), 0)

    def following(house: House) -> float:
        first = sent[id(house)]
        sent[id(house)] += count
        all_recorded(house.try_all([submission(house, number) for number in range(first, first + count)]))
        began = time.perf_counter()
        _follow(house)
        return count / (time.perf_counter() - began)

    return compare(name, "records/s", lambda: following(small), lambda: following(large), NOT_SLOWER, scale.rounds)
