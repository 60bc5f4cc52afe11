"""The application inside the test, on each of the two databases in turn."""

from collections.abc import Iterator

import pytest

from tests.journeys.inside import Inside, opened
from tests.journeys.ward import Ward


@pytest.fixture
def inside(database_url: str) -> Iterator[Inside]:
    """The application with its clock at ten on Monday, 2 March 2026."""
    with opened(database_url) as inside:
        yield inside


@pytest.fixture
def ward(inside: Inside) -> Ward:
    """Its first organisation, with a key that may do everything."""
    return inside.ward
