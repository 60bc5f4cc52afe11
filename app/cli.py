"""The command line: `forewarn serve`, and everything that is done beside it."""

import contextlib
import json
import sys
from collections.abc import Callable, Generator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TextIO, cast
from uuid import uuid4

import structlog
import typer
import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy import select

from app.api import strict_json
from app.api.schemas import IntakeSubmission, validate
from app.clock import ClockUnreadable
from app.database import migrate, sole
from app.database.tables import api_keys
from app.domain.decider import Invalid, Refused
from app.domain.moment import Span, format_instant, from_micros, to_micros, upper_bound
from app.domain.organisation import SCOPES
from app.domain.zones import zone
from app.events.store import Cause
from app.intake.mapping_file import parse_mapping
from app.intake.mappings import RowMapping
from app.main import create_app
from app.operations import keys
from app.operations.demo import NAME, Story
from app.operations.demo import tell as tell_demo
from app.operations.desk import Desk
from app.operations.house import SYSTEM, CannotStart, House
from app.operations.importing import Entrance, Import, RowRefused
from app.operations.job import Command
from app.operations.rebuild import NAMES, rebuild
from app.settings import Settings
from app.worker import Worker

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
keys_cli = typer.Typer(no_args_is_help=True, help="Give out API keys, list them, take them back.")
organisations_cli = typer.Typer(no_args_is_help=True, help="Organisations: each has a ledger of its own.")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(organisations_cli, name="organisations")

HOST = "127.0.0.1"
PORT = 8000
Organisation = Annotated[str, typer.Option(help="The organisation's id.")]


def main() -> None:
    """The console script; what cannot be done is said in one sentence, without a traceback."""
    _log_plainly()
    try:
        cli()
    except (CannotStart, sole.AlreadyServed, ClockUnreadable, Refused) as refusal:
        _say(str(refusal))
        raise SystemExit(1) from None
    except ValidationError as error:
        for one in error.errors():
            _say(one["msg"].removeprefix("Value error, "))
        raise SystemExit(1) from None


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = PORT,
    workers: Annotated[int, typer.Option(min=1, help="Processes; SQLite serves with one.")] = 1,
) -> None:
    """Serve the API and do the worker's work, on the database that FOREWARN_DATABASE_URL names."""
    settings = Settings()
    with _alone(settings, workers):
        migrate.upgrade(settings.database_url)
        bootstrap(settings)
        _run(host, port, workers, "app.cli:serving")


@cli.command()
def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[int, typer.Option(help="Port to listen on.")] = PORT,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Serve the API alone, on a PostgreSQL whose schema is up to date."""
    _only_postgresql(Settings(), "api")
    with contextlib.closing(House(Settings())):
        pass
    _run(host, port, workers, "app.cli:answering")


@cli.command()
def worker() -> None:
    """Do the worker's work alone, on a PostgreSQL whose schema is up to date."""
    _only_postgresql(Settings(), "worker")
    house = House(Settings())
    house.start()
    with contextlib.closing(house):
        Worker(house).run_until_signalled()


@cli.command(name="import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines, packed by gzip or not.")],
    mapping: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="TOML: what its rows mean.")] = None,
    organisation: Organisation = "default",
    as_history: Annotated[bool, typer.Option("--as-history", help="Crossings of the past alarm nobody.")] = False,
) -> None:
    """Record a file of near misses; prints what became of its rows. Broken off, it goes on where it was: run it again.

    Rows that cannot be taken are told by their line, stop no other, and make the exit code 1.
    """
    reading = RowMapping() if mapping is None else _mapping(mapping)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with _house() as house, Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(file.name, total=1.0)

        def refused(row: RowRefused) -> None:
            for fault in row.faults:
                sentence = f"line {row.line}: {fault.pointer.removeprefix('/')}: {fault.detail}".replace(": : ", ": ")
                console.print(sentence, markup=False, highlight=False, soft_wrap=True)

        summary = Import(
            house,
            organisation,
            file,
            reading,
            INTAKE,
            as_history,
            refused,
            lambda fraction: progress.update(bar, completed=fraction),
        ).run()
    _tell(summary.document())
    if summary.refused:
        raise SystemExit(1)


