"""What must hold of verdicts, on simulated providers: chance is not called success, and a halved rate is found.

Each seed is one provider. Its reports come at random at a steady rate, three in fourteen days open an episode, its
review is closed after two weeks and its action takes effect two weeks later.
"""

from collections import Counter

import numpy as np
import pytest

from app.analysis.outcome import Arm, assess
from tests import cases
from tests.analysis import provider
from tests.analysis.provider import FOLLOW_UP, YEAR, between
from tests.rounds import rounds

REGRESSION = cases.load("oracles/surveillance.json")["regression_to_mean"]
KEYS = (6, 12, 26, 52)
YEARS = 4
# The oracle is a simulation of its own; at six a year, where little triggers, it saw little.
ORACLES_OWN_ERROR = {6: 0.12, 12: 0.02, 26: 0.02, 52: 0.02}


def verdicts_where_nothing_changes(seed: int) -> Counter[str]:
    """The verdict on each action of four keys in four years, and how often a naive comparison shows a fall."""
    chance = np.random.default_rng(seed)
    end = YEARS * YEAR
    keys = [provider.reports(chance, rate, end) for rate in KEYS]
    found: Counter[str] = Counter()
    for times in keys:
        others = np.sort(np.concatenate([other for other in keys if other is not times]))
        for episode in provider.episodes(times, provider.CLOSED_AFTER):
            if episode.first < provider.BASELINE or episode.effect + FOLLOW_UP > end:
                continue
            assessment = assess(
                provider.before(times, episode),
                provider.after(times, episode),
                provider.before(others, episode),
                provider.after(others, episode),
            )
            found[assessment.verdict] += 1
            opened = episode.opened
            found["naive fall"] += between(times, opened, opened + 14) < between(times, opened - 14, opened)
    return found


def verdicts_where_the_rate_halves(seed: int, rate_a_year: float, follow_ups: tuple[float, ...]) -> tuple[str, ...]:
    """The verdicts on the first action, after each follow-up; from its effect on, half as many reports come."""
    chance = np.random.default_rng(seed)
    times = provider.reports(chance, rate_a_year, 8 * YEAR)
    episode = next(one for one in provider.episodes(times, provider.CLOSED_AFTER) if one.first >= provider.BASELINE)
    later = episode.effect + provider.reports(chance, rate_a_year / 2, max(follow_ups))
    times = np.concatenate([times[times <= episode.effect], later])
    before = provider.before(times, episode)
    return tuple(assess(before, provider.after(times, episode, days)).verdict for days in follow_ups)


@pytest.mark.soak
def test_where_nothing_changes_five_in_a_hundred_actions_at_most_are_said_to_have_worked() -> None:
    found: Counter[str] = Counter()

    for seed in range(rounds(500)):
        found += verdicts_where_nothing_changes(seed)

    naive = found.pop("naive fall")
    assert found["fell"] <= 0.05 * found.total()
    assert naive > 0.5 * found.total()


@pytest.mark.soak
@pytest.mark.parametrize("row", REGRESSION["rows"], ids=lambda row: str(row[0]))
def test_regression_to_the_mean_is_as_simulated(row: list[float]) -> None:
    """Events after / events before, pooled: a naive window shows a fall of up to 92 %, the design's two arms none."""
    rate, *expected = row
    days = 400 * rounds(40) * YEAR * 12 / rate
    times = provider.reports(np.random.default_rng(int(rate)), rate, days)
    before, after = np.zeros(4), np.zeros(4)

    for episode in provider.episodes(times):
        if episode.first < provider.BASELINE or episode.opened + FOLLOW_UP > days:
            continue
        for column, window in enumerate((14, 28, 90)):
            before[column] += between(times, episode.opened - window, episode.opened)
            after[column] += between(times, episode.opened, episode.opened + window)
        before[3] += provider.before(times, episode).events
        after[3] += between(times, episode.opened, episode.opened + FOLLOW_UP)

    ratios = after / before * np.array([1, 1, 1, provider.BASELINE / FOLLOW_UP])
    errors = 4 * np.sqrt(1 / after + 1 / before) + ORACLES_OWN_ERROR[int(rate)]
    assert list(np.abs(ratios / expected - 1) <= errors) == [True] * 4


@pytest.mark.soak
def test_a_rate_that_halves_and_leaves_sixty_a_year_is_found_in_more_than_sixty_in_a_hundred() -> None:
    seeds = max(400, rounds(2000))

    found = [verdicts_where_the_rate_halves(seed, 120, (FOLLOW_UP,)) for seed in range(seeds)]

    assert sum(verdict == ("fell",) for verdict in found) > 0.6 * seeds


@pytest.mark.soak
def test_sixty_a_year_that_halve_are_found_in_more_than_sixty_in_a_hundred_by_a_second_look_after_a_year() -> None:
    """Ninety days alone find three in ten: about 30 events before and 7 after are not enough for more."""
    seeds = max(400, rounds(2000))

    found = [verdicts_where_the_rate_halves(seed, 60, (FOLLOW_UP, 365)) for seed in range(seeds)]

    assert 0.2 * seeds < sum(first == "fell" for first, _ in found) < 0.4 * seeds
    assert sum("fell" in looks for looks in found) > 0.6 * seeds


@pytest.mark.soak
def test_two_looks_at_what_did_not_change_call_it_success_in_five_in_a_hundred_at_most() -> None:
    seeds, fell = 20 * rounds(100), 0

    for seed in range(seeds):
        times = provider.reports(np.random.default_rng(seed), 60, 8 * YEAR)
        episode = next(one for one in provider.episodes(times, provider.CLOSED_AFTER) if one.first >= 180)
        looks = [assess(provider.before(times, episode), provider.after(times, episode, days)) for days in (90, 365)]
        fell += any(look.verdict == "fell" for look in looks)

    assert fell <= 0.05 * seeds


def test_a_fall_of_all_reporting_is_never_called_success() -> None:
    """Every key of the provider falls silent by three quarters: nothing got better, people stopped writing."""
    for seed in range(20):
        chance = np.random.default_rng(seed)
        before, others_before = chance.poisson((60, 200))
        after, others_after = chance.poisson((60 / 8, 200 / 8))

        found = assess(Arm(before, 180), Arm(after, 90), Arm(others_before, 180), Arm(others_after, 90))

        assert found.verdict == "reporting_fell"
