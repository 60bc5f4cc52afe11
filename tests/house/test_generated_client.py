"""A typed client comes out of openapi.yaml by a public generator, whole, and works: as docs/clients.md says."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.main import create_app
from tests.house import ROOT
from tests.service import API_KEY, running_service
from tools import openapi

PACKAGE = "forewarn_client"
GUIDE = (ROOT / "docs/clients.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the package stands in, generated without a warning."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.yaml").write_text(openapi.rendered(), encoding="utf-8")
    (folder / "client.yaml").write_text("post_hooks: []\n" + block("yaml"), encoding="utf-8")
    arguments = [*block("sh").split()[1:], "--fail-on-warning"]
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def importable(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(generated)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_every_operation_has_its_function(generated: Path) -> None:
    operations = {one["operationId"] for item in create_app().openapi()["paths"].values() for one in item.values()}

    assert {file.stem for file in (generated / PACKAGE / "api").glob("*/*.py")} - {"__init__"} == operations


def test_the_guide_s_client_submits_and_queries(
    importable: None, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    with running_service(sqlite_url, tmp_path) as service:
        monkeypatch.setenv("FOREWARN_URL", service.base_url)
        monkeypatch.setenv("FOREWARN_KEY", API_KEY)
        exec(compile(block("python"), "docs/clients.md", "exec"), told)

    escalation = told["escalation"]
    assert escalation.rule_id
    assert told["near_miss"].id in {one.near_miss_id for one in escalation.members}
    assert len(escalation.members) == 3
    assert told["near_miss"].similarity_check.rules[0].outcome == "escalated"


def block(language: str) -> str:
    """The guide's one block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    return found