@cli.command()
def demo(organisation: Organisation = "demo-provider") -> None:
    """Make a provider with six services and a year of near misses, and show the review that the last one opened."""
    with _house() as house:
        typer.echo(_told_of(tell_demo(house, organisation, _intake)))


@cli.command(name="rebuild")
def rebuild_projection(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(NAMES)}.")],
    organisation: Organisation = "default",
) -> None:
    """Make a projection anew from the ledger, while the service goes on, and put it in the old one's place."""
    if name not in NAMES:
        _say(f"There is no projection of that name. Use one of: {', '.join(NAMES)}.")
        raise SystemExit(2)
    with _house() as house:
        rows, sequence = rebuild(house, organisation, name)
        _tell({"projection": name, "organisation": organisation, "rows": rows, "as_of_sequence": sequence})


@keys_cli.command("create")
def create_key(
    organisation: Organisation = "default",
    scopes: Annotated[str, typer.Option(help=f"Separated by commas, out of: {', '.join(SCOPES)}.")] = "",
    role: Annotated[str | None, typer.Option(help="Brings the scopes of a role.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who acts, on every event; the key's own id when left out.")] = None,
    acts_for_people: Annotated[bool, typer.Option("--acts-for-people", help="May name the actor itself.")] = False,
    expires: Annotated[str | None, typer.Option(help="ISO 8601 duration, for example P90D.")] = None,
) -> None:
    """Make a key and print it, once: `{"key_id", "key"}`."""
    with _house() as house:
        until = None
        if expires is not None:
            try:
                until = from_micros(upper_bound(to_micros(house.clock()), Span.parse(expires), False, zone("UTC")))
            except ValueError as error:
                _say(str(error))
                raise SystemExit(2) from None
        wanted = tuple(scope.strip() for scope in scopes.split(",") if scope.strip())
        key = keys.new_key(wanted, role=role, actor=actor, acts_for_people=acts_for_people, expires_at=until)
        _settle(house, organisation, lambda desk, cause: keys.create(desk, cause, key))
        _tell({"key_id": key.key_id, "key": key.secret})


@keys_cli.command("list")
def list_keys(organisation: Organisation = "default") -> None:
    """Print every key that was given out, a JSON line each; never the key itself."""
    with _house() as house, house.database.read() as connection:
        row = api_keys.c
        for one in connection.execute(
            select(api_keys).where(row.organisation == organisation).order_by(row.created_at, row.key_id)
        ):
            _tell(
                {
                    "key_id": one.key_id,
                    "prefix": one.prefix,
                    "scopes": one.scopes.split(),
                    "role": one.role,
                    "actor": one.actor,
                    "acts_for_people": bool(one.acts_for_people),
                    "created_at": _instant(one.created_at),
                    "expires_at": _instant(one.expires_at),
                    "revoked_at": _instant(one.revoked_at),
                    "last_used_at": _instant(one.last_used_at),
                }
            )


@keys_cli.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")], organisation: Organisation = "default"
) -> None:
    """Take a key back; it is refused within a second."""
    with _house() as house:
        _settle(house, organisation, lambda desk, cause: keys.revoke(desk, cause, key_id))
        _tell({"key_id": key_id, "revoked": True})


@organisations_cli.command("create")
def create_organisation(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    organisation: Annotated[str | None, typer.Option("--id", help="Its id; one is made when left out.")] = None,
) -> None:
    """Begin an organisation's ledger: prints `{"organisation_id", "admin_key"}` once."""
    with _house() as house:
        chosen = organisation or f"org_{uuid4().hex[:20]}"
        key = house.open_organisation(chosen, name)
        if key is None:
            _say("An organisation of that id exists already: choose another.")
            raise SystemExit(1)
        _tell({"organisation_id": chosen, "admin_key": key.secret})


