"""Random months of a house: whatever people, clocks and workers do in whatever order, nothing open ever falls silent.

A walk is a seed. It commands the real operations on a real database, and after every few steps the ledger is folded
here, by itself, and held against the timers, the windows and what readers are shown. A walk that fails is walked again
by its number: `again(office, seed)` in a shell, or `-k` with the seed that the assertion names.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from app.clock import system_clock
from app.database.tables import FOR_EVER, escalations, events, timers, window_entries
from app.domain import action, adoption, escalation, near_miss, review
from app.domain.decider import Refused
from app.domain.moment import from_micros, holds, moment_of, to_micros
from app.domain.near_miss import NearMiss
from app.domain.report import stage_is_identified
from app.domain.rule import Rule
from app.domain.sealed import Reference
from app.domain.service import RoleHolder
from app.domain.similarity import Entry, event_time, place, windows
from app.events.codec import decode
from app.events.envelope import Envelope
from app.operations import acting, climbing, merging, reviewing, revise
from app.operations.audit import Auditor, last_audit
from app.operations.desk import Desk
from app.operations.rebuild import NAMES, rebuild
from app.operations.tick import tick
from app.projections.facts import facts_of
from app.projections.inline import tables_of
from tests.office import LINK, MONDAY, Clock, Office, assert_intact, ledger_of, opened
from tests.rounds import rounds

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PEOPLE = ("manager-2", "deputy-1", "operations-1", "nominated-1")
SERVICES = ("willow-house", "ash-court")
DEVIATIONS = ("omitted", "late")
STEPS = 60

LADDERS: Sequence[Mapping[str, Any] | None] = (
    None,
    {"steps": [{"to": [], "timeout": "PT1H"}, {"to": ["manager"], "timeout": "PT8H"}], "repeat": 2},
    {
        "steps": [{"to": ["manager", "manager-2"], "timeout": "P1D"}, {"to": ["operations"], "timeout": "P2D"}],
        "ack_remind": "PT12H",
        "ack_confirm": "PT4H",
        "max_snooze": "P2D",
    },
    {"steps": [{"to": [], "timeout": "PT1H"}, {"to": [], "timeout": "PT2H"}], "backstop": "leadership"},
    {
        "steps": [
            {"to": ["deputy"], "timeout": "PT4H", "time_basis": "working"},
            {"to": ["operations"], "timeout": "P1D", "time_basis": "working"},
        ],
        "ack_remind": "P3D",
    },
    {"steps": [{"to": ["manager"], "timeout": "P1D"}, {"to": [], "timeout": "P1D"}], "repeat": -1},
)


# Walking


@dataclass
class Walk:
    """What is done with an office, told by a seed alone: two walks of one seed command the same, however they tick."""

    office: Office
    seed: int
    settle: Callable[["Walk", timedelta], None]
    chance: Random = field(init=False)
    reports: list[str] = field(default_factory=list[str])
    refused: int = 0

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)

    def begin(self) -> None:
        holder = RoleHolder("manager", Reference("c2VhbGVk", "k_1", "token"), MONDAY.date() - timedelta(days=99))
        self.office.do(self.office.registration("willow-house", role_holders=(holder,)))
        self.adopt()

    def step(self) -> None:
        self.settle(self, self.pause())
        doing = self.chance.choices([do for do, _ in DOINGS], [weight for _, weight in DOINGS])[0]
        try:
            doing(self)
        except Refused:
            self.refused += 1  # That they can be refused is tested elsewhere: here it may not spoil anything.

    def pause(self) -> timedelta:
        draw = self.chance.random()
        if draw < 0.35:
            return timedelta(0)
        if draw < 0.6:
            return timedelta(minutes=self.chance.randint(1, 600))
        if draw < 0.9:
            return timedelta(hours=self.chance.randint(1, 72))
        return timedelta(days=self.chance.randint(1, 21))

    # What there is to be done

    def submit(self) -> None:
        self.reports.append(self.office.submit(actor=self.person(), **self.particulars())["id"])

    def submit_similar(self) -> None:
        """Several of one key in a row: what crosses."""
        particulars = self.particulars()
        for _ in range(self.chance.randint(2, 4)):
            self.reports.append(self.office.submit(actor=self.person(), **particulars)["id"])

    def intake(self) -> None:
        """As a system posts it: without all its details."""
        particulars = {**self.particulars(), "contributing_factors": None}
        self.reports.append(self.office.submit(intake=True, **particulars)["id"])

    def complete_details(self) -> None:
        self.office.do(self.office.details(self.report(), contributing_factors=["staffing"]))

    def correct(self) -> None:
        changes = self.chance.choice([
            {"deviation": self.chance.choice(DEVIATIONS)},
            {"service_id": self.chance.choice(SERVICES)},
            {"potential_harm": self.chance.choice(["low", "moderate", "severe", "death"])},
            {"classification": self.chance.choice(["near_miss", "harm_incident"])},
            {"occurred_at": self.occurred_at()},
        ])  # fmt: skip
        self.office.do(self.office.correction(self.report(), **changes))

    def withdraw(self) -> None:
        self.office.do(self.office.withdrawal(self.report()))

    def mark_duplicate(self) -> None:
        self.office.do(self.office.duplicate(self.report(), self.report()))

    def link(self) -> None:
        self.office.do(self.office.link(self.report(), stage_allowed=self.chance.choice(["handover", "unknown"])))

    def close_one(self) -> None:
        near_miss_id = self.report()
        self.do(lambda desk, cause: revise.close(desk, cause, revise.load(desk, near_miss_id), "Seen to."))

    def acknowledge(self) -> None:
        self.on_escalation(climbing.acknowledge)

    def hand_over(self) -> None:
        to = self.chance.choice([*PEOPLE, "manager", "deputy", "operations"])
        self.on_escalation(lambda desk, cause, here: climbing.hand_over(desk, cause, here, to))

    def escalate(self) -> None:
        stale = self.chance.random() < 0.1
        self.on_escalation(lambda desk, cause, here: climbing.escalate(desk, cause, here, here.state.epoch - stale))

    def snooze(self) -> None:
        until = self.office.clock() + timedelta(hours=self.chance.randint(1, 240))
        self.on_escalation(lambda desk, cause, here: climbing.snooze(desk, cause, here, until))

    def merge(self) -> None:
        into = self.escalation()
        self.on_escalation(lambda desk, cause, here: merging.merge(desk, cause, here, into))

    def move(self) -> None:
        version = self.chance.randint(1, 5)
        self.on_escalation(lambda desk, cause, here: climbing.move_to_policy(desk, cause, here, version))

    def adopt(self) -> None:
        ladder, grave_ladder = self.chance.choice(LADDERS), self.chance.choice(LADDERS)
        by = ["service_id", "incident_type", *(["deviation"] if self.chance.random() < 0.4 else [])]
        similar: dict[str, Any] = {
            "id": "similar",
            "group_by": by,
            "threshold": self.chance.choice([2, 3, 3, 4]),
            "window": self.chance.choice(["P7D", "P14D", "P14D"]),
            "review_due": self.chance.choice(["P5D", "P14D"]),
        }
        if self.chance.random() < 0.6:
            similar["cooldown"] = self.chance.choice(["P1D", "P7D", "P10D"])
        if ladder is not None:
            similar["ladder"] = ladder
        grave: dict[str, Any] = {
            "id": "grave",
            "group_by": ["service_id", "incident_type"],
            "match": {"potential_harm": ["severe", "death"]},
            "threshold": 1,
            "mode": self.chance.choice(["active", "active", "shadow"]),
        }
        if grave_ladder is not None:
            grave["ladder"] = grave_ladder
        self.office.do(self.office.adoption(similar, grave))

    def start(self) -> None:
        self.on_review(reviewing.start)

    def find_causes(self) -> None:
        kind = self.chance.choice(["system", "system", "individual"])
        causes = [{"code": "rota_pressure", "kind": kind, "note": "One senior for two floors."}]
        self.on_review(lambda desk, cause, case: reviewing.identify_causes(desk, cause, case, causes))

    def determine(self) -> None:
        risk = self.chance.choice(["system_risk", "not_system_risk"])
        self.on_review(lambda desk, cause, case: reviewing.determine_system_risk(desk, cause, case, risk, "So it is."))

    def safeguard(self) -> None:
        self.on_review(lambda *at: reviewing.consider_safeguarding(*at, {"considered": True}))

    def link_members(self) -> None:
        self.on_review(lambda desk, cause, case: reviewing.link_members(desk, cause, case, case.members, LINK))

    def agree_action(self) -> None:
        due = (self.office.clock() + timedelta(days=self.chance.randint(-3, 30))).date().isoformat()
        document = {"description": "Name doses.", "owner": self.chance.choice(PEOPLE), "due": due}
        self.on_review(lambda desk, cause, case: reviewing.agree_action(desk, cause, case, document))

    def countersign(self) -> None:
        self.on_review(lambda desk, cause, case: reviewing.countersign(desk, cause, case, "So do I."))

    def close(self) -> None:
        code = self.chance.choice(["action_agreed", "no_action_needed", "not_a_pattern", "duplicate"])
        self.on_review(lambda desk, cause, case: reviewing.close(desk, cause, case, code, "Seen."))

    def close_through_every_gate(self) -> None:
        """Start, find, link and close, each as far as it goes."""
        review_id, link = self.review(), LINK
        due = (self.office.clock() + timedelta(days=self.chance.randint(1, 30))).date().isoformat()
        code = self.chance.choice(["action_agreed", "no_action_needed"])
        steps: list[Callable[[Desk, Any, reviewing.Case], None]] = [
            reviewing.start,
            lambda *at: reviewing.identify_causes(*at, [{"code": "rota_pressure", "kind": "system"}]),
            lambda *at: reviewing.determine_system_risk(*at, "not_system_risk", "Three unrelated rounds."),
            lambda *at: reviewing.consider_safeguarding(*at, {"considered": True}),
            lambda desk, cause, case: reviewing.link_members(desk, cause, case, loose(desk, case), link),
            lambda *at: reviewing.close(*at, code, "Seen, understood, changed."),
        ]
        if code == "action_agreed":
            document = {"description": "Name doses.", "owner": self.chance.choice(PEOPLE), "due": due}
            steps.insert(0, lambda *at: reviewing.agree_action(*at, document))
        for step in steps:
            try:
                self.on_this_review(review_id, step)
            except Refused:
                self.refused += 1

    def reopen(self) -> None:
        self.on_review(lambda desk, cause, case: reviewing.reopen(desk, cause, case, "It came back."))

    def progress(self) -> None:
        self.on_action(lambda desk, cause, here: acting.progress(desk, cause, here, "Half of it is done."))

    def complete(self) -> None:
        self.on_action(lambda desk, cause, here: acting.complete(desk, cause, here, "2026-03-20", "Sheet of March."))

    def cancel(self) -> None:
        self.on_action(lambda desk, cause, here: acting.cancel(desk, cause, here, "The eMAR asks for it now."))

    # With what, and by whom

    def particulars(self) -> dict[str, Any]:
        return {
            "service_id": self.chance.choice(SERVICES),
            "deviation": self.chance.choice(DEVIATIONS),
            "classification": self.chance.choices(["near_miss", "no_harm_incident", "harm_incident"], [7, 2, 1])[0],
            "potential_harm": self.chance.choices([None, "moderate", "severe", "death"], [12, 2, 1, 1])[0],
            "occurred_at": self.occurred_at(),
        }

    def occurred_at(self) -> str:
        draw = self.chance.random()
        back = timedelta(hours=self.chance.randint(0, 12) if draw < 0.7 else self.chance.randint(12, 500))
        occurred = self.office.clock() - back
        return occurred.date().isoformat() if self.chance.random() < 0.15 else occurred.isoformat()

    def person(self) -> Any:
        return self.office.person(self.chance.choice(PEOPLE))

    def report(self) -> str:
        """Of one that was submitted, mostly of late."""
        if not self.reports:
            return "nm_none"
        return self.chance.choice(self.reports[-12:] if self.chance.random() < 0.8 else self.reports)

    def escalation(self) -> str:
        """Of care: when the service's own are raised hangs on when a worker came by."""
        known = [one for one in named(self.office) if not one[0].startswith("breached")]
        if not known:
            return "esc_none"
        among = [one for one in known if one[2]] if self.chance.random() < 0.9 else known
        return self.chance.choice(among or known)[3]

    def review(self) -> str:
        return self.escalation().replace("esc_", "rev_")

    def do(self, run: Callable[[Desk, Any], None], subject: str = "nothing") -> None:
        self.office.do(self.office.command(run, subject, actor=self.person()))

    def on_escalation(self, run: Callable[[Desk, Any, climbing.Standing], None]) -> None:
        escalation_id = self.escalation()
        self.do(lambda desk, cause: run(desk, cause, climbing.load(desk, escalation_id)), escalation_id)

    def on_review(self, run: Callable[[Desk, Any, reviewing.Case], None]) -> None:
        self.on_this_review(self.review(), run)

    def on_this_review(self, review_id: str, run: Callable[[Desk, Any, reviewing.Case], None]) -> None:
        self.do(lambda desk, cause: run(desk, cause, reviewing.load(desk, review_id)), review_id)

    def on_action(self, run: Callable[[Desk, Any, acting.Undertaking], None]) -> None:
        agreed = subjects(self.office, "action.agreed")
        if agreed:
            action_id = self.chance.choice(agreed)
            self.do(lambda desk, cause: run(desk, cause, acting.load(desk, action_id)), action_id)


