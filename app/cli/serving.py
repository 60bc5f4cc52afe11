"""`serve`, `api`, `worker`: the processes that stay. SQLite bears one of them, PostgreSQL as many as there are.

What only some of them need is imported where they need it: every command of forewarn would else wait for the API.
"""

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.saying import log_plainly, tell
from app.database import migrate, sole
from app.operations.expected import expected, hold_back
from app.operations.house import CannotStart, House
from app.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST = "127.0.0.1"
PORT = 8000
FINISHING = 2.0
"""Seconds that the writer of a worker has to end, after the worker itself: both together are through in ten."""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = PORT,
    workers: Annotated[int, typer.Option(min=1, help="Processes; SQLite serves with one.")] = 1,
) -> None:
    """Serve the API and do the worker's work, on the database that FOREWARN_DATABASE_URL names."""
    settings = Settings()
    with _alone(settings, workers):
        migrate.upgrade(settings.database_url)
        with contextlib.closing(House(settings)) as house:
            expected(house)  # An emptied database is not to be begun anew.
        bootstrap(settings)
        _run(host, port, workers, "app.cli.serving:serving")


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = PORT,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Serve the API alone, on a PostgreSQL whose schema is up to date."""
    _only_postgresql(Settings(), "api")
    with contextlib.closing(House(Settings())) as house:
        expected(house)
    _run(host, port, workers, "app.cli.serving:answering")


def worker() -> None:
    """Do the worker's work alone, on a PostgreSQL whose schema is up to date."""
    from app.api.pack_pictures import PICTURES
    from app.worker import Worker

    _only_postgresql(Settings(), "worker")
    house = _held_to_its_word()
    house.start()
    try:
        Worker(house, PICTURES).run_until_signalled()
    finally:
        house.close(FINISHING)


def serving() -> "FastAPI":
    """The application of `serve`: uvicorn makes one in each process."""
    from app.main import create_app

    log_plainly()
    return create_app(_held_to_its_word())


def answering() -> "FastAPI":
    """The application of `api`."""
    from app.main import create_app

    log_plainly()
    return create_app(_held_to_its_word(), with_worker=False)


def bootstrap(settings: Settings) -> None:
    """The first start on an empty database makes an organisation and its admin key."""
    with contextlib.closing(House(settings)) as house:
        if house.organisations():
            return
        key = house.open_organisation("default", "default", settings.bootstrap_api_key)
        if key is not None and settings.bootstrap_api_key is None:
            tell({"organisation_id": "default", "admin_key": key.secret})


def _held_to_its_word() -> House:
    """The house, without those whose ledger is not what FOREWARN_EXPECTED_CHECKPOINTS says."""
    house = House(Settings())
    try:
        hold_back(house)
    except BaseException:
        house.close()
        raise
    return house


@contextlib.contextmanager
def _alone(settings: Settings, workers: int) -> Generator[None]:
    if settings.sqlite_path is None:
        yield
        return
    if workers > 1:
        raise CannotStart("SQLite serves with one process: leave --workers out, or use PostgreSQL.")
    with sole.holding(settings.sqlite_path):
        yield


def _only_postgresql(settings: Settings, command: str) -> None:
    if settings.dialect == "sqlite":
        raise CannotStart(
            f"SQLite serves with one process: use `forewarn serve`, or PostgreSQL for `forewarn {command}`."
        )


def _run(host: str, port: int, workers: int, factory: str) -> None:
    import uvicorn

    uvicorn.run(
        factory,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http="httptools",
        loop="auto",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
