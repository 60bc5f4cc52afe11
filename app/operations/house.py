"""Everything that one process needs to serve, opened in the right order and closed in the other."""

import secrets
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from app.clock import Clock, clock_for
from app.database import migrate
from app.database.engine import Database
from app.database.tables import installation, ledgers, organisations
from app.domain.moment import to_micros
from app.domain.organisation import UNOPENED, Open, decide
from app.events import sealing
from app.events.merkle import Frontier
from app.events.sealing import master_key_for
from app.events.store import Cause, Draft
from app.events.vault import Vault
from app.intake.adapters import MappingRefused, shelf
from app.operations import keys
from app.operations.batch import Batch, Batches
from app.operations.bell import Bell
from app.operations.configuration import Configurations
from app.operations.desk import Desk
from app.operations.job import Actor, Answer, Command, Job
from app.operations.keys import Keys, NewKey
from app.operations.show import Reader
from app.operations.writer import Writer
from app.settings import Settings

SYSTEM = Actor("system/forewarn")


class CannotStart(Exception):
    """The surroundings do not allow a start; `str()` is a sentence that says what to do."""


@dataclass(slots=True)
class Sent:
    """What this process has sent since it began."""

    attempts: int = 0
    failed: int = 0


class House:
    """One process's database, keys, memory and writer."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or clock_for(settings.clock)
        try:
            self.adapters = shelf(Path(settings.mappings) if settings.mappings else None)
        except MappingRefused as refusal:
            raise CannotStart(str(refusal)) from None
        self.database = Database(settings)
        with self._opening():
            self._require_schema()
            self.master = master_key_for(
                settings.master_key,
                settings.dialect,
                settings.sqlite_path,
                settings.environment,
                Path.cwd(),
            )
            self._require_master_key()
        self.vault = Vault(self.master)
        self.configurations = Configurations()
        self.batches = Batches(settings.dialect, self.vault, self.configurations)
        self.keys = Keys(self.database, self.clock)
        self.writer = Writer(
            self.database,
            self.batches,
            self.clock,
            queue_limit=settings.queue_limit,
            command_deadline=settings.command_deadline,
        )
        self.sent = Sent()
        self.bell = Bell()
        self.writer.committed = self.bell.ring

    def start(self) -> None:
        """Let the writer work."""
        self.writer.start()

    def close(self, patience: float = 10.0) -> None:
        """Finish what is being written, within so many seconds, then let go of the database."""
        self.writer.stop(patience)
        self.database.close()

    def ask(self, job: Job, patience: float = 60.0) -> Answer:
        """Have one job carried out and wait for its answer; raises what refused it."""
        return self.ask_all([job], patience)[0]

    def ask_all(self, jobs: Sequence[Job], patience: float = 60.0) -> list[Answer]:
        """Have jobs carried out in order; raises the first refusal among them."""
        answers = self.try_all(jobs, patience)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [answer for answer in answers if isinstance(answer, Answer)]

    def try_all(self, jobs: Sequence[Job], patience: float = 60.0) -> list[Answer | Exception]:
        """Have jobs carried out in order; each one's answer, or what refused it."""
        answers: list[Answer | Exception] = [TimeoutError("The writer did not answer in time.")] * len(jobs)
        left = threading.Semaphore(0)

        def teller(index: int) -> Any:
            def tell(answer: Answer | Exception) -> None:
                answers[index] = answer
                left.release()

            return tell

        self.writer.put([(job, teller(index)) for index, job in enumerate(jobs)])
        for _ in jobs:
            if not left.acquire(timeout=patience):
                break
        return answers

    @contextmanager
    def reader(self, organisation: str, as_of: int | None = None) -> Generator[Reader]:
        """Read one organisation."""
        with self.database.read() as connection:
            yield Reader(connection, self.vault, organisation, as_of)

    def open_organisation(self, organisation: str, name: str, secret: str | None = None) -> NewKey | None:
        """Begin an organisation's ledger with an admin key; None when it exists already."""
        key = keys.new_key(("admin",), role="admin", secret=secret)
        empty = Frontier()

        def begin(desk: Desk, cause: Cause) -> None:
            desk.append(cause, [Draft(keys.STREAM, 0, decide(Open(name), UNOPENED, desk.now))])
            keys.create(desk, cause, key)

        job = Command(organisation, str(uuid4()), SYSTEM, organisation, begin, _nothing)
        try:
            with self.database.write() as connection:
                connection.execute(
                    insert(organisations).values(
                        organisation=organisation,
                        name=name,
                        pepper=self.vault.wrap_pepper(organisation, secrets.token_bytes(32)),
                        created_at=to_micros(self.clock()),
                    )
                )
                connection.execute(
                    insert(ledgers).values(
                        organisation=organisation,
                        position=0,
                        recorded_at=0,
                        configured_at=0,
                        root=empty.root(),
                        frontier=empty.to_bytes(),
                    )
                )
                (answer,) = Batch(connection, self.batches, self.clock()).run([job])
                if isinstance(answer, Exception):
                    raise answer
        except IntegrityError:
            self.batches.forget()
            return None
        return key

    @property
    def withheld(self) -> dict[str, str]:
        """Organisations that this process does not serve, and what to tell whoever asks."""
        return self.batches.withheld

    def served(self) -> list[str]:
        """The ids of the organisations that are served, in order."""
        return [one for one in self.organisations() if one not in self.withheld]

    def organisations(self) -> list[str]:
        """The ids of all organisations, in order."""
        with self.database.read() as connection:
            return list(connection.execute(select(ledgers.c.organisation).order_by(ledgers.c.organisation)).scalars())

    @contextmanager
    def _opening(self) -> Generator[None]:
        try:
            yield
        except ValueError as error:
            self.database.close()
            raise CannotStart(str(error)) from error
        except BaseException:
            self.database.close()
            raise

    def _require_schema(self) -> None:
        with self.database.read() as connection:
            if migrate.current(connection) != migrate.head():
                raise CannotStart(
                    "The database has another schema than this release: run `forewarn serve` or migrate it."
                )

    def _require_master_key(self) -> None:
        mine = sealing.check_value(self.master)
        chosen = select(installation.c.value).where(installation.c.name == "master_key")
        with self.database.read() as connection:
            theirs = connection.execute(chosen).scalar()
        if theirs is None:
            try:
                with self.database.write() as connection:
                    connection.execute(insert(installation).values(name="master_key", value=mine))
            except IntegrityError:
                pass  # Another process has started at the same instant.
            with self.database.read() as connection:
                theirs = connection.execute(chosen).scalar()
        if theirs != mine:
            raise CannotStart(
                "FOREWARN_MASTER_KEY is not the key that this database was made with: start with the right one."
            )


def _nothing(_reader: Reader, subject: str) -> Mapping[str, Any]:
    return {"id": subject}
