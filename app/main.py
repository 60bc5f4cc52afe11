"""The application: the only place that sees every floor."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from app.api import (
    action_outcomes,
    actions,
    adapters,
    assurance,
    backtests,
    deliveries,
    denominators,
    duplicates,
    escalations,
    events,
    evidence_packs,
    fhir,
    governance_reviews,
    health,
    heatmaps,
    histories,
    intake_records,
    ledger,
    near_misses,
    notices,
    openapi,
    problems,
    recognition,
    reference,
    reviews,
    settling,
    signals,
    sources,
    traces,
    transparency,
    trends,
    webhook_endpoints,
    windows,
    workflow,
)
from app.api.door import Door
from app.api.limits import Limits
from app.api.pack_pictures import PICTURES
from app.api.streams import Streams
from app.operations.house import House
from app.worker import Worker

ROUTERS = (
    near_misses,
    events,
    adapters,
    intake_records,
    settling,
    backtests,
    windows,
    workflow,
    heatmaps,
    trends,
    escalations,
    reviews,
    actions,
    governance_reviews,
    assurance,
    action_outcomes,
    histories,
    traces,
    notices,
    ledger,
    transparency,
    evidence_packs,
    denominators,
    recognition,
    fhir,
    sources,
    signals,
    webhook_endpoints,
    deliveries,
    duplicates,
    health,
    reference,
)


HANDING_OVER = 0.0005
"""Seconds for which the event loop, the writer and the worker let each other wait for the interpreter: whoever has
given it away for a system call would else wait ten times as long to get it back."""


def create_app(house: House | None = None, *, with_worker: bool = True) -> FastAPI:
    """The API over an opened house; without one, only its description can be asked for."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        assert house is not None
        sys.setswitchinterval(HANDING_OVER)
        house.start()
        worker = Worker(house, PICTURES) if with_worker else None
        if worker is not None:
            worker.start()
        with app.state.streams.open():
            yield
        if worker is not None:
            worker.stop()
        house.close()

    app = FastAPI(lifespan=lifespan, **openapi.keywords())
    if house is not None:
        app.state.door = Door(house)
        app.state.streams = Streams(house)
    app.router.routes[:] = [near_misses.DIRECT, *app.router.routes, *_routes()]
    problems.install(app)
    openapi.install(app)
    app.add_middleware(Limits)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """What every application of this process answers; what each route takes is worked out once, at its first use."""
    every = APIRouter(generate_unique_id_function=openapi.keywords()["generate_unique_id_function"])
    for module in ROUTERS:
        every.include_router(module.router)
    return tuple(every.routes)
