"""Every crossing that the rules in force should have found, event by event, held against what was raised (S3, S5).

A change of a record is judged by the anchors whose window holds it, under its former and its new key; a version of the
policy looks at (now − W, now]; the end of a cool-down at what it put off. A crossing is to be raised by the command
that made it: what is not there when that command's events are over is missing. It is then taken for open, so that it
is told once, and what may still stand in the ledger about its escalation is taken for what it is.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from app.domain.adoption import INITIAL
from app.domain.moment import EARLIEST, LATEST, holds, lower_bound, moment_of, upper_bound
from app.domain.policy import Policy, parse_policy
from app.domain.rule import Rule
from app.proof.assurance_counting import Line
from app.proof.assurance_entries import Entries
from app.proof.assurance_escalations import Escalations
from app.proof.assurance_records import ENDINGS, REVISIONS, Records, micros
from app.proof.assurance_scratch import Scratch
from app.proof.assurance_windows import Entry, Full, Placed, full_windows, inside_of, opening, point_of, qualifies
from app.proof.events import Event


class Expected(NamedTuple):
    """A crossing that the command which made it should raise. `named`: the key's parts by field."""

    rule_id: str
    key: str
    named: dict[str, Any]
    crossed_at: int
    members: tuple[int, ...]
    historical: bool
    sequence: int
    recorded_at: int
    correlation_id: str


