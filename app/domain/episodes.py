"""What a change does to the episode of a rule and key: it opens, grows, loses a member or its support.

At most one is open for a key, and none closes here. What is only related belongs to the episode without holding it up.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.domain.judgement import (
    Attach,
    AttachHistorical,
    Closed,
    Detach,
    Effect,
    Episode,
    Memory,
    NamedKey,
    Outcome,
    Raise,
    RaiseHistorical,
    SupportLost,
    SupportRegained,
)
from app.domain.moment import DAY, EARLIEST, LATEST, upper_bound
from app.domain.policy import Policy
from app.domain.rule import Rule
from app.domain.similarity import Entry, Key, Placement, Window, key_text, windows


class Hearing(NamedTuple):
    """One rule, asked about one change."""

    policy: Policy
    rule: Rule
    memory: Memory
    now: int
    zone: ZoneInfo
    as_history: bool = False


def named_key(rule: Rule, key: Key) -> NamedKey:
    """The key with the names of its fields."""
    return tuple(zip(rule.group_by, key, strict=True))


def raised(
    hearing: Hearing,
    key: Key,
    entries: Sequence[Entry],
    full: Sequence[Window],
    closed: Closed | None,
    newest: int | None = None,
) -> Raise:
    """The new episode. `newest`: the place of the report that completed it, if a report did.

    Late is what reports were; a cool-down or a policy that let a pattern wait made nobody late.
    """
    crossed_at = entries[full[0].anchor].moment.at
    delay = max(0, hearing.now - crossed_at)
    late = newest is not None and (
        delay >= DAY or any(_happened_after(entry, entries[newest]) for entry in entries[newest + 1 :])
    )
    return Raise(
        hearing.rule.id,
        named_key(hearing.rule, key),
        key_text(key),
        members_of(entries, full),
        crossed_at,
        late,
        delay,
        None if closed is None else closed.escalation_id,
        hearing.policy.version,
    )


def grown(rule: Rule, episode: Episode, members: tuple[str, ...]) -> list[Effect]:
    """These are members now, and hold the episode up again if nothing did."""
    newcomers = tuple(member for member in members if episode.members.get(member) != "member")
    effects: list[Effect] = [Attach(rule.id, episode.escalation_id, newcomers, "member")] if newcomers else []
    if not episode.supported:
        effects.append(SupportRegained(rule.id, episode.escalation_id))
    return effects


def reopened(hearing: Hearing, key: Key, since: int, deferred: Collection[str] = ()) -> list[Effect]:
    """An episode that is open again takes in what came to its key while it was closed.

    Looks at the windows of its members, of what was recorded since a sequence, and of the `deferred`.
    """
    rule, memory = hearing.rule, hearing.memory
    episode = memory.episode(rule, key)
    if episode is None:
        return []
    entries = memory.entries(rule, key, EARLIEST, LATEST)
    its_own = {one for one, kind in episode.members.items() if kind == "member"}.union(deferred)
    chosen = {at for at, one in enumerate(entries) if one.sequence > since or one.near_miss_id in its_own}
    full = [one for one in windows(rule, entries, hearing.zone) if one.qualifies and not chosen.isdisjoint(one.inside)]
    return grown(rule, episode, members_of(entries, full)) if full else []


def related(rule: Rule, episode: Episode, near_miss_id: str) -> list[Effect]:
    """The record is of the key, but in no window that qualifies."""
    if episode.members.get(near_miss_id) == "related":
        return []
    return [Attach(rule.id, episode.escalation_id, (near_miss_id,), "related")]


def left(hearing: Hearing, was: Placement, gave_support: bool) -> list[Effect]:
    """A record that no longer has the key: withdrawn, a duplicate, or corrected away."""
    episode = None if was.key_text is None else hearing.memory.episode(hearing.rule, was.key)
    if episode is None:
        return []
    near_miss_id = was.entry.near_miss_id
    effects: list[Effect] = []
    if episode.members.get(near_miss_id, "withdrawn") != "withdrawn":
        effects.append(Detach(hearing.rule.id, episode.escalation_id, near_miss_id))
    if gave_support:
        effects += support_lost(hearing, was.key, episode, near_miss_id)
    return effects


def remembered(
    hearing: Hearing, placed: Placement, entries: Sequence[Entry], full: Sequence[Window]
) -> tuple[Outcome, list[Effect]]:
    """A crossing in imported history: of an episode that it shares a member with, else one of its own."""
    rule = hearing.rule
    members = members_of(entries, full)
    for episode in hearing.memory.historical(rule, placed.key):
        newcomers = tuple(member for member in members if member not in episode.members)
        if len(newcomers) < len(members):
            return "attached", [AttachHistorical(rule.id, episode.escalation_id, newcomers)] if newcomers else []
    crossed_at = entries[full[0].anchor].moment.at
    key = named_key(rule, placed.key)
    version = hearing.policy.version
    return "escalated", [RaiseHistorical(rule.id, key, key_text(placed.key), members, crossed_at, version)]


def support_lost(hearing: Hearing, key: Key, episode: Episode, without: str) -> list[Effect]:
    """Told once, when no window of the key qualifies without the record."""
    if not episode.supported:
        return []
    known = hearing.memory.entries(hearing.rule, key, EARLIEST, LATEST)
    remaining = [entry for entry in known if entry.near_miss_id != without]
    if any(window.qualifies for window in windows(hearing.rule, remaining, hearing.zone)):
        return []
    return [SupportLost(hearing.rule.id, episode.escalation_id)]


def cooling_until(hearing: Hearing, closed: Closed | None) -> int | None:
    """When the cool-down of the key ends, as long as it lasts."""
    rule = hearing.rule
    if closed is None or rule.cooldown is None:
        return None
    until = upper_bound(closed.at, rule.cooldown, rule.calendar, hearing.zone)
    return until if until > hearing.now else None


def members_of(entries: Sequence[Entry], full: Sequence[Window]) -> tuple[str, ...]:
    """The union of the windows, in event-time order."""
    inside: set[int] = set()
    start = stop = 0
    for window in full:
        places = window.inside
        if isinstance(places, range) and places.start >= start:  # Nearly all of it is in the one before.
            start, places, stop = places.start, range(max(places.start, stop), places.stop), places.stop
        inside.update(places)
    return tuple([entries[at].near_miss_id for at in sorted(inside)])


def _happened_after(entry: Entry, record: Entry) -> bool:
    if entry.moment.date_only or record.moment.date_only:
        return entry.moment.day > record.moment.day
    return entry.moment.at > record.moment.at
