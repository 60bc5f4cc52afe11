"""The house as a command enters it: its schema up to date, its writer at work, closed again at the end."""

import contextlib
from collections.abc import Callable, Generator
from typing import Annotated
from uuid import uuid4

import typer

from app.database import migrate
from app.events.store import Cause
from app.operations.desk import Desk
from app.operations.house import SYSTEM, House
from app.operations.job import Command
from app.settings import Settings

Organisation = Annotated[str, typer.Option(help="The organisation's id.")]
"""The option `--organisation`, the same on every command."""


@contextlib.contextmanager
def opened() -> Generator[House]:
    """The house of the database that FOREWARN_DATABASE_URL names; beside a service at work as well."""
    settings = Settings()
    migrate.upgrade(settings.database_url)
    house = House(settings)
    house.start()
    with contextlib.closing(house):
        yield house


def settle(house: House, organisation: str, run: Callable[[Desk, Cause], None]) -> None:
    """Have the writer carry out something about the organisation itself."""
    house.ask(Command(organisation, str(uuid4()), SYSTEM, organisation, run, lambda _reader, subject: {"id": subject}))
