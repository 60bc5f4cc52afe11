"""The reviews that rules in shadow would have opened: worked out from the windows that they keep, and never stored.

A shadow rule counts what any other counts, but no review of its own consumes it. What it shows is what stands now:
a record that was corrected since is where it is now, one that was withdrawn is nowhere.
"""

from array import array
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select

from app.database.tables import standing, window_entries
from app.domain.decider import Fault, Invalid
from app.domain.moment import Moment, format_instant, from_micros
from app.domain.rule import Rule
from app.domain.similarity import Entry, Placement
from app.operations.backtest_comparing import listed
from app.operations.backtest_counting import Counting, patience
from app.operations.backtest_history import Placed
from app.operations.configuration import Configuration
from app.operations.memory import key_of
from app.operations.show import Reader

MOST_ENTRIES = 2_000_000
MEMBERS = 100


def shadow_episodes(
    reader: Reader, settled: Configuration, rules: Sequence[Rule], since: int, until: int, now: int
) -> list[tuple[tuple[int, int], dict[str, Any]]]:
    """Those that began in a period, the newest first: by the ledger's place of the report that crossed, and the rule.

    Raises `Invalid` for rules that hold more than can be looked at.
    """
    effort = patience()
    found: list[tuple[tuple[int, int], dict[str, Any]]] = []
    for rule in rules:
        ids, sequences, placed = _read(reader, rule)
        had = Counting(placed, settled.zone, effort).episodes(rule)
        number = settled.policy.judging.index(rule)
        for one in listed(placed, rule, had, since, until):
            crossing = max(sequences[member] for member in one.members)
            document: dict[str, Any] = {
                "rule_id": rule.id,
                "key": dict(zip(rule.group_by, one.key, strict=True)),
                "threshold": rule.threshold,
                "window": rule.window.text,
                "crossed_at": format_instant(from_micros(one.crossed_at)),
                "near_miss_ids": [ids[member] for member in one.members[:MEMBERS]],
                "count": len(one.members),
            }
            if one.until <= now:
                document["until"] = format_instant(from_micros(one.until))
            found.append(((crossing, number), document))
    return sorted(found, key=lambda one: one[0], reverse=True)


def _read(reader: Reader, rule: Rule) -> tuple[list[str], Sequence[int], Placed]:
    """Of each entry of a rule its near miss, the place of that in the ledger, and where it is counted."""
    row = window_entries.c
    its = (row.organisation == reader.organisation, row.rule_id == rule.id, *standing(window_entries, reader.as_of))
    count = reader.connection.execute(select(func.count()).select_from(window_entries).where(*its)).scalar_one()
    if count > MOST_ENTRIES:
        detail = f"The rule {rule.id} holds {count:,} near misses, more than are looked at at once ({MOST_ENTRIES:,})."
        raise Invalid(Fault("/query/rule_id", "too-many", detail))
    chosen = select(
        row.near_miss_id, row.sequence, row.key_text, row.at, row.day, row.date_only, row.weight, row.distinct_value,
        row.incident_type,
    ).where(*its)  # fmt: skip
    ids: list[str] = []
    sequences = array("q")
    placed = Placed(rule)
    for near_miss_id, sequence, text, at, day, date_only, *counted in reader.connection.execute(
        chosen.order_by(row.sequence).execution_options(yield_per=2000)
    ):
        moment = Moment(at, day, bool(date_only))
        entry = Entry(near_miss_id, sequence, moment, *counted)
        placed.take(Placement("counted", key_of(text), text, entry), len(ids), is_harm=False)
        ids.append(near_miss_id)
        sequences.append(sequence)
    return ids, sequences, placed
