"""/docs works where no other host can be reached: everything that it loads is served beside it."""

import re
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from app.api.reference import ASSETS, STATIC
from app.main import create_app


@pytest.fixture
def client() -> TestClient:
    """The application without a house: its description needs none."""
    return TestClient(create_app())


class Addresses(HTMLParser):
    """Collects what a page loads or leads to, and what it says of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline_scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.found += [value for name in ("src", "href") if (value := named.get(name)) is not None]
        self.inline_scripts += tag == "script" and "src" not in named


def test_the_page_refers_to_nothing_outside(client: TestClient) -> None:
    page = Addresses()

    page.feed(client.get("/docs").text)

    assert page.found
    assert [one for one in page.found if ":" in one or one.startswith("/")] == []
    assert all(client.get(f"/{one}").status_code == 200 for one in page.found)


def test_the_page_may_load_nothing_from_outside_and_runs_no_script_of_its_own(client: TestClient) -> None:
    response = client.get("/docs")
    page = Addresses()
    page.feed(response.text)

    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert page.inline_scripts == 0


@pytest.mark.parametrize("name", ASSETS)
def test_a_file_of_the_page_comes_from_the_service(name: str, client: TestClient) -> None:
    response = client.get(f"/docs/{name}")

    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == ASSETS[name][1]
    assert response.content == (STATIC / ASSETS[name][0]).read_bytes()


def test_no_style_loads_anything_from_outside(client: TestClient) -> None:
    style = client.get("/docs/swagger-ui.css").text

    assert [one for one in re.findall(r"url\(([^)]{1,20})", style) if not one.strip("'\"").startswith("data:")] == []
    assert "@import" not in style


def test_another_file_is_not_found(client: TestClient) -> None:
    assert client.get("/docs/README.md").status_code == 404
