"""The house as a command enters it: its schema up to date, its writer at work, closed again at the end."""

import contextlib
from collections.abc import Callable, Generator
from typing import Annotated
from uuid import uuid4

import typer

from app.database import migrate
from app.events.store import Cause
from app.operations.desk import Desk
from app.operations.expected import require
from app.operations.house import SYSTEM, House
from app.operations.job import Command
from app.settings import Settings

Organisation = Annotated[str, typer.Option(help="The organisation's id.")]
"""The option `--organisation`, the same on every command."""


@contextlib.contextmanager
def opened(organisation: str | None = None) -> Generator[House]:
    """The house of the database that FOREWARN_DATABASE_URL names; beside a service at work as well.

    `organisation`: whose ledger it is about; none for what concerns all. CannotStart: it is not what a witness holds.
    """
    settings = Settings()
    migrate.upgrade(settings.database_url)
    with contextlib.closing(House(settings)) as house:
        require(house, organisation)
        house.start()
        yield house


def settle(house: House, organisation: str, run: Callable[[Desk, Cause], None]) -> None:
    """Have the writer carry out something about the organisation itself."""
    house.ask(Command(organisation, str(uuid4()), SYSTEM, organisation, run, lambda _reader, subject: {"id": subject}))
