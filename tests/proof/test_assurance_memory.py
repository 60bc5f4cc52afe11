"""An assurance takes no more memory for a long ledger than for a short one: what it notes lies in a file."""

import json
import subprocess
import sys

import pytest

from tests.service import ROOT

MOST = 96
"""MiB, of which the notebook's pages are a third."""


@pytest.mark.soak
def test_a_hundred_thousand_events_are_assured_in_bounded_memory() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.assurance", "100000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )

    told = json.loads(done.stdout)

    assert told["events"] >= 100_000
    assert told["crossings"] > 1000
    assert told["grown"] < MOST
