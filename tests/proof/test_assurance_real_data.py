"""Real reports: the assurance of an imported log finds the crossings that a brute-force count over the file finds."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.moment import to_micros
from tests import office, rounds
from tests.journeys.test_real_data import adopt, expected_firings, imported, near_misses_of
from tests.proof.assuring import REPEATED, events_of, named, raisings, reported, without

FIRINGS = {"emar_demo": 35, "home_visits": 16, "incident_log": 494}
AGAIN = 3
"""Reviews that are closed before the same file is reported once more, so that their keys cross again."""


@pytest.fixture(scope="module")
def with_imported(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A database into which a log was imported, each once; a copy of it."""
    files: dict[str, Path] = {}

    def copied(name: str) -> str:
        log = near_misses_of(name)
        if name not in files:
            files[name] = Path(shutil.copy(migrated_sqlite, tmp_path_factory.mktemp(name)))
            with office.opened(f"sqlite:///{files[name]}") as room:
                adopt(room.house)
                imported(room.house, name, log)
        return f"sqlite:///{shutil.copy(files[name], tmp_path_factory.mktemp('copy'))}"

    return copied


@pytest.mark.parametrize("name", ["emar_demo", "home_visits"])
def test_the_assurance_of_an_imported_log_is_the_brute_force_count(
    name: str, with_imported: Callable[[str], str]
) -> None:
    with office.opened(with_imported(name)) as room:
        events = events_of(room)
        found = named(reported(events, to_micros(room.clock())), REPEATED)

        assert found["population"] == found["crossings_total"] == len(expected_firings(name)) == FIRINGS[name]
        assert found["exceptions"] == []
        assert {one["escalation_id"] for one in found["crossings"]} == {one.subject for one in raisings(events)}
        assert all(one["recomputed"] for one in found["crossings"])

        last = raisings(events)[-1]
        missing = named(reported(without(events, last.subject), to_micros(room.clock())), REPEATED)
        assert [one["ids"] for one in missing["exceptions"]] == [
            [each["near_miss_id"] for each in last.data["members"]]
        ]


def test_keys_that_cross_again_after_a_closure_are_in_the_population(with_imported: Callable[[str], str]) -> None:
    name = "emar_demo"
    with office.opened(with_imported(name)) as room:
        closing = room.escalations()[:AGAIN]
        with room.house.reader(room.organisation) as reader:
            stages = reader.settled().taxonomy.stages_of
        for one in closing:
            stage = min(stages[one["key"]["incident_type"]].in_use)
            for member in one["members"]:
                room.do(room.link(member["near_miss_id"], stage_affected=stage, stage_allowed=stage))
            room.do(room.review_closure(one["review_id"]))
        for one in closing:
            for _ in range(3):
                room.submit(deviation=None, **{part: one["key"][part] for part in ("service_id", "incident_type")})

        found = named(reported(events_of(room), to_micros(room.clock())), REPEATED)

        assert found["population"] == FIRINGS[name] + AGAIN
        assert found["exceptions"] == []


@pytest.mark.soak
@pytest.mark.skipif(rounds.LIMIT <= rounds.FEW, reason="It takes minutes: `make soak` does it.")
def test_the_assurance_of_a_service_desk_is_the_brute_force_count(with_imported: Callable[[str], str]) -> None:
    test_the_assurance_of_an_imported_log_is_the_brute_force_count("incident_log", with_imported)
