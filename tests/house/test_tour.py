"""What the README and the tour tell a stranger to type is typed here, and answers what they say it answers.

A block of `sh` is run; a block of `json` right after it is its answer, abridged: what stands in it must be in the
answer, `"…"` stands for any value, and at the end of an array for any number of them.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.house import ROOT
from tests.service import API_KEY, running_service, surroundings

PAGES = ["README.md", "docs/tour.md"]
ANYTHING = "…"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "\x1e"
_SECONDS = 60


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_tells_to_type_answers_as_it_says(page: str, empty_sqlite_url: str, tmp_path: Path) -> None:
    typed = list(blocks((ROOT / page).read_text(encoding="utf-8")))

    with running_service(empty_sqlite_url, tmp_path) as service:
        answers = answers_of([script for script, _ in typed], service.base_url, empty_sqlite_url, tmp_path)

    assert len(typed) > 5
    told = [(script, expected, answer) for (script, expected), answer in zip(typed, answers, strict=True) if expected]
    for script, expected, answer in told:
        assert list(missing(json.loads(expected), last_document(answer), "")) == [], script


def blocks(text: str) -> Iterator[tuple[str, str | None]]:
    """Every command of a page, with the answer that stands right after it."""
    found = [(match.group(1), match.group(2)) for match in _BLOCK.finditer(text)]
    for n, (language, content) in enumerate(found):
        if language == "sh":
            following = found[n + 1] if n + 1 < len(found) else ("", "")
            yield content, following[1] if following[0] == "json" else None


def answers_of(scripts: list[str], base_url: str, database_url: str, directory: Path) -> list[str]:
    """What each block prints, all typed into one shell."""
    beginning = 'set -euo pipefail\nforewarn() { "$PYTHON" -m app.cli "$@"; }\n'
    environment = surroundings(database_url, {"FOREWARN": base_url, "KEY": API_KEY, "PYTHON": sys.executable})
    done = subprocess.run(
        ["bash", "-c", beginning + f"printf '%s' '{_MARK}'\n".join(scripts)],
        cwd=directory,
        env={**environment, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split(_MARK)


def last_document(output: str) -> Any:
    return json.loads(output.strip().splitlines()[-1])


def missing(expected: Any, found: Any, where: str) -> Iterator[str]:
    """Where the answer is not what the page says."""
    if expected == ANYTHING:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name in found:
                yield from missing(value, found[name], f"{where}/{name}")
            else:
                yield f"{where}/{name} is not there"
    elif isinstance(expected, list) and isinstance(found, list):
        first = expected[:-1] if expected[-1:] == [ANYTHING] else expected
        if len(found) < len(first) or (first == expected and len(found) != len(expected)):
            yield f"{where} has {len(found)} items"
        for n, (one, other) in enumerate(zip(first, found, strict=False)):
            yield from missing(one, other, f"{where}/{n}")
    elif expected != found:
        yield f"{where} is {found!r}"
