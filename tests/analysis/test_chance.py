"""What a rule fires by chance alone: the numbers of the design, and of a simulated provider."""

import numpy as np
import pytest

from app.analysis.chance import episodes_a_year, triggers_a_year
from tests import cases
from tests.analysis import provider
from tests.rounds import rounds

TABLE = cases.load("oracles/surveillance.json")["false_trigger_rate"]["per_year"]
PUBLISHED = [
    (int(rate), int(name[1:]), number)
    for rate, row in TABLE.items()
    for name, number in row.items()
    if name.startswith("N")
]


@pytest.mark.parametrize(("rate", "expected"), [(26, 4.8), (52, 14.1)])
def test_three_in_fourteen_days_opens_so_many_episodes_a_year_by_chance(rate: int, expected: float) -> None:
    assert round(episodes_a_year(rate, 14, 3), 1) == expected


@pytest.mark.parametrize(("rate", "threshold", "expected"), PUBLISHED)
def test_so_many_reports_a_year_find_the_threshold_reached(rate: int, threshold: int, expected: float) -> None:
    found = triggers_a_year(rate, 14, threshold)

    decimals = len(str(expected).split(".")[1])
    assert round(found, decimals) == expected


@pytest.mark.soak
@pytest.mark.parametrize("rate", [6, 12, 26, 52])
def test_a_provider_in_which_nothing_changes_opens_as_many_episodes_as_simulated(rate: int) -> None:
    years = 200 * rounds(20)
    times = provider.reports(np.random.default_rng(rate), rate, years * provider.YEAR)

    opened = len(provider.episodes(times))

    expected = TABLE[str(rate)]["sim_reset"]
    assert opened / years == pytest.approx(expected, abs=0.01 + 4 * (expected / years) ** 0.5)


def test_a_threshold_of_one_fires_with_every_first_report_and_no_report_never() -> None:
    assert triggers_a_year(10, 14, 1) == 10
    assert episodes_a_year(0, 14, 3) == triggers_a_year(0, 14, 3) == 0


@pytest.mark.parametrize("arguments", [(-1, 14, 3), (26, 0, 3), (26, 14, 0)])
def test_what_is_no_rule_is_refused(arguments: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match=r"rate|window|threshold"):
        episodes_a_year(*arguments)
