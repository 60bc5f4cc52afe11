"""Random months of a house, as people walk through them: every command there is, on whatever stands just then.

What is done hangs on the seed alone and not on when workers come by; so two walks of one seed command the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from sqlalchemy import select

from app.database.tables import FOR_EVER, escalations, events
from app.domain.decider import Refused
from app.domain.report import stage_is_identified
from app.domain.sealed import Reference
from app.domain.service import RoleHolder
from app.operations import acting, climbing, merging, reviewing, revise
from app.operations.desk import Desk
from tests.office import LINK, MONDAY, Office

PEOPLE = ("manager-2", "deputy-1", "operations-1", "nominated-1")
SERVICES = ("willow-house", "ash-court")
DEVIATIONS = ("omitted", "late")

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
        (name, nth, is_open, its_id)
        for name, them in sorted(found.items())
        for nth, (its_id, is_open) in enumerate(them)
    ]


def subjects(office: Office, kind: str, as_of: int | None = None) -> list[str]:
    """Whose streams begin with events of a kind, in the order of the ledger."""
    chosen = select(events.c.stream).where(events.c.type == kind, events.c.sequence <= (as_of or FOR_EVER))
    with office.house.database.read() as connection:
        streams = connection.execute(chosen.order_by(events.c.sequence)).scalars()
        return [one.split("/", 1)[1] for one in streams]
