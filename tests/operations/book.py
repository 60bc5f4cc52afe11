"""What must hold of a house at any instant: its ledger folded anew, and held against its tables and what it shows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.database.tables import FOR_EVER, events, timers, window_entries
from app.domain import action, adoption, escalation, near_miss, outcome, review
from app.domain.moment import from_micros, holds, moment_of
from app.domain.near_miss import NearMiss
from app.domain.rule import Rule
from app.domain.similarity import Entry, event_time, place, windows
from app.events.codec import decode
from app.events.envelope import Envelope
from app.operations.rebuild import NAMES, rebuild
from app.projections.facts import facts_of
from app.projections.inline import tables_of
from tests.office import Office, assert_intact
from tests.operations.walking import subjects


@dataclass
class Book:
    """The ledger, folded here; every event is looked at once, as it comes."""

    office: Office
    position: int = 0
    escalations: dict[str, escalation.Escalation] = field(default_factory=dict[str, escalation.Escalation])
    raised: dict[str, escalation.Raised] = field(default_factory=dict[str, escalation.Raised])
    reviews: dict[str, review.Review] = field(default_factory=dict[str, review.Review])
    actions: dict[str, action.Action] = field(default_factory=dict[str, action.Action])
    outcomes: dict[str, outcome.Outcome] = field(default_factory=dict[str, outcome.Outcome])
    records: dict[str, NearMiss] = field(default_factory=dict[str, NearMiss])
    began: dict[str, int] = field(default_factory=dict[str, int])
    judged: dict[str, int] = field(default_factory=dict[str, int])
    consumed: dict[tuple[str, str], set[str]] = field(default_factory=dict[tuple[str, str], set[str]])
    doubtful: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    policy: Any = adoption.INITIAL
    adopted: tuple[int, int] = (0, 0)

    def read_on(self) -> None:
        with self.office.house.database.read() as connection:
            chosen = select(events).where(events.c.sequence > self.position).order_by(events.c.sequence)
            for row in connection.execute(chosen):
                self.take(Envelope(*row))

    def take(self, one: Envelope) -> None:
        self.position, event, subject = one.sequence, decode(one), one.subject
        match one.kind:
            case "escalation":
                self.take_escalation(one, event)
            case "review":
                self.reviews[subject] = review.evolve(self.reviews.get(subject, review.UNOPENED), event)
            case "action":
                self.actions[subject] = action.evolve(self.actions.get(subject, action.UNAGREED), event)
            case "outcome":
                self.outcomes[subject] = outcome.evolve(self.outcomes.get(subject, outcome.UNPLANNED), event)
            case "near_miss":
                if isinstance(event, near_miss.Closed) and event.review_id is None:
                    assert not self.holding(subject), "A near miss was closed by itself out of an open escalation (S6)."
                self.records[subject] = near_miss.evolve(self.records.get(subject, near_miss.UNRECORDED), event)
                self.began.setdefault(subject, one.sequence)
                if hasattr(event, "similarity_check"):
                    self.judged[subject] = one.sequence
            case "policy":
                self.policy = adoption.evolve(self.policy, event)
                self.adopted = (one.sequence, one.recorded_at)
            case _:
                pass

    def take_escalation(self, one: Envelope, event: Any) -> None:
        subject = one.subject
        before = self.escalations.get(subject, escalation.UNRAISED)
        self.escalations[subject] = escalation.evolve(before, event)
        match event:
            case escalation.Raised():
                self.raised[subject] = event
            case escalation.Closed() | escalation.MonitoringBegun() | escalation.Merged():
                assert one.actor.startswith("staff/") or one.actor == "key/tests", f"{one.actor} ended {subject}."
                for member in event.consumed:
                    self.consumed.setdefault((self.raised[subject].rule_id, member), set()).add(subject)
            case escalation.Reopened():
                assert one.actor.startswith("staff/")
                for rule_and_member, by in self.consumed.items():
                    if subject in by:
                        by.discard(subject)
                        self.doubtful |= self.regrouped(rule_and_member, by, subject)
            case _:
                assert before.rest is None or isinstance(event, escalation.MemberAdded | escalation.MemberWithdrawn)

    def regrouped(self, member: tuple[str, str], by: set[str], reopened: str) -> set[tuple[str, str]]:
        """What another version of the policy put under another key since: whether it comes back is not told."""
        rule, state = self.policy.rule(member[0]), self.records[member[1]]
        facts = facts_of(member[1], self.began[member[1]], state)
        placed = place(rule, facts) if rule is not None else None
        stays = placed is not None and placed.key_text == self.raised[reopened].key_text
        return set() if stays and not by else {member}

    def holding(self, near_miss_id: str) -> list[str]:
        """The open escalations that hold a near miss."""
        return [
            one
            for one, state in self.escalations.items()
            if state.rest is None and state.members.get(near_miss_id, "withdrawn") != "withdrawn"
        ]

    def check(self) -> None:
        self.read_on()
        self.check_deadlines()
        self.check_one_for_each_key()
        self.check_reviews()
        self.check_windows()

    def check_deadlines(self) -> None:
        """(a) Whatever is open has a deadline, and a timer for exactly the earliest; no other timer is there."""
        wanted: dict[tuple[str, str], datetime] = {}
        for subject, state in self.escalations.items():
            if state.rest is None:
                assert state.review_due_at is not None
                assert state.acknowledged_by or state.ack_due_at or state.snoozed_until
                wanted["escalation", subject] = min(one.due_at for one in state.deadlines)
        for subject, state in self.actions.items():
            if state.ended is None:
                assert state.due_at is not None
                wanted["action", subject] = state.due_at
        for subject, state in self.outcomes.items():
            if state.due_at is not None:
                wanted["outcome_check", subject] = state.due_at
        for subject, state in self.records.items():
            if state.owed:
                wanted["near_miss", subject] = min(one.due_at for one in state.owed)
        told = {(kind, subject): from_micros(at) for _, kind, subject, at in self.office.rows(timers)}
        assert told.pop(("governance_cadence", "current")) > from_micros(0)
        assert {one: at for one, at in told.items() if one[0] != "cooldown_until"} == wanted

    def check_one_for_each_key(self) -> None:
        """(c) At most one is open for a rule and key."""
        open_keys = [
            (raised.rule_id, raised.key_text)
            for one, raised in self.raised.items()
            if self.escalations[one].rest is None
        ]
        assert len(open_keys) == len(set(open_keys))

    def check_reviews(self) -> None:
        """A review and its escalation end together; outcomes are watched as long as an action is open."""
        for one, state in self.escalations.items():
            stands = self.reviews[self.raised[one].review_id or ""]
            is_left_open = any(self.actions[it].ended is None for it in stands.actions)
            match state.rest:
                case None:
                    assert stands.stage in (review.Stage.OPEN, review.Stage.UNDER_REVIEW)
                case escalation.Status.MERGED:
                    assert stands.stage is review.Stage.MERGED
                case rest:
                    assert stands.stage is review.Stage.CLOSED
                    assert is_left_open is (rest is escalation.Status.MONITORING_OUTCOME), one

    def check_windows(self) -> None:
        """(d) What is counted is counted, and every pattern of it has somebody's attention, or is cooling down."""
        zone = self.office.house.configurations
        with self.office.house.database.read() as connection:
            its_zone = zone.now(connection, self.office.organisation).zone
        rows = [one._mapping for one in self._rows_of_windows()]
        shown = {(row["rule_id"], row["key_text"], row["near_miss_id"]) for row in rows}
        cooling = {tuple(json.loads(one[2])) for one in self.office.rows(timers) if one[1] == "cooldown_until"}
        for rule in self.policy.judging:
            keys = self.keys_of(rule)
            counted = {(rule.id, text, it.near_miss_id) for text, them in keys.items() for it in them}
            here = {one for one in shown if one[0] == rule.id}
            strange = {one for one in counted ^ here if (one[0], one[2]) not in self.doubtful}
            assert not strange, f"Counted and not shown, or the other way round: {sorted(strange)}"
            keys = {
                text: [it for it in them if (rule.id, text, it.near_miss_id) in here] for text, them in keys.items()
            }
            if rule.mode == "active":
                for text, entries in keys.items():
                    self.check_key(rule, text, entries, (rule.id, text) in cooling, its_zone)

    def check_key(self, rule: Rule, text: str, entries: list[Entry], is_cooling: bool, zone: Any) -> None:
        here = moment_of(self.adopted[1], zone)
        for window in windows(rule, entries, zone):
            if not window.qualifies or is_cooling:
                continue
            inside = [entries[at] for at in window.inside]
            within = all(holds(here, one.moment, rule.window, rule.calendar, zone) for one in inside)
            older = all(self.judged[one.near_miss_id] < self.adopted[0] for one in inside)
            standing = [
                state
                for one, state in self.escalations.items()
                if state.rest is None and (self.raised[one].rule_id, self.raised[one].key_text) == (rule.id, text)
            ]
            if older and (standing or not within):
                continue  # A policy that is adopted looks only so far back, and changes no open episode.
            assert standing, f"{rule.id} {text}: a pattern that nobody looks at: {inside}"
            members = standing[0].members
            outside = [one for one in inside if members.get(one.near_miss_id) != "member"]
            assert not outside or older, f"{rule.id} {text}: inside of a pattern, but no member: {outside}"

    def keys_of(self, rule: Rule) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for subject, state in self.records.items():
            if rule.mode == "off" or not state.counts or self.consumed.get((rule.id, subject)):
                continue
            placed = place(rule, facts_of(subject, self.began[subject], state))
            if placed is not None and placed.kind == "counted" and placed.key_text is not None:
                found.setdefault(placed.key_text, []).append(placed.entry)
        return {text: sorted(them, key=event_time) for text, them in found.items()}

    def _rows_of_windows(self) -> Sequence[Any]:
        with self.office.house.database.read() as connection:
            return connection.execute(select(window_entries).where(window_entries.c.valid_to == FOR_EVER)).all()


BEGINNINGS = {
    "near_miss": "near_miss.recorded",
    "escalation": "escalation.raised",
    "review": "review.opened",
    "action": "action.agreed",
}


def check_what_is_shown(office: Office, as_of: int | None) -> None:
    """(e) Every document can be shown, now and as of any sequence."""
    with office.house.reader(office.organisation, as_of) as reader:
        for noun, shown in (
            ("near_miss", reader.near_misses),
            ("escalation", reader.escalations),
            ("review", reader.reviews),
            ("action", reader.actions),
        ):
            ids = subjects(office, BEGINNINGS[noun], as_of)
            assert [one["id"] for one in shown(ids)] == ids


def check_rebuilding(office: Office) -> None:
    """(f) What is made of the ledger is made of it again."""
    office.follow()
    for name in NAMES:
        before = {table: office.rows(table) for table in tables_of(name)}
        rebuild(office.house, office.organisation, name)
        assert {table: office.rows(table) for table in tables_of(name)} == before, name
    with office.house.database.read() as connection:
        assert_intact(connection)
