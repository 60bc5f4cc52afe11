"""No route without a scope: each declares in its description what a key needs, and refuses a key that has all else."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from app.api.routes import SCOPE
from app.domain.organisation import SCOPES
from app.main import create_app
from tests.journeys.inside import Inside, opened


def all_routes(routes: Iterable[Any]) -> Iterator[APIRoute]:
    """The routes of the application itself and of every router that it includes."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from all_routes(router.routes)


ROUTES = [
    (method, route)
    for route in all_routes(create_app().routes)
    if route.path.startswith("/v1")
    for method in sorted(route.methods)
]
IDS = [f"{method} {route.path}" for method, route in ROUTES]


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    from app.database.migrate import upgrade

    url = f"sqlite:///{tmp_path_factory.mktemp('scopes') / 'forewarn.db'}"
    upgrade(url)
    with opened(url) as inside:
        yield inside


def test_every_path_that_is_described_is_among_the_routes() -> None:
    described = {path for path in create_app().openapi()["paths"] if path.startswith("/v1")}

    assert described
    assert {route.path_format for _, route in ROUTES} == described


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=IDS)
def test_a_route_declares_the_scope_that_it_needs(method: str, route: APIRoute) -> None:
    assert scope_of(route) in SCOPES


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=IDS)
def test_a_route_refuses_a_key_without_its_scope(inside: Inside, method: str, route: APIRoute) -> None:
    others = [scope for scope in SCOPES if scope not in {*scopes_of(route), "admin"}]
    ward = inside.holding(*others)

    refused = asked(inside, method, route, ward.headers)

    assert refused.status_code == 403
    assert scope_of(route) in refused.text


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=IDS)
def test_a_route_lets_a_key_with_its_scope_alone_in(inside: Inside, method: str, route: APIRoute) -> None:
    for scope in sorted(scopes_of(route)):
        ward = inside.holding(scope)

        answer = asked(inside, method, route, ward.headers)

        assert answer.status_code not in {401, 403}
        assert answer.status_code < 500


@pytest.mark.parametrize(("method", "route"), ROUTES, ids=IDS)
def test_a_route_refuses_whoever_has_no_key(inside: Inside, method: str, route: APIRoute) -> None:
    assert asked(inside, method, route, {}).status_code == 401


def scope_of(route: APIRoute) -> str:
    return (route.openapi_extra or {}).get(SCOPE, "")


def scopes_of(route: APIRoute) -> set[str]:
    """The scopes of which any lets a key in."""
    return {scope for one in (route.openapi_extra or {})["security"] for scope in one["key"]}


def asked(inside: Inside, method: str, route: APIRoute, headers: dict[str, str]) -> Any:
    path = route.path_format.format(**dict.fromkeys(route.param_convertors, "anything"))
    until_the_end = {"follow": "false"} if path.endswith("/stream") else None  # It would go on for ever.
    return inside.client.request(method, path, headers=headers, params=until_the_end)