DOINGS: Sequence[tuple[Callable[[Walk], None], int]] = (
    (Walk.submit, 16), (Walk.submit_similar, 10), (Walk.intake, 3), (Walk.complete_details, 2), (Walk.correct, 7),
    (Walk.withdraw, 3), (Walk.mark_duplicate, 2), (Walk.link, 5), (Walk.close_one, 3),
    (Walk.acknowledge, 8), (Walk.hand_over, 4), (Walk.escalate, 4), (Walk.snooze, 5), (Walk.merge, 3), (Walk.move, 3),
    (Walk.adopt, 3),
    (Walk.start, 3), (Walk.find_causes, 3), (Walk.determine, 2), (Walk.safeguard, 2), (Walk.link_members, 3),
    (Walk.agree_action, 4), (Walk.countersign, 2), (Walk.close, 4), (Walk.close_through_every_gate, 6),
    (Walk.reopen, 5), (Walk.progress, 2), (Walk.complete, 4), (Walk.cancel, 2),
)  # fmt: skip


def loose(desk: Desk, case: reviewing.Case) -> list[str]:
    """The members that have no link yet which says what allowed them."""
    states = {one: revise.load(desk, one).state for one in case.members}
    return [one for one, state in states.items() if not state.closed and not stage_is_identified(state.workflow_link)]


