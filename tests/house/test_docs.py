"""The documents name everything that there is: settings, routes, commands, events; and every link leads somewhere."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli.commands import cli
from app.main import create_app
from app.settings import Settings
from tests.house import ROOT
from tools import events

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
ROUTES = [f"{method.upper()} {path}" for path, item in create_app().openapi()["paths"].items() for method in item]
PREFIX = Settings.model_config.get("env_prefix", "")

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def commands(command: Any, name: str = "forewarn") -> list[str]:
    """Every command's full name; a group has commands of its own."""
    parts: dict[str, Any] = getattr(command, "commands", {})
    return [full for part, below in parts.items() for full in commands(below, f"{name} {part}")] or [name]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_operations_tells_of_a_setting(name: str) -> None:
    assert f"| `{PREFIX}{name.upper()}` |" in read("docs/operations.md")


def test_operations_tells_of_no_setting_that_there_is_not() -> None:
    told = set(re.findall(rf"^\| `{PREFIX}([A-Z_]+)` \|", read("docs/operations.md"), re.MULTILINE))

    assert told == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("route", ROUTES)
def test_the_guide_tells_of_a_route(route: str) -> None:
    assert re.search(rf"`{re.escape(route)}`", read("docs/api.md"))


def test_the_guide_tells_of_no_route_that_there_is_not() -> None:
    told = re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`]+)` \|", read("docs/api.md"), re.MULTILINE)

    assert set(told) <= set(ROUTES)


@pytest.mark.parametrize("command", commands(typer.main.get_command(cli)))
def test_operations_tells_of_a_command(command: str) -> None:
    assert re.search(rf"`{command}\b", read("docs/operations.md"))


def test_the_page_of_events_is_what_the_catalogue_says() -> None:
    assert events.FILE.read_text(encoding="utf-8") == events.rendered(), "Run: python -m tools.events"


@pytest.mark.parametrize("metric", re.findall(r'"(forewarn_[a-z_]+)"', (ROOT / "app/api/health.py").read_text("utf-8")))
def test_operations_tells_of_a_metric(metric: str) -> None:
    assert f"`{metric}`" in read("docs/operations.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_documents_leads_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]

    assert [link for link in links if not leads_somewhere(page, link)] == []


def test_the_index_of_decisions_names_each() -> None:
    index = read("docs/adr/README.md")

    assert [page.name for page in sorted((ROOT / "docs/adr").glob("0*.md")) if f"({page.name})" not in index] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs/adr").glob("0*.md")), ids=lambda page: page.stem[:4])
def test_a_decision_says_context_decision_consequences_and_what_enforces_it(page: Path) -> None:
    parts = re.findall(r"^\*\*(.+?)\.\*\*", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert parts == ["Context", "Decision", "Consequences", "Enforced by"]


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not anchor:
        return target.exists()
    return anchor in {slug(heading) for heading in _HEADING.findall(target.read_text(encoding="utf-8"))}


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")
