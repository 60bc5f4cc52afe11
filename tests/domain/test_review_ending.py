"""Who may conclude a review, what it asks for from the start, and what becomes of one that is merged into another."""

from datetime import UTC, datetime
from functools import reduce

import pytest

from app.domain import review
from app.domain.decider import GateNotMet, Invalid, NotFound
from app.domain.review import Review, Stage
from app.domain.sealed import SealedText

TUESDAY = datetime(2026, 3, 3, 9, tzinfo=UTC)
TEXT = SealedText(sealed="d2h5", key="k-review")
INVOLVED = frozenset({"seven", "eight"})

opened = review.Opened("esc-1")
causes = review.CausesIdentified((review.Cause("rota_pressure", "system"),))
risk = review.SystemRiskDetermined("not_system_risk", TEXT)
safeguarded = review.SafeguardingConsidered(considered=True)
closed = review.Closed("no_action_needed", TEXT, ("nm-1",))
merged = review.Merged("rev-2")

ready = (opened, causes, risk, safeguarded)


def after(*events: review.Event) -> Review:
    return reduce(review.evolve, events, review.UNOPENED)


def close_by(actor: str, code: str = "no_action_needed") -> review.Close:
    return review.Close(code, TEXT, (), (), ("nm-1",), actor, INVOLVED)


def countersigned_by(actor: str) -> review.Countersigned:
    return review.Countersigned(actor, TEXT)


# Who was involved


def test_whoever_was_involved_in_a_member_does_not_conclude_its_review_alone() -> None:
    with pytest.raises(review.ReviewerInvolved) as refusal:
        review.decide(close_by("staff/seven"), after(*ready), TUESDAY)

    assert refusal.value.code == "reviewer-involved"
    assert "seven" not in refusal.value.detail


@pytest.mark.parametrize("actor", ["staff/nine", "key/seven", "seven"], ids=["another person", "a key", "no person"])
def test_whoever_was_not_involved_concludes_the_review(actor: str) -> None:
    assert review.decide(close_by(actor), after(*ready), TUESDAY) == [closed]


def test_somebody_of_leadership_who_was_not_involved_stands_for_who_was() -> None:
    standing = after(*ready, countersigned_by("staff/nine"))

    assert review.decide(close_by("staff/seven"), standing, TUESDAY) == [closed]


@pytest.mark.parametrize("leader", ["staff/seven", "staff/eight"], ids=["themselves", "another who was involved"])
def test_a_countersignature_of_somebody_involved_stands_for_nobody(leader: str) -> None:
    standing = after(*ready, countersigned_by(leader))

    with pytest.raises(review.ReviewerInvolved):
        review.decide(close_by("staff/seven"), standing, TUESDAY)


def test_being_involved_is_told_before_any_gate_and_after_a_code_that_nobody_knows() -> None:
    with pytest.raises(review.ReviewerInvolved):
        review.decide(close_by("staff/seven"), after(opened), TUESDAY)
    with pytest.raises(Invalid):
        review.decide(close_by("staff/seven", "forgotten"), after(opened), TUESDAY)
    with pytest.raises(GateNotMet):
        review.decide(close_by("staff/nine"), after(opened), TUESDAY)


def test_a_countersignature_from_before_a_reopening_stands_for_nobody() -> None:
    standing = after(*ready, countersigned_by("staff/nine"), closed, review.Reopened(TEXT))

    with pytest.raises(review.ReviewerInvolved):
        review.decide(close_by("staff/seven"), standing, TUESDAY)


# What is asked from the start


@pytest.mark.parametrize(
    ("events", "codes"),
    [
        pytest.param((opened,), ["safeguarding"], id="opened"),
        pytest.param((opened, review.Started("staff/nine")), ["safeguarding"], id="started"),
        pytest.param((opened, review.SafeguardingConsidered(considered=False)), ["safeguarding"], id="not considered"),
        pytest.param((opened, safeguarded), [], id="considered"),
        pytest.param((opened, merged), [], id="merged"),
        pytest.param((), [], id="never opened"),
    ],
)
def test_safeguarding_is_asked_from_the_start_until_it_was_considered(
    events: tuple[review.Event, ...], codes: list[str]
) -> None:
    assert [prompt.code for prompt in review.prompts(after(*events))] == codes


# Merging


@pytest.mark.parametrize("events", [(opened,), (*ready, closed)], ids=["open", "closed"])
def test_a_review_goes_on_in_that_of_the_other_escalation(events: tuple[review.Event, ...]) -> None:
    standing = after(*events)

    decided = review.decide(review.MergeInto("rev-2"), standing, TUESDAY)

    assert decided == [merged]
    again = reduce(review.evolve, decided, standing)
    assert (again.stage, again.merged_into) == (Stage.MERGED, "rev-2")
    assert review.decide(review.MergeInto("rev-2"), again, TUESDAY) == []


@pytest.mark.parametrize(
    "command",
    [
        review.Start("staff/nine"),
        review.IdentifyCauses((), frozenset()),
        review.DetermineSystemRisk("system_risk", TEXT),
        review.ConsiderSafeguarding(considered=True),
        review.AgreeAction("act-1"),
        review.Countersign("staff/nine", TEXT),
        close_by("staff/nine"),
        review.Reopen(TEXT, "esc-2"),
        review.MergeInto("rev-3"),
    ],
    ids=lambda command: type(command).__name__,
)
@pytest.mark.parametrize("events", [(*ready, merged), (*ready, closed, merged)], ids=["was open", "was closed"])
def test_what_was_merged_takes_nothing_and_names_where_it_goes_on(
    events: tuple[review.Event, ...], command: review.Command
) -> None:
    with pytest.raises(review.AlreadyMerged) as refusal:
        review.decide(command, after(*events), TUESDAY)

    assert refusal.value.code == "review-merged"
    assert "rev-2" in refusal.value.detail


def test_a_review_that_never_opened_is_not_merged() -> None:
    with pytest.raises(NotFound):
        review.decide(review.MergeInto("rev-2"), review.UNOPENED, TUESDAY)