@organisations_cli.command("list")
def list_organisations() -> None:
    """Print every organisation's id, a JSON line each."""
    with _house() as house:
        for organisation in house.organisations():
            _tell({"organisation_id": organisation})


def serving() -> FastAPI:
    """The application of `serve`: uvicorn makes one in each process."""
    _log_plainly()
    return create_app(House(Settings()))


def answering() -> FastAPI:
    """The application of `api`."""
    _log_plainly()
    return create_app(House(Settings()), with_worker=False)


def _log_plainly() -> None:
    """In every process, also those that uvicorn starts: what structlog prints unasked shows the words of reports."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Steady())),
    )


class _Steady:
    """Standard error; what cannot be written there, for the disk is full, is lost, and the work goes on."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


def _run(host: str, port: int, workers: int, factory: str) -> None:
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


def bootstrap(settings: Settings) -> None:
    """The first start on an empty database makes an organisation and its admin key."""
    with contextlib.closing(House(settings)) as house:
        if house.organisations():
            return
        key = house.open_organisation("default", "default", settings.bootstrap_api_key)
        if key is not None and settings.bootstrap_api_key is None:
            _tell({"organisation_id": "default", "admin_key": key.secret})


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


@contextlib.contextmanager
def _house() -> Generator[House]:
    settings = Settings()
    migrate.upgrade(settings.database_url)
    house = House(settings)
    house.start()
    with contextlib.closing(house):
        yield house


def _settle(house: House, organisation: str, run: Callable[[Desk, Cause], None]) -> None:
    house.ask(Command(organisation, str(uuid4()), SYSTEM, organisation, run, lambda _reader, subject: {"id": subject}))


def _intake(document: object, now: datetime) -> dict[str, Any]:
    return validate(IntakeSubmission, document, now).model_dump(exclude_none=True)


INTAKE = Entrance(strict_json.parse, _intake)
"""What is imported passes the door that systems pass over HTTP."""


def _told_of(story: Story) -> str:
    """What the demo shows, in a few lines, and how to look at it."""
    hot, key = story.hot, story.key
    lines = [
        f"{NAME}: six services, {story.near_misses} near misses in a year, {story.recorded} of them recorded just now."
        if story.recorded
        else f"{NAME} is there already: six services, {story.near_misses} near misses in a year.",
        f"{story.historical} patterns of the past came in as history: counted, and nobody was alarmed.",
        f"The hottest cell at handovers: {hot.stage_allowed} × {hot.shift_bracket}, {hot.near_misses} near misses.",
    ]
    paths = ["heatmaps/workflow"]
    if story.escalation is not None:
        key_of = ", ".join(str(value) for value in story.escalation["key"].values())
        lines += ["", f"The last report completed a pattern ({key_of}) and one review opened:"]
        lines += [f"  {one['occurred_at'][:16].replace('T', ' ')}  {one['narrative']}" for one in story.members]
        lines += [f"  escalation {story.escalation['id']}", f"  review     {story.escalation['review_id']}"]
        paths = [f"reviews/{story.escalation['review_id']}", f"escalations/{story.escalation['id']}", *paths]
    lines += ["", "Start `forewarn serve` beside it, then:"]
    lines += (
        [f"  export KEY={key.secret}   # shown this once"] if key else ["  export KEY=…   # as the first run showed it"]
    )
    lines += [f'  curl -H "Authorization: Bearer $KEY" http://{HOST}:{PORT}/v1/{path}' for path in paths]
    return "\n".join(lines)


def _mapping(file: Path) -> RowMapping:
    try:
        return parse_mapping(file.read_text(encoding="utf-8"))
    except Invalid as invalid:
        for fault in invalid.faults:
            _say(f"{file.name}: {fault.pointer}: {fault.detail}".replace(": : ", ": "))
    except UnicodeDecodeError:
        _say(f"{file.name}: Write the mapping file in UTF-8.")
    raise SystemExit(2)


def _instant(micros: int | None) -> str | None:
    return None if micros is None else format_instant(from_micros(micros))


def _tell(document: object) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")


if __name__ == "__main__":
    main()
