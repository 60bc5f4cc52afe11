"""The decision over all rules: what one change of one near miss completes, joins, or takes support from.

A change is judged by exactly the anchors whose window holds the record, whatever the order in which reports arrive.
At most one episode is open for a rule and key; a crossing opens it, later ones grow it, and nothing here closes it:
support that is lost is only told (S3). A rule in shadow answers in the check and has no effect.
"""

from bisect import bisect
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from app.domain.episodes import (
    Hearing,
    cooling_until,
    grown,
    left,
    members_of,
    named_key,
    raised,
    related,
    remembered,
    support_lost,
)
from app.domain.judgement import (
    Attach,
    AttachHistorical,
    Closed,
    Defer,
    Detach,
    Effect,
    Episode,
    Judgement,
    Memory,
    Outcome,
    Raise,
    RaiseHistorical,
    RuleCheck,
    SupportLost,
    SupportRegained,
)
from app.domain.moment import EARLIEST, LATEST, holds, lower_bound, moment_of
from app.domain.policy import Policy
from app.domain.rule import Rule
from app.domain.similarity import (
    Entry,
    Facts,
    Key,
    Number,
    Placement,
    Window,
    event_time,
    key_text,
    place,
    reach,
    tally,
    windows,
)

__all__ = [
    "Attach",
    "AttachHistorical",
    "Closed",
    "Defer",
    "Detach",
    "Effect",
    "Episode",
    "Judgement",
    "Memory",
    "Outcome",
    "Raise",
    "RaiseHistorical",
    "RuleCheck",
    "Scan",
    "SupportLost",
    "SupportRegained",
    "adopt",
    "cooldown_over",
    "judge",
]


class Scan(Memory, Protocol):
    """A memory that can be read key by key."""

    def keys(self, rule: Rule, low: int, high: int) -> Iterable[tuple[Key, Sequence[Entry]]]:
        """Every key of the rule with its entries in (low, high], as `entries` gives them."""
        ...


class _Finding(NamedTuple):
    """The entries around a record, the record's place among them, and the windows that hold it."""

    entries: list[Entry]
    place: int
    windows: list[Window]


def judge(
    policy: Policy,
    memory: Memory,
    before: Facts | None,
    after: Facts | None,
    now: int,
    zone: ZoneInfo,
    as_history: bool = False,
) -> Judgement:
    """What recording (no `before`), changing (both) or withdrawing (no `after`) a near miss means, rule by rule.

    `now` in microseconds since 1970, `zone` the organisation's. The memory still shows the state before the change.
    `as_history`: an import at onboarding, whose crossings older than the window become historical.
    """
    checks: list[RuleCheck] = []
    effects: list[Effect] = []
    for rule in policy.judging:
        if rule.mode == "off":
            continue
        was = None if before is None else place(rule, before)
        comes = None if after is None else place(rule, after)
        if was is None and comes is None:
            continue
        hearing = Hearing(policy, rule, memory, now, zone, as_history)
        counted = was is not None and was.kind == "counted"
        consumed = was is not None and counted and _is_consumed(hearing, was)
        stays = was is not None and comes is not None and was.key_text == comes.key_text
        if was is not None and not stays and rule.mode == "active":
            effects += left(hearing, was, gave_support=counted and not consumed)
        if comes is not None and after is not None:
            gave_support = stays and counted and not consumed
            if comes.kind == "counted" and not consumed:
                check, following = _count(hearing, comes, gave_support)
            else:
                harm = after.values.get("classification") == "harm_incident"
                check, following = _look_on(hearing, comes, harm, gave_support)
            checks.append(check)
            effects += following
        elif was is not None and after is None:
            checks.append(_beside(hearing, was, "not_counted"))
    return Judgement(tuple(checks), tuple(effects))


def adopt(policy: Policy, memory: Scan, now: int, zone: ZoneInfo) -> tuple[Raise | Defer, ...]:
    """The episodes that a policy opens when it is adopted, or puts off: it looks only at reports in (now - W, now]."""
    here = moment_of(now, zone)
    opened: list[Raise | Defer] = []
    for rule in policy.judging:
        if rule.mode != "active":
            continue
        hearing = Hearing(policy, rule, memory, now, zone)
        for key, found in memory.keys(rule, *reach(rule, here)):
            entries = [entry for entry in found if holds(here, entry.moment, rule.window, rule.calendar, zone)]
            full = [window for window in windows(rule, entries, zone) if window.qualifies]
            if not full or memory.episode(rule, key) is not None:
                continue
            closed = memory.closed(rule, key)
            if (until := cooling_until(hearing, closed)) is None:
                opened.append(raised(hearing, key, entries, full, closed))
            else:
                opened.append(Defer(rule.id, key_text(key), members_of(entries, full), until))
    return tuple(opened)


def cooldown_over(
    policy: Policy,
    memory: Memory,
    rule_id: str,
    key: Key,
    now: int,
    zone: ZoneInfo,
    deferred: Collection[str] = (),
) -> Raise | None:
    """The episode that was put off while its key cooled down, or None: still cooling, open again, or below threshold.

    Looks at the windows of what was recorded since the closure, and of the `deferred`: near misses that are older
    but were told `cooling_down` when a correction brought them to the key.
    """
    rule = policy.rule(rule_id)
    if rule is None or rule.mode != "active" or len(key) != len(rule.group_by):
        return None
    hearing = Hearing(policy, rule, memory, now, zone)
    closed = memory.closed(rule, key)
    if closed is None or memory.episode(rule, key) is not None or cooling_until(hearing, closed) is not None:
        return None
    entries = list(memory.entries(rule, key, EARLIEST, LATEST))
    since = {
        at for at, entry in enumerate(entries) if entry.sequence > closed.sequence or entry.near_miss_id in deferred
    }
    full = [w for w in windows(rule, entries, zone) if w.qualifies and not since.isdisjoint(w.inside)]
    return raised(hearing, key, entries, full, closed) if full else None


