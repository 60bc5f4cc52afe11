"""Commands that share a transaction see each other, and what comes out is what the rule alone says."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from app.database.dialects import postgresql
from app.domain.policy import parse_policy
from app.operations.job import Answer, Command, IdempotencyKeyReused, SourceEventConflict, Submit
from tests.domain.remembering import Remembering, facts_of
from tests.office import Office, answers_of, assert_intact, opened
from tests.rounds import rounds


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with opened(database_url) as office:
        yield office


def together(office: Office, *jobs: Submit | Command) -> list[Answer | Exception]:
    """Carried out in one transaction: nothing else waits, and the writer takes all that waits."""
    before = office.house.writer.counts.batches
    answers = office.house.try_all(jobs)
    assert office.house.writer.counts.batches == before + 1
    return answers


def bodies(answers: list[Answer | Exception]) -> list[Any]:
    return [one.body for one in answers_of(answers)]


def outcomes(answers: list[Answer | Exception], rule_id: str = "similar") -> list[str]:
    return [
        rule["outcome"]
        for body in bodies(answers)
        for rule in body.get("similarity_check", {}).get("rules", [])
        if rule["rule_id"] == rule_id
    ]


def test_three_similar_ones_in_one_batch_open_one_escalation(office: Office) -> None:
    office.submit(service_id="elsewhere")

    answers = together(office, *(office.submission() for _ in range(5)))

    assert outcomes(answers) == ["below_threshold", "below_threshold", "escalated", "attached", "attached"]
    (escalation,) = office.escalations()
    assert [one["near_miss_id"] for one in escalation["members"]] == [body["id"] for body in bodies(answers)]
    assert [body["frequency"] for body in bodies(answers)] == [1, 2, 3, 4, 5]


def test_a_first_batch_without_anything_remembered_sees_itself_too(office: Office) -> None:
    answers = together(office, *(office.submission() for _ in range(3)))

    assert outcomes(answers) == ["below_threshold", "below_threshold", "escalated"]


def test_keys_of_one_batch_do_not_mix(office: Office) -> None:
    jobs = [office.submission(service_id=f"s{n % 4}") for n in range(12)]

    answers = together(office, *jobs)

    assert outcomes(answers) == ["below_threshold"] * 8 + ["escalated"] * 4
    assert [one["key"]["service_id"] for one in office.escalations()] == ["s0", "s1", "s2", "s3"]


def test_organisations_of_one_batch_do_not_mix(office: Office) -> None:
    office.house.open_organisation("a-first", "a-first")
    other = Office(office.house, office.clock, "a-first")

    answers = together(office, *(one.submission() for _ in range(2) for one in (office, other)), office.submission())

    assert outcomes(answers) == ["below_threshold"] * 4 + ["escalated"]
    assert (len(office.escalations()), len(other.escalations())) == (1, 0)


def test_a_source_event_that_comes_twice_in_one_batch_is_recorded_once(office: Office) -> None:
    same = {"source": "emar", "source_event_id": "e-1"}

    first, again, conflict = together(
        office, office.submission(**same), office.submission(**same), office.submission(**same, deviation="late")
    )

    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert (first.status, again.status) == (201, 200)
    assert again.body == first.body
    assert isinstance(conflict, SourceEventConflict)
    assert office.types().count("near_miss.recorded") == 1


def test_an_idempotency_key_that_comes_twice_in_one_batch_is_answered_twice(office: Office) -> None:
    first, again, reused = together(
        office,
        office.submission(idempotency_key="k"),
        office.submission(idempotency_key="k"),
        office.submission(idempotency_key="k", deviation="late"),
    )

    assert isinstance(first, Answer)
    assert isinstance(again, Answer)
    assert (first.replayed, again.replayed) == (False, True)
    assert (again.status, again.body) == (first.status, first.body)
    assert isinstance(reused, IdempotencyKeyReused)


def test_a_command_that_comes_twice_in_one_batch_is_done_once(office: Office) -> None:
    near_miss_id = office.submit()["id"]
    withdrawal = office.withdrawal(near_miss_id)

    def keyed() -> Command:
        return office.command(withdrawal.run, near_miss_id, withdrawal.show, idempotency_key="k")

    first, again = answers_of(together(office, keyed(), keyed()))

    assert (first.replayed, again.replayed) == (False, True)
    assert first.body == again.body
    assert office.types().count("near_miss.withdrawn") == 1


def test_a_policy_between_two_submissions_holds_for_the_second(office: Office) -> None:
    office.submit()

    before, _, after = together(office, office.submission(), office.adoption({"threshold": 4}), office.submission())

    assert isinstance(before, Answer)
    assert isinstance(after, Answer)
    assert [body["similarity_check"]["policy_version"] for body in (before.body, after.body)] == [1, 2]
    assert outcomes([after]) == ["below_threshold"]
    assert outcomes(together(office, office.submission())) == ["escalated"]


def test_a_policy_in_a_batch_raises_what_the_same_batch_recorded(office: Office) -> None:
    _, _, _, fourth = together(
        office, office.submission(), office.submission(), office.adoption({"threshold": 2}), office.submission()
    )

    assert outcomes([fourth]) == ["attached"]
    (escalation,) = office.escalations()
    assert escalation["policy_version"] == 2
    assert len(escalation["members"]) == 3


def test_a_registration_between_two_submissions_holds_for_the_second(office: Office) -> None:
    before, _, after = together(
        office,
        office.submission(service_id="the willows"),
        office.registration("willow-house", aliases=("the willows",)),
        office.submission(service_id="the willows"),
    )

    assert isinstance(before, Answer)
    assert isinstance(after, Answer)
    assert (before.body["service_id"], before.body["flags"]) == ("the willows", ["unregistered_service"])
    assert (after.body["service_id"], after.body["reported_service_id"]) == ("willow-house", "the willows")
    assert "flags" not in after.body


def test_a_withdrawal_between_submissions_is_not_counted_by_the_next(office: Office) -> None:
    first = office.submit()["id"]

    answers = together(office, office.submission(), office.withdrawal(first), office.submission(), office.submission())

    assert outcomes([answers[0], answers[2], answers[3]]) == ["below_threshold", "below_threshold", "escalated"]


def test_a_correction_between_submissions_moves_its_record_for_the_next(office: Office) -> None:
    first = office.submit(service_id="elm")["id"]

    answers = together(
        office, office.submission(), office.correction(first, service_id="willow-house"), office.submission()
    )

    assert outcomes([answers[2]]) == ["escalated"]


def test_a_review_that_closes_in_a_batch_has_consumed_its_members_for_the_next(office: Office) -> None:
    together(office, *(office.submission() for _ in range(3)))
    (escalation,) = office.escalations()

    answers = together(office, office.submission(), office.review_closure(escalation["review_id"]), office.submission())

    assert outcomes([answers[0], answers[2]]) == ["attached", "below_threshold"]
    assert len(office.open_escalations()) == 0


def test_a_member_withdrawn_under_another_policy_keeps_no_review_open(office: Office) -> None:
    first, *_ = bodies(together(office, *(office.submission() for _ in range(3))))
    (escalation,) = office.escalations()
    office.do(office.adoption({"group_by": ["incident_type"], "threshold": 9}))
    office.do(office.withdrawal(first["id"]))

    closed = office.do(office.review_closure(escalation["review_id"]))

    assert closed["status"] == "closed"
    assert office.near_miss(first["id"])["status"] == "withdrawn"


def test_what_was_settled_by_another_process_holds_at_once(postgresql_url: str) -> None:
    with opened(postgresql_url) as one, opened(postgresql_url) as other:
        one.submit(service_id="the willows")
        other.submit(service_id="the willows")

        one.do(one.registration("willow-house", aliases=("the willows",)))
        one.do(one.adoption({"threshold": 9}))
        shown = other.submit(service_id="the willows")

        assert shown["service_id"] == "willow-house"
        assert shown["similarity_check"]["policy_version"] == 2


def test_what_another_process_settles_between_reading_ahead_and_locking_holds(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(postgresql_url) as one, opened(postgresql_url) as other:
        other.submit()
        begin = postgresql.begin_batch
        settling = [one.registration("willow-house", aliases=("the willows",))]

        def settle_first(*asked: Any) -> Any:
            if settling:
                one.do(settling.pop())
                with other.house.database.read() as connection:  # As any reader's thread may.
                    other.house.configurations.now(connection, "default")
            return begin(*asked)

        monkeypatch.setattr(postgresql, "begin_batch", settle_first)
        shown = other.submit(service_id="the willows")

        assert shown["service_id"] == "willow-house"


# Equivalence with the pure rule


@dataclass
class Shadow:
    """The same life, once through the operations and once through the rule with a memory of dictionaries."""

    office: Office
    rule: Remembering
    chance: random.Random
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    jobs: list[Submit | Command] = field(default_factory=list)

    def report(self) -> None:
        document = self.drawn()
        job = self.office.submission(**document)
        self.documents[job.near_miss_id] = document
        self.jobs.append(job)
        self.rule.report(self.facts(job.near_miss_id), self.now)

    def correct(self) -> None:
        if name := self.any_open():
            changes = {key: self.drawn()[key] for key in self.chance.sample(CHANGING, 2)}
            self.documents[name] |= changes
            self.jobs.append(self.office.correction(name, **changes))
            self.rule.correct(name, self.facts(name), self.now)

    def withdraw(self) -> None:
        if name := self.any_open():
            self.jobs.append(self.office.withdrawal(name))
            self.rule.withdraw(name, self.now)
            for where, episode in self.rule.opened.items():
                if name in episode.members:  # Also where a policy has moved its key away since.
                    members = {**episode.members, name: "withdrawn"}
                    self.rule.opened[where] = replace(episode, members=members)
            del self.documents[name]

    def link(self) -> None:
        if name := self.any_open():
            link = {"stage_affected": "record", "stage_allowed": self.chance.choice(["handover", "record"])}
            self.documents[name] |= link
            self.jobs.append(self.office.link(name, **link, mapped_against=None))
            self.rule.correct(name, self.facts(name), self.now)

    def close(self) -> None:
        self.carry_out()
        still_open = [one for one in self.office.open_escalations() if self.chance.random() < 0.5]
        if not still_open:
            return
        escalation = still_open[0]
        while self.settle(escalation):  # What is linked may bring others in.
            (escalation,) = [one for one in self.office.open_escalations() if one["id"] == escalation["id"]]
        self.office.do(self.office.review_closure(escalation["review_id"]))
        self.rule.close(escalation["rule_id"], tuple(escalation["key"].values()), self.now)
        for member in escalation["members"]:
            if member["kind"] == "member":
                self.documents.pop(member["near_miss_id"], None)

    def settle(self, escalation: dict[str, Any]) -> bool:
        """What closing a review says of its members is said before, on both sides; whether anything was."""
        settled = False
        for member in escalation["members"]:
            name = member["near_miss_id"]
            if member["kind"] == "member" and "stage_allowed" not in self.documents.get(name, {"stage_allowed": ""}):
                link = {"stage_affected": "record", "stage_allowed": "handover"}
                self.documents[name] |= link
                self.office.do(self.office.link(name, **link))
                self.rule.correct(name, self.facts(name), self.now)
                settled = True
        return settled

    def adopt(self) -> None:
        rules = [
            {**RULES[0], "threshold": self.chance.choice([2, 3, 4]), "window": self.chance.choice(["P14D", "P7D"])},
            self.chance.choice([RULES[1], {**RULES[1], "group_by": ["incident_type"]}]),
        ]
        document = {"rules": rules, "time_zone": "Europe/London"}
        policy = parse_policy(document, self.rule.policy.version + 1)
        if policy.rules != self.rule.policy.rules:
            self.jobs.append(self.office.adoption(*rules, time_zone="Europe/London"))
            self.rule.adopt(policy, self.now)

    def carry_out(self) -> None:
        jobs, self.jobs = self.jobs, []
        if jobs:
            answers_of(self.office.house.try_all(jobs))

    @property
    def now(self) -> str:
        return self.office.clock().isoformat()

    def any_open(self) -> str | None:
        return self.chance.choice(list(self.documents)) if self.documents else None

    def drawn(self) -> dict[str, Any]:
        day = f"2026-0{self.chance.choice([2, 3])}-{self.chance.randint(1, 2)}{self.chance.randint(0, 8)}"
        chosen = self.chance.choice
        return {
            "occurred_at": chosen([day, f"{day}T0{self.chance.randint(0, 9)}:30:00Z"]),
            "service_id": chosen(["willow-house", "elm"]),
            "incident_type": "medication",
            "deviation": chosen(["late", "omitted"]),
            "classification": chosen(["near_miss", "near_miss", "no_harm_incident", "harm_incident"]),
        }

    def facts(self, name: str) -> Any:
        plain = {key: value for key, value in self.documents[name].items() if key != "occurred_at"}
        return facts_of(self.rule.policy, name, self.documents[name]["occurred_at"], **plain)


CHANGING = ["occurred_at", "service_id", "deviation", "classification"]
RULES: list[dict[str, Any]] = [
    {"id": "similar", "group_by": ["service_id", "deviation"], "threshold": 3, "window": "P14D"},
    {"id": "stage", "group_by": ["service_id", "stage_allowed"], "threshold": 2, "window": "P7D"},
]
STEPS = (
    [Shadow.report] * 10
    + [Shadow.correct] * 4
    + [Shadow.withdraw] * 2
    + [Shadow.link] * 3
    + [Shadow.adopt, Shadow.close]
)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(rounds(50)))
def test_whatever_happens_the_operations_say_what_the_rule_says(office: Office, seed: int) -> None:
    chance = random.Random(seed)
    office.clock.now = office.clock.now.replace(month=3, day=30)
    policy = parse_policy({"rules": RULES, "time_zone": "Europe/London"}, 2)
    office.do(office.adoption(*RULES, time_zone="Europe/London"))
    shadow = Shadow(office, Remembering(policy), chance)

    for _ in range(60):
        chance.choice(STEPS)(shadow)
        if chance.random() < 0.3:
            shadow.carry_out()
            office.clock.go_on(minutes=1)
    shadow.carry_out()

    stored = {
        (one["rule_id"], tuple(one["key"].values())): {m["near_miss_id"]: m["kind"] for m in one["members"]}
        for one in office.open_escalations()
    }
    expected = {
        (rule_id, tuple(json.loads(text))): dict(episode.members)
        for (rule_id, text), episode in shadow.rule.opened.items()
    }
    assert stored == expected
    raised = [one for _, one in shadow.rule.told if type(one).__name__ == "Raise"]
    assert [(one["rule_id"], one["key"]) for one in office.escalations()] == [
        (one.rule_id, dict(one.key)) for one in raised
    ]
    supported = {where: episode.supported for where, episode in shadow.rule.opened.items()}
    assert sorted(not one for one in supported.values()) == sorted(
        "support_below_threshold" in one["flags"] for one in office.open_escalations()
    )
    with office.house.database.read() as connection:
        assert_intact(connection)
