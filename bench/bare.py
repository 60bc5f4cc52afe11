"""The yardstick of a submission over HTTP: what one would write in an afternoon, and nothing of what it should do.

A FastAPI route, a pydantic body of the same shape, one INSERT, one answer. On PostgreSQL by asyncpg and a pool of
32; on SQLite by one connection with the service's own durability, and one commit a request.
"""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import uuid4

import asyncpg
from fastapi import FastAPI, Request
from pydantic import BaseModel

TABLE = "CREATE TABLE near_miss (id text PRIMARY KEY, recorded_at {time} NOT NULL, payload text NOT NULL)"


class Staff(BaseModel):
    ref: str
    role: str | None = None


class NearMiss(BaseModel):
    source: str
    source_event_id: str
    occurred_at: datetime
    service_id: str
    incident_type: str
    deviation: str
    classification: str
    contributing_factors: list[str]
    staff_involved: list[Staff]
    person_ref: str
    recovery_barrier: str
    potential_harm: str
    narrative: str
    attributes: dict[str, str | int | float]


class Stored(BaseModel):
    id: str


def on_postgresql() -> FastAPI:
    """One asyncpg INSERT a request."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncpg.create_pool(os.environ["BENCH_DATABASE_URL"], min_size=32, max_size=32) as pool:
            await pool.execute(TABLE.format(time="timestamptz"))
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/near-misses", status_code=201)
    async def submit(request: Request, body: NearMiss) -> Stored:
        near_miss_id = str(uuid4())
        await request.app.state.pool.execute(
            "INSERT INTO near_miss (id, recorded_at, payload) VALUES ($1, now(), $2)",
            near_miss_id,
            body.model_dump_json(),
        )
        return Stored(id=near_miss_id)

    return app


def on_sqlite() -> FastAPI:
    """One sqlite3 INSERT and commit a request."""
    connection = sqlite3.connect(os.environ["BENCH_DATABASE_URL"], isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(TABLE.format(time="text"))
    app = FastAPI()

    @app.post("/near-misses", status_code=201)
    async def submit(body: NearMiss) -> Stored:
        near_miss_id = str(uuid4())
        connection.execute(
            "INSERT INTO near_miss (id, recorded_at, payload) VALUES (?, datetime('now'), ?)",
            (near_miss_id, body.model_dump_json()),
        )
        return Stored(id=near_miss_id)

    return app
