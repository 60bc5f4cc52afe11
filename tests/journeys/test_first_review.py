"""What a manager lives through: near misses repeat, a review opens, its gates are met, the pattern comes back."""

from tests.journeys.ward import Ward


def test_x(ward: Ward) -> None:
    for d in range(3):
        print(ward.submit())
    print(ward.escalations())
    assert 0