class Crossings:
    """Follows the ledger; what it finds stands with the escalations."""

    def __init__(self, scratch: Scratch, escalations: Escalations) -> None:
        self._scratch = scratch
        self._escalations = escalations
        self._records = Records(scratch)
        self._expected: list[Expected] = []
        self._remembered: dict[tuple[str, str], tuple[int, int]] = {}
        self.policy: Policy = INITIAL
        self.entries = Entries(scratch, self._records, self.policy)

    def follow(self, event: Event) -> None:
        """Take in the next event."""
        self.entries.patience.grow()
        if self._expected and (event.correlation_id != self._expected[0].correlation_id or event.type in _JUDGED):
            self.settle()
        match event.type:
            case "near_miss.recorded":
                change = self._records.begin(event)
                self._judge(event, self.entries.move(change), as_history=change.after.exempt == "history")
            case kind if kind in REVISIONS or kind in ENDINGS:
                change = self._records.change(event)
                if change is not None:
                    self._judge(event, self.entries.move(change), revised=True)
            case "near_miss.closed" | "near_miss.reopened":
                self._records.change(event)
            case "policy.adopted":
                self.policy = parse_policy(event.data["policy"], event.data["policy_version"])
                self.entries.adopt(self.policy)
                self._adopt(event)
            case "watch.cooldown_extended":
                until = micros(event.data["until"])
                self._scratch.do(
                    "UPDATE waits SET until = ? WHERE rule = ? AND key = ?",
                    (until, event.data["rule_id"], event.data["key_text"]),
                )
            case "watch.cooldown_ended":
                self._cool_down_ended(event)
            case "escalation.raised":
                self._raised(event)
            case "escalation.closed" | "escalation.monitoring_begun" | "escalation.merged":
                self._ended(event)
            case "escalation.reopened":
                self._reopened(event)
            case _:
                pass

    def settle(self) -> None:
        """The command is over: what it should have raised and did not is missing."""
        for one in self._expected:
            self._escalations.miss(
                _id_of(one), one.sequence, one.rule_id, one.key, one.named, one.crossed_at, one.recorded_at,
                self._records.ids(one.members), historical=one.historical,
            )  # fmt: skip
        self._expected.clear()

    # What is to be found

    def _judge(
        self, event: Event, judged: list[tuple[Rule, Placed]], *, revised: bool = False, as_history: bool = False
    ) -> None:
        for rule, where in judged:
            is_open = self._escalations.open_of(rule.id, where.key) is not None
            if is_open and not as_history:
                self.entries.forget(rule.id, where.key)
                continue
            horizon = EARLIEST
            if as_history:
                horizon = lower_bound(event.recorded_at, rule.window, rule.calendar, self.policy.zone)
            line = self.entries.line(rule, where)
            if line is None:
                is_told = as_history and self._goes_on(rule, where, horizon, is_open=is_open)
            else:
                is_told = self._tells_nothing(event, rule, where, line, horizon, is_open=is_open)
            if not is_told:
                self._look_around(event, rule, where, line, horizon)

    def _look_around(self, event: Event, rule: Rule, where: Placed, line: Line | None, horizon: int) -> None:
        """Every window that holds the record: up to the horizon they are history, after it they are of today."""
        at, patience = where.entry.moment.at, self.entries.patience
        entries = self.entries.of(rule, where.key, at - rule.width, at + rule.width)
        place = next(n for n, one in enumerate(entries) if one.sequence == where.entry.sequence)
        full = full_windows(rule, entries, self.policy.zone, patience, place)
        live = [one for one in full if entries[one.anchor].moment.at > horizon]
        if old := [one for one in full if entries[one.anchor].moment.at <= horizon]:
            self._remember(event, rule, where, entries, old)
        if live and self._escalations.open_of(rule.id, where.key) is None:
            found = _expected(event, rule, where.key, where.named, entries, live)
            waits = self._find(rule, found, event.recorded_at, [where.entry.sequence])
            if waits and line is not None:
                line.noted = at

    # What spares looking around: a busy key has thousands in every window, and most of them change nothing

    def _tells_nothing(
        self, event: Event, rule: Rule, where: Placed, line: Line, horizon: int, *, is_open: bool
    ) -> bool:
        """Whether the one window that the newest entry of its key is in is no pattern, or tells nothing new."""
        moment, reach = where.entry.moment, line.reach()
        low = opening(rule, moment, self.policy.zone)
        if reach is None or reach <= low:
            return True
        if line.began <= horizon:
            known = self._known_history(rule, where.key)
            return known is not None and known.moment.date_only is moment.date_only and point_of(known.moment) > low
        return is_open or self._waits_on(event, rule, where, line)

    def _waits_on(self, event: Event, rule: Rule, where: Placed, line: Line) -> bool:
        """Whether the crossing waits for the end of a cool-down already: then it only has some more members."""
        at = where.entry.moment.at
        if line.noted is None or rule.length is None or where.entry.moment.date_only:
            return False
        waits = self._scratch.one("SELECT 1 FROM waits WHERE rule = ? AND key = ?", rule.id, where.key) is not None
        if not waits or self._cooling_until(rule, where.key, event.recorded_at) is None:
            return False
        later = self.entries.of(rule, where.key, max(at - rule.length, line.noted), at)
        self._defer(rule, where.key, {one.sequence for one in later}, [where.entry.sequence], event.sequence)
        line.noted = at
        return True

    def _goes_on(self, rule: Rule, where: Placed, horizon: int, *, is_open: bool) -> bool:
        """Whether the record is in one full window with a member of a crossing that was remembered: a few of those in
        between are enough to see it.
        """
        known, entry = self._known_history(rule, where.key), where.entry
        if known is None or not (is_open or entry.moment.at + rule.width <= horizon):
            return False
        anchor = max(known, entry, key=lambda one: (one.moment.at, one.sequence))
        if anchor.moment.at > horizon:
            return False
        near = {one.sequence: one for one in self.entries.last(rule, where.key, anchor.moment.at, 2 * rule.threshold)}
        near |= {known.sequence: known, entry.sequence: entry}
        held = {one.sequence for one in near.values() if self._holds(rule, anchor, one)}
        inside = sorted((near[one] for one in held), key=lambda one: (one.moment.at, one.sequence))
        return held >= {known.sequence, entry.sequence} and qualifies(rule, inside)

    def _holds(self, rule: Rule, anchor: Entry, one: Entry) -> bool:
        return holds(anchor.moment, one.moment, rule.window, rule.calendar, self.policy.zone)

    def _known_history(self, rule: Rule, key: str) -> Entry | None:
        """An entry of the key that is in a crossing which was remembered, if one is at hand."""
        known = self._remembered.get((rule.id, key))
        return None if known is None else self.entries.find(rule, key, *known)

    def _find(self, rule: Rule, found: Expected, now: int, deferring: Sequence[int]) -> bool:
        """A crossing of a key that nothing is open for: it is raised, or waits for the end of the key's cool-down.

        Returns whether it waits. `deferring`: what the end of it has to look at again, wherever it stands.
        """
        until = self._cooling_until(rule, found.key, now)
        if until is None:
            self._expected.append(found)
            return False
        waits = (rule.id, found.key, json.dumps(found.named), until, found.crossed_at)
        self._scratch.do("INSERT OR IGNORE INTO waits VALUES (?, ?, ?, ?, ?)", waits)
        self._defer(rule, found.key, found.members, deferring, found.sequence)
        return True

    def _defer(self, rule: Rule, key: str, members: Iterable[int], deferring: Sequence[int], sequence: int) -> None:
        self._scratch.do_each(
            "INSERT OR IGNORE INTO deferred VALUES (?, ?, ?, 0)", [(rule.id, key, one) for one in members]
        )
        again = "UPDATE deferred SET sequence = ? WHERE rule = ? AND key = ? AND record = ?"
        self._scratch.do_each(again, [(sequence, rule.id, key, one) for one in deferring])

    def _remember(
        self, event: Event, rule: Rule, where: Placed, entries: Sequence[Entry], full: Sequence[Full]
    ) -> None:
        """A crossing of imported history goes on in one that it shares a member with, else it is one of its own."""
        found = _expected(event, rule, where.key, where.named, entries, full)._replace(historical=True)
        place = self._escalations.last_historical(rule.id, where.key, self._records.ids(found.members))
        if place is None:
            self._expected.append(found)
            return
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        known = next(one for one in entries if one.sequence == found.members[place])
        self._remembered[rule.id, where.key] = known.moment.at, known.sequence

    def _adopt(self, event: Event) -> None:
        now, zone = event.recorded_at, self.policy.zone
        here = moment_of(now, zone)
        for rule in self.entries.active.values():
            low, high = now - rule.width, now + rule.width
            for key, near in self.entries.keys(rule, low, high):
                entries = [one for one in near if holds(here, one.moment, rule.window, rule.calendar, zone)]
                self._look(event, rule, key, entries, full_windows(rule, entries, zone, self.entries.patience), now)

    def _cool_down_ended(self, event: Event) -> None:
        rule_id, key, now = event.data["rule_id"], event.data["key_text"], micros(event.data["scheduled_at"])
        rule, closed = self.entries.active.get(rule_id), self._escalations.closed_of(rule_id, key)
        if rule is not None and closed is not None and len(json.loads(key)) == len(rule.group_by):
            chosen = "SELECT record FROM deferred WHERE rule = ? AND key = ? AND sequence > ?"
            deferred = {row[0] for row in self._scratch.all(chosen, rule_id, key, closed.sequence)}
            entries = self.entries.of(rule, key, EARLIEST, LATEST)
            since = [
                place for place, one in enumerate(entries) if one.sequence > closed.sequence or one.sequence in deferred
            ]
            full = full_windows(rule, entries, self.policy.zone, self.entries.patience)
            chosen_windows = [one for one in full if one.holds_any(since)]
            if self._cooling_until(rule, key, now) is None:
                self._look(event, rule, key, entries, chosen_windows, now)
        self._waits_no_more(rule_id, key)

    def _look(
        self, event: Event, rule: Rule, key: str, entries: Sequence[Entry], full: Sequence[Full], now: int
    ) -> None:
        if full and self._escalations.open_of(rule.id, key) is None:
            named = dict(zip(rule.group_by, json.loads(key), strict=True))
            found = _expected(event, rule, key, named, entries, full)
            self._find(rule, found, now, found.members)

    def _cooling_until(self, rule: Rule, key: str, now: int) -> int | None:
        closed = self._escalations.closed_of(rule.id, key)
        if closed is None or rule.cooldown is None:
            return None
        until = upper_bound(closed.at, rule.cooldown, rule.calendar, self.policy.zone)
        return until if until > now else None

    # What was raised, and how it went on

    def _raised(self, event: Event) -> None:
        data = event.data
        named = (data["rule_id"], data["key_text"], bool(data.get("historical")))
        found = next((one for one in self._expected if (one.rule_id, one.key, one.historical) == named), None)
        if found is not None:
            self._expected.remove(found)
        self._escalations.begin(event, None if found is None else found.crossed_at)
        if "previous_episode_id" in data:
            self._waits_no_more(data["rule_id"], data["key_text"])

    def _ended(self, event: Event) -> None:
        if (rule_id := self._escalations.rule_of(event.subject)) is not None and event.data.get("consumed"):
            self.entries.consume(rule_id, event.subject, event.data["consumed"])

    def _reopened(self, event: Event) -> None:
        standing = self._escalations.crossing_of(event.subject)
        if standing is not None:
            rule_id, key = standing
            self.entries.give_back(rule_id, event.subject, key, self._escalations.members_of(event.subject))

    def _waits_no_more(self, rule_id: str, key: str) -> None:
        self._scratch.do("DELETE FROM waits WHERE rule = ? AND key = ?", (rule_id, key))


_MOST_REMEMBERED = 4096
_JUDGED = REVISIONS | ENDINGS | {"near_miss.recorded", "policy.adopted", "watch.cooldown_ended"}


def _expected(
    event: Event, rule: Rule, key: str, named: dict[str, Any], entries: Sequence[Entry], full: Sequence[Full]
) -> Expected:
    return Expected(
        rule.id,
        key,
        named,
        entries[full[0].anchor].moment.at,
        tuple(entries[place].sequence for place in inside_of(full)),
        False,
        event.sequence,
        event.recorded_at,
        event.correlation_id,
    )


def _id_of(found: Expected) -> str:
    """The id under which the service would have raised it, so that whatever else is told of it is recognised."""
    try:
        return "esc_" + uuid5(UUID(found.correlation_id), f"escalation {found.rule_id} {found.key}").hex
    except ValueError:
        return f"esc_missing_{found.sequence}"