def named(office: Office) -> list[tuple[str, int, bool, str]]:
    """Every escalation under a name that no walk of the same seed gives another: its rule and key, and which of them.

    With whether it is open, and its id.
    """
    row = escalations.c
    chosen = select(row.rule_id, row.key_text, row.escalation_id, row.is_open).order_by(row.sequence)
    found: dict[str, list[tuple[str, bool]]] = {}
    with office.house.database.read() as connection:
        for rule_id, key, its_id, is_open in connection.execute(chosen):
            found.setdefault(f"{rule_id} {key}", []).append((its_id, bool(is_open)))
    return [
        (name, nth, is_open, its_id) for name, them in sorted(found.items()) for nth, (its_id, is_open) in enumerate(them)
    ]


def subjects(office: Office, kind: str, as_of: int | None = None) -> list[str]:
    """Whose streams begin with events of a kind, in the order of the ledger."""
    chosen = select(events.c.stream).where(events.c.type == kind, events.c.sequence <= (as_of or FOR_EVER))
    with office.house.database.read() as connection:
        streams = connection.execute(chosen.order_by(events.c.sequence)).scalars()
        return [one.split("/", 1)[1] for one in streams]


# How workers come by


def now_and_then(seed: int) -> Callable[[Walk, timedelta], None]:
    """One worker, the other, both or none; followers too."""
    chance = Random(~seed)

    def settle(walk: Walk, pause: timedelta) -> None:
        walk.office.clock.now += pause
        for holder in ("worker-1", "worker-2"):
            if chance.random() < 0.3:
                tick(walk.office.house, holder, system_clock())
        if chance.random() < 0.1:
            walk.office.follow()

    return settle


