"""`forewarn backtest` as it is typed: what was asked beside the rule's own, or what is wrong, line by line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli.commands import cli
from tests.office import opened
from tests.service import MASTER_KEY

RULE = {"id": "similar", "group_by": ["service_id"], "threshold": 3, "window": "P14D"}
Typed = Callable[..., Result]


@pytest.fixture
def typed(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("FOREWARN_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("FOREWARN_MASTER_KEY", MASTER_KEY)
    with opened(sqlite_url) as office:
        office.submit()

    def type_it(policy: Any, *arguments: str) -> Result:
        file = tmp_path / "policy.json"
        file.write_text(json.dumps(policy), encoding="utf-8")
        return CliRunner().invoke(cli, ["backtest", str(file), *arguments])

    return type_it


def rows(result: Result) -> list[tuple[int, str]]:
    return [(row["threshold"], row["window"]) for row in json.loads(result.stdout)["grid"]["rows"]]


def test_what_is_asked_for_is_tried_beside_the_rules_own(typed: Typed) -> None:
    asked = ["--threshold", "2", "--threshold", "3", "--window", "P1M", "--json"]

    assert rows(typed({"rules": [RULE]}, *asked)) == [(3, "P14D"), (3, "P1M"), (2, "P14D"), (2, "P1M")]
    assert rows(typed({"rules": [RULE]}, "--json")) == [(3, "P14D")]


def test_a_policy_of_no_rules_is_tried_and_has_nothing_to_vary(typed: Typed) -> None:
    varied = typed({"rules": []}, "--window", "P1M")

    for alone in (typed({"rules": []}), typed({"rules": [{**RULE, "mode": "off"}]})):
        assert (alone.exit_code, "0 reviews" in alone.stdout) == (0, True)
    assert (varied.exit_code, varied.stderr.startswith("/grid: No rule of the policy is on")) == (2, True)


def test_what_is_wrong_with_a_rule_is_said_of_the_rule(typed: Typed) -> None:
    told = typed({"rules": [{**RULE, "window": 14}]})

    assert told.exit_code == 2
    assert {line.split(":")[0] for line in told.stderr.splitlines()} == {"/policy/rules/0/window"}
