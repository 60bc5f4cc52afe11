"""An organisation's near misses as rules would place them: read once from their own streams, kept as columns.

Whatever stands counts, however long ago a review consumed it; what was withdrawn or is a duplicate never does. Of each
record only its key, its time and its number are kept, so that memory grows with the near misses and not with their
words. Rules that place alike share one set of columns.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce

from sqlalchemy import ColumnElement, Connection, func, select

from app.database.tables import near_misses
from app.domain import near_miss
from app.domain.decider import Fault, Invalid
from app.domain.moment import EARLIEST
from app.domain.rule import Rule
from app.domain.similarity import Facts, Key, Number, Placement, place
from app.events.codec import decode
from app.events.store import read_streams
from app.projections.facts import facts_of

MOST_PLACED = 5_000_000
"""Near misses times rules that place differently: what one backtest may look at."""
HARM = "harm_incident"
_GONE = ("withdrawn", "duplicate")
_PAGE = 1000


@dataclass(slots=True)
class Placed:
    """Where one rule counts every record: columns in the order of the ledger.

    `codes`: the number of the key; `records`: the number of the record in the history. `details`: what a rule may
    count besides reports. `harm`: of each harm incident with a key its number, its time and its record.
    """

    rule: Rule
    keys: list[Key] = field(default_factory=list[Key])
    texts: dict[str, int] = field(default_factory=dict[str, int])
    codes: "array[int]" = field(default_factory=lambda: array("q"))
    at: "array[int]" = field(default_factory=lambda: array("q"))
    days: "array[int]" = field(default_factory=lambda: array("q"))
    dated: "array[int]" = field(default_factory=lambda: array("b"))
    records: "array[int]" = field(default_factory=lambda: array("q"))
    details: list[tuple[Number, str | None, str]] = field(default_factory=list[tuple[Number, str | None, str]])
    harm: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])

    def take(self, placement: Placement, record: int, *, is_harm: bool) -> None:
        """Put a record where the rule puts it, if that is anywhere."""
        if placement.key_text is None:
            return
        code = self.texts.setdefault(placement.key_text, len(self.keys))
        if code == len(self.keys):
            self.keys.append(placement.key)
        moment = placement.entry.moment
        if is_harm:
            self.harm.append((code, moment.at, record))
        if placement.kind == "counted":
            self.codes.append(code)
            self.at.append(moment.at)
            self.days.append(moment.day)
            self.dated.append(moment.date_only)
            self.records.append(record)
            entry = placement.entry
            self.details.append((entry.weight, entry.distinct, entry.incident_type))


@dataclass(slots=True)
class History:
    """The near misses since an instant, by rule. `ids`, `services`, `sequences`: of each record, by its number."""

    ids: list[str] = field(default_factory=list[str])
    services: list[str | None] = field(default_factory=list[str | None])
    sequences: "array[int]" = field(default_factory=lambda: array("q"))
    first_at: int | None = None
    placed: dict[str, Placed] = field(default_factory=dict[str, Placed])

    def of(self, rule: Rule) -> Placed:
        """Where the rule, or one that places like it, put them."""
        return self.placed[rule.placement]


def read(
    connection: Connection,
    organisation: str,
    rules: Iterable[Rule],
    since: int = EARLIEST,
    as_of: int | None = None,
    most: int = MOST_PLACED,
) -> History:
    """The near misses that happened after an instant and stand (by ledger sequence `as_of`), placed by these rules.

    Raises `Invalid` when there are more than `most` to place.
    """
    history = History()
    for rule in rules:
        history.placed.setdefault(rule.placement, Placed(rule))
    found = count(connection, organisation, since, as_of)
    _refuse_more(found, len(history.placed), most)
    for facts in _standing(connection, organisation, since, as_of):
        _take(history, facts)
    return history


def _take(history: History, facts: Facts) -> None:
    record = len(history.ids)
    service = facts.values.get("service_id")
    history.ids.append(facts.near_miss_id)
    history.services.append(service if isinstance(service, str) else None)
    history.sequences.append(facts.sequence)
    at = facts.moment.at
    history.first_at = at if history.first_at is None else min(history.first_at, at)
    is_harm = facts.values.get("classification") == HARM
    for placed in history.placed.values():
        if (placement := place(placed.rule, facts)) is not None:
            placed.take(placement, record, is_harm=is_harm)
        facts.placed.clear()  # Rules of two policies have the same id.


def _standing(connection: Connection, organisation: str, since: int, as_of: int | None) -> Iterator[Facts]:
    row, after = near_misses.c, 0
    chosen = select(row.near_miss_id, row.sequence).where(*_chosen(organisation, since, as_of))
    while page := connection.execute(chosen.where(row.sequence > after).order_by(row.sequence).limit(_PAGE)).all():
        after = page[-1].sequence
        yield from _folded(connection, organisation, [(one, sequence) for one, sequence in page], since, as_of)


def _folded(
    connection: Connection, organisation: str, page: Sequence[tuple[str, int]], since: int, as_of: int | None
) -> Iterator[Facts]:
    streams = read_streams(connection, organisation, [f"near_miss/{one}" for one, _ in page], as_of)
    for near_miss_id, sequence in page:
        told = streams[f"near_miss/{near_miss_id}"]
        state = reduce(near_miss.evolve, map(decode, told), near_miss.UNRECORDED)
        if state.counts:
            facts = facts_of(near_miss_id, sequence, state)
            if facts.moment.at > since:
                yield facts


def _chosen(organisation: str, since: int, as_of: int | None) -> list[ColumnElement[bool]]:
    """The register knows only what stands now: of then, each record is asked itself."""
    row = near_misses.c
    if as_of is not None:
        return [row.organisation == organisation, row.sequence <= as_of]
    return [row.organisation == organisation, row.state.not_in(_GONE), row.occurred_at > since]


def count(connection: Connection, organisation: str, since: int, as_of: int | None = None) -> int:
    """How many near misses there are to be looked at."""
    chosen = select(func.count()).select_from(near_misses).where(*_chosen(organisation, since, as_of))
    return connection.execute(chosen).scalar_one()


def _refuse_more(found: int, placements: int, most: int) -> None:
    if found * max(1, placements) > most:
        detail = (
            f"{found:,} near misses under {placements} rules are more than one backtest looks at ({most:,} in all): "
            "begin later, or try fewer rules at once."
        )
        raise Invalid(Fault("/from", "too-many", detail))