def at_the_end(walk: Walk, pause: timedelta) -> None:
    """The worker was away all the while."""
    walk.office.clock.now += pause
    while tick(walk.office.house, "worker", system_clock()):
        pass


def at_every_minute(walk: Walk, pause: timedelta) -> None:
    """The worker is there at each instant at which anything is due."""
    office = walk.office
    end = office.clock.now + pause
    while (due := earliest(office)) is not None and due <= end:
        office.clock.now = max(due, office.clock.now)
        while tick(office.house, "worker", system_clock()):
            pass
    office.clock.now = end


def earliest(office: Office) -> datetime | None:
    with office.house.database.read() as connection:
        due = connection.execute(select(func.min(timers.c.due_at))).scalar()
    return None if due is None else from_micros(due)


# What must hold


@dataclass
class Book:
    """The ledger, folded here; every event is looked at once, as it comes."""

    office: Office
    position: int = 0
    escalations: dict[str, escalation.Escalation] = field(default_factory=dict[str, escalation.Escalation])
    raised: dict[str, escalation.Raised] = field(default_factory=dict[str, escalation.Raised])
    reviews: dict[str, review.Review] = field(default_factory=dict[str, review.Review])
    actions: dict[str, action.Action] = field(default_factory=dict[str, action.Action])
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
        for subject, state in self.records.items():
            if state.owed:
                wanted["near_miss", subject] = min(one.due_at for one in state.owed)
        told = {(kind, subject): from_micros(at) for _, kind, subject, at in self.office.rows(timers)}
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
            keys = {text: [it for it in them if (rule.id, text, it.near_miss_id) in here] for text, them in keys.items()}
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


