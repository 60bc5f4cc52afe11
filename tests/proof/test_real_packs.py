"""Packs as the service makes them, before both verifiers."""

import random
from pathlib import Path

import pytest

from tests.journeys.inside import opened
from tests.journeys.packs import packed
from tests.proof import stranger
from tests.proof.packs import flipped, judged, packed_anew, unpacked
from tests.rounds import rounds


@pytest.mark.parametrize("asked", [{}, {"services": ["yew-house"], "audience": "commissioner"}])
def test_a_pack_of_the_service_is_intact_and_what_is_done_to_it_is_found(
    asked: dict[str, object], sqlite_url: str, tmp_path: Path
) -> None:
    chance = random.Random(9)
    with opened(sqlite_url) as inside:
        for _ in range(3):
            inside.ward.submit()
            inside.ward.submit(service_id="yew-house")
        packed(inside)
        inside.ward.submit()
        data = packed(inside, **asked).data

    verdict = judged(data, tmp_path)

    assert verdict.ok, verdict.problem
    assert verdict.facts["previous"]
    assert stranger.is_intact(data)
    assert judged(packed_anew(unpacked(data)), tmp_path).ok
    for _ in range(2 * rounds(50)):
        altered = flipped(data, chance)
        assert not judged(altered, tmp_path).ok
        assert not stranger.is_intact(altered)
