"""What holds for every order, every mixture of dates and instants, and every rule, against a count from scratch."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.moment import format_instant
from app.domain.policy import Policy
from app.domain.similarity import Facts
from tests.domain.remembering import Remembering, facts_of, policy_of, the_check, the_raise

NOW = "2026-03-20T12:00:00Z"


@dataclass(frozen=True)
class Told:
    """One generated report: hours since 1 March 2026 local time, or the day alone."""

    hour: int
    date_only: bool
    key: str
    weight: int
    person: str | None

    @property
    def local(self) -> datetime:
        return datetime.fromisoformat("2026-03-01") + timedelta(hours=self.hour)

    def facts(self, policy: Policy, name: str) -> Facts:
        text = f"{self.local:%Y-%m-%d}" if self.date_only else format_instant(self.instant(policy))
        values = {"attributes.n": self.weight, "person_ref": self.person}
        return facts_of(policy, name, text, service_id=self.key, **values)

    def instant(self, policy: Policy) -> datetime:
        return self.local.replace(tzinfo=policy.zone).astimezone(UTC)


REPORTS = st.lists(
    st.builds(
        Told,
        st.integers(0, 24 * 45),
        st.booleans(),
        st.sampled_from(["elm", "oak"]),
        st.integers(0, 3),
        st.sampled_from(["p1", "p2", None]),
    ),
    max_size=10,
)
RULES = st.fixed_dictionaries(
    {
        "threshold": st.integers(1, 4),
        "window": st.sampled_from(["P14D", "P3D", "PT36H", "PT12H"]),
        "op": st.sampled_from(["gte", "gt"]),
        "window_basis": st.sampled_from(["elapsed", "calendar"]),
    },
    optional={"weight": st.just("attributes.n")},
)
POLICIES = st.builds(
    lambda rule, time_zone: policy_of(rule, time_zone=time_zone),
    RULES | RULES.map(lambda rule: {**rule, "weight": None, "distinct": "person_ref"}),
    st.sampled_from(["UTC", "Europe/London"]),
)


@given(POLICIES, REPORTS, st.randoms(use_true_random=False))
def test_whether_a_key_fires_does_not_depend_on_the_order_of_arrival(
    policy: Policy, reports: list[Told], random: Any
) -> None:
    named = [(f"n{at}", one) for at, one in enumerate(reports)]
    shuffled = random.sample(named, len(named))

    in_order, out_of_order = arrived(policy, named), arrived(policy, shuffled)

    assert in_order.opened.keys() == out_of_order.opened.keys()
    assert members_of(in_order) == members_of(out_of_order)


@given(POLICIES, REPORTS)
def test_each_answer_is_what_counting_everything_anew_would_give(policy: Policy, reports: list[Told]) -> None:
    ward = Remembering(policy)
    known: list[tuple[str, Told]] = []

    for at, one in enumerate(reports):
        full_before = {one.key for window in windows_anew(policy, known) for _, one in window}
        known.append((f"n{at}", one))
        judgement = ward.report(one.facts(policy, f"n{at}"), NOW)
        windows = [window for window in windows_anew(policy, known, full=False) if known[-1] in window]
        full = [window for window in windows if enough(policy, window)]

        check = the_check(judgement)
        assert check.count == max(size(policy, window) for window in windows)
        crossed = bool(full) and one.key not in full_before
        assert (check.outcome == "escalated") is crossed
        if crossed:
            assert set(the_raise(judgement).members) == {name for window in full for name, _ in window}

    assert members_of(ward) == {
        key: {name for window in windows_anew(policy, known) for name, one in window if one.key == key}
        for key in {one.key for window in windows_anew(policy, known) for _, one in window}
    }


@given(POLICIES, REPORTS, st.data())
def test_a_report_that_is_withdrawn_leaves_the_counts_as_they_were(
    policy: Policy, reports: list[Told], data: st.DataObject
) -> None:
    last, gone = data.draw(REPORTS.filter(lambda some: len(some) > 1))[:2]
    named = [(f"n{at}", one) for at, one in enumerate(reports)]
    without, with_withdrawal = arrived(policy, named), arrived(policy, named)
    with_withdrawal.report(gone.facts(policy, "gone"), NOW)
    with_withdrawal.withdraw("gone", NOW)

    one, other = (ward.report(last.facts(policy, "last"), NOW) for ward in (without, with_withdrawal))

    assert [(check.count, check.matched_ids) for check in one.checks] == [
        (check.count, check.matched_ids) for check in other.checks
    ]


@given(POLICIES, REPORTS)
def test_judging_a_record_again_as_it_is_changes_nothing(policy: Policy, reports: list[Told]) -> None:
    ward = arrived(policy, [(f"n{at}", one) for at, one in enumerate(reports)])

    again = [ward.correct(name, facts, NOW).effects for name, facts in list(ward.records.items())]

    assert again == [()] * len(reports)


def arrived(policy: Policy, named: list[tuple[str, Told]]) -> Remembering:
    ward = Remembering(policy)
    for name, one in named:
        ward.report(one.facts(policy, name), NOW)
    return ward


def members_of(ward: Remembering) -> dict[str, set[str]]:
    """Service → members of its open episode."""
    return {
        text.strip('[]"'): {name for name, kind in episode.members.items() if kind == "member"}
        for (_, text), episode in ward.opened.items()
    }


def windows_anew(policy: Policy, known: list[tuple[str, Told]], full: bool = True) -> list[list[tuple[str, Told]]]:
    """Every window over these reports, from the definition alone; only those that are full, unless asked."""
    windows = [
        [(name, x) for name, x in known if x.key == anchor.key and in_window(policy, anchor, x)] for _, anchor in known
    ]
    return [window for window in windows if not full or enough(policy, window)]


def in_window(policy: Policy, anchor: Told, x: Told) -> bool:
    width = {"P14D": 14 * 24, "P3D": 3 * 24, "PT36H": 36, "PT12H": 12}[str(policy.rules[0].window)]
    if anchor.date_only or x.date_only:
        days = (anchor.local.date() - x.local.date()).days
        return days >= 0 and days * 24 < width
    ends, at = anchor.instant(policy), x.instant(policy)
    if policy.rules[0].window_basis == "calendar" and width % 24 == 0 and "PT" not in str(policy.rules[0].window):
        local = ends.astimezone(policy.zone).replace(tzinfo=None) - timedelta(hours=width)
        return local.replace(tzinfo=policy.zone).astimezone(UTC) < at <= ends
    return timedelta(0) <= ends - at < timedelta(hours=width)


def size(policy: Policy, window: list[tuple[str, Told]]) -> int:
    rule = policy.rules[0]
    if rule.weight is not None:
        return sum(one.weight for _, one in window)
    return len({one.person for _, one in window if one.person}) if rule.distinct is not None else len(window)


def enough(policy: Policy, window: list[tuple[str, Told]]) -> bool:
    rule = policy.rules[0]
    return size(policy, window) > rule.threshold - (rule.op == "gte")