def _count(hearing: Hearing, placed: Placement, gave_support: bool) -> tuple[RuleCheck, list[Effect]]:
    """A record that counts: it may complete a pattern, join one, or only come near."""
    rule, memory = hearing.rule, hearing.memory
    finding = _find(hearing, placed)
    full = [window for window in finding.windows if window.qualifies]
    if rule.mode == "shadow":
        return _check(hearing, placed, finding, "would_escalate" if full else "below_threshold"), []
    horizon = lower_bound(hearing.now, rule.window, rule.calendar, hearing.zone) if hearing.as_history else EARLIEST
    live = [window for window in full if finding.entries[window.anchor].moment.at > horizon]
    old = [window for window in full if finding.entries[window.anchor].moment.at <= horizon]
    outcome, effects = remembered(hearing, placed, finding.entries, old) if old else ("below_threshold", [])
    episode = memory.episode(rule, placed.key)
    if live and episode is not None:
        effects += grown(rule, episode, members_of(finding.entries, live))
        return _check(hearing, placed, finding, "attached"), effects
    if live:
        closed = memory.closed(rule, placed.key)
        until = cooling_until(hearing, closed)
        if until is not None:
            return _check(hearing, placed, finding, "cooling_down", until), effects
        effects.append(raised(hearing, placed.key, finding.entries, live, closed, finding.place))
        return _check(hearing, placed, finding, "escalated"), effects
    if episode is not None and placed.entry.moment.at > horizon:
        # What was on the key before the episode, in none of its windows, does not join it by being corrected.
        if not gave_support or placed.entry.near_miss_id in episode.members:
            outcome = "related"
            effects += related(rule, episode, placed.entry.near_miss_id)
        if gave_support:
            effects += support_lost(hearing, placed.key, episode, placed.entry.near_miss_id)
    return _check(hearing, placed, finding, outcome, historical=bool(old)), effects


def _look_on(hearing: Hearing, placed: Placement, harm: bool, gave_support: bool) -> tuple[RuleCheck, list[Effect]]:
    """A record that does not count here: harm on the key of an open episode concerns it all the same."""
    if placed.kind == "unkeyed":
        return _beside(hearing, placed, "unkeyed"), []
    keyed = placed.key_text is not None and hearing.rule.mode == "active"
    episode = hearing.memory.episode(hearing.rule, placed.key) if keyed else None
    near_miss_id = placed.entry.near_miss_id
    if episode is None or not (harm or episode.members.get(near_miss_id) == "member"):
        return _beside(hearing, placed, "not_counted"), []
    effects = related(hearing.rule, episode, near_miss_id)
    if gave_support:
        effects += support_lost(hearing, placed.key, episode, near_miss_id)
    return _beside(hearing, placed, "related"), effects


def _find(hearing: Hearing, placed: Placement) -> _Finding:
    """The windows that hold the record, with the record laid among its neighbours."""
    rule, entry = hearing.rule, placed.entry
    neighbours = hearing.memory.entries(rule, placed.key, *reach(rule, entry.moment))
    entries = [other for other in neighbours if other.near_miss_id != entry.near_miss_id]
    at = len(entries)
    if entries and event_time(entries[-1]) > event_time(entry):  # The newest is the last, nearly always.
        at = bisect(entries, event_time(entry), key=event_time)
    entries.insert(at, entry)
    return _Finding(entries, at, list(windows(rule, entries, hearing.zone, at)))


def _fullest(finding: _Finding) -> Window:
    """The window that counts most; of equal ones the record's own, then the earliest."""
    if len(finding.windows) == 1:
        return finding.windows[0]
    own = finding.entries[finding.place].moment

    def fullness(window: Window) -> tuple[Number, bool]:
        anchor = finding.entries[window.anchor].moment
        return window.total, anchor.at == own.at and anchor.date_only == own.date_only

    return max(finding.windows, key=fullness)


def _check(
    hearing: Hearing,
    placed: Placement,
    finding: _Finding,
    outcome: Outcome,
    cooldown_until: int | None = None,
    historical: bool = False,
) -> RuleCheck:
    """What a rule found for a record that it counts."""
    rule = hearing.rule
    fullest = _fullest(finding)
    others = tuple([finding.entries[at].near_miss_id for at in fullest.inside if at != finding.place])
    return RuleCheck(
        rule.id,
        named_key(rule, placed.key),
        rule.window.text,
        rule.threshold,
        fullest.total,
        others,
        outcome,
        rule.mode,
        cooldown_until,
        historical,
    )


def _beside(hearing: Hearing, placed: Placement, outcome: Outcome) -> RuleCheck:
    """What a rule found for a record that it does not count: only the others around it, if it has a key."""
    rule = hearing.rule
    others: list[Entry] = []
    if placed.key_text is not None:
        finding = _find(hearing, placed)
        others = [finding.entries[at] for at in _fullest(finding).inside if at != finding.place]
    return RuleCheck(
        rule.id,
        named_key(rule, placed.key),
        rule.window.text,
        rule.threshold,
        tally(rule, others),
        tuple(entry.near_miss_id for entry in others),
        outcome,
        rule.mode,
        counted=False,
    )


def _is_consumed(hearing: Hearing, was: Placement) -> bool:
    """Whether a closed episode has the record already: it counted, and the memory no longer shows it."""
    at = was.entry.moment.at
    shown = hearing.memory.entries(hearing.rule, was.key, at - 1, at)
    return all(entry.near_miss_id != was.entry.near_miss_id for entry in shown)
