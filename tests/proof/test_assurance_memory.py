"""An assurance takes no more memory for a long ledger than for a short one: what it notes lies in a file.

A hundred thousand events in the soak, five thousand otherwise.
"""

import json
import subprocess
import sys

import pytest

from tests.rounds import rounds
from tests.service import ROOT

EVENTS = 1000 * rounds(100)
MOST = 6 + 90 * EVENTS / 100_000
"""MiB, of which the notebook's pages are a third."""


@pytest.mark.soak
def test_a_long_ledger_is_assured_in_bounded_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.assurance", str(EVENTS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )

    told = json.loads(done.stdout)

    assert told["events"] >= EVENTS
    assert told["crossings"] > EVENTS / 100
    assert told["grown"] < MOST