def walk(office: Office, seed: int, steps: int = STEPS, every: int = 4) -> Walk:
    """A walk with everything held against it."""
    walking, book, auditor = Walk(office, seed, now_and_then(seed)), Book(office), Auditor(office.house)
    walking.begin()
    for number in range(steps):
        walking.step()
        if number % every == 0 or number == steps - 1:
            book.check()
            for _ in auditor.audit(NOW):
                pass
            with office.house.database.read() as connection:
                assert last_audit(connection, NOW)["findings"] == 0
            check_what_is_shown(office, Random(seed + number).randint(1, book.position))
    check_what_is_shown(office, None)
    check_rebuilding(office)
    return walking


# Two walks of one seed


def story(walking: Walk) -> dict[str, list[tuple[str, str | None, Mapping[str, Any]]]]:
    """Every stream of care with its events, their schedules and what they say, free of ids that differ between walks."""
    office, names = walking.office, {}
    for name, nth, _, its_id in named(office):
        names[its_id] = names[its_id.replace("esc_", "rev_")] = f"{name} {nth}"
    for nth, its_id in enumerate(walking.reports):
        names[its_id] = f"report {nth}"
    for nth, its_id in enumerate(subjects(office, "action.agreed")):
        names[its_id] = f"action {nth}"
    for ref in PEOPLE:
        names[office.person(ref).token or ""] = ref
    told: dict[str, list[Any]] = {}
    for one in office.ledger():
        name = names.get(one.subject)
        if name is not None and not name.startswith("breached") and one.kind in ("escalation", "action", "near_miss"):
            said = {part: it for part, it in json.loads(one.payload).items() if part in TOLD}
            told.setdefault(f"{one.kind} {name}", []).append((one.type, said.pop("scheduled_at", None), renamed(said, names)))
    return told


TOLD = (
    "scheduled_at", "level", "loop", "notify", "why", "respond_by", "times", "by", "members", "near_miss_id",
    "kind", "remind_at", "until", "since", "raised_at", "review_due_at", "reopened_at", "code", "consumed", "into",
    "previous_episode_id", "nobody_reachable", "gravity", "late_from",
)  # fmt: skip
"""What is compared: nothing sealed, and nothing that only says by which command it came."""


def renamed(said: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    text = json.dumps(said)
    for one, name in names.items():
        text = text.replace(one, json.dumps(name)[1:-1])
    return json.loads(text)


def told_by(database_url: str, seed: int, steps: int, settle: Callable[[Walk, timedelta], None]) -> Any:
    with opened(database_url, Clock()) as office:
        walking = Walk(office, seed, settle)
        walking.begin()
        for _ in range(steps):
            walking.step()
        return story(walking)
