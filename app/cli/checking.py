"""`check`: whether what is stored is what was stored, beside the service at work, and what to do where it is not."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from app.cli.saying import say, tell
from app.database.engine import Database
from app.events.sealing import MasterKey, master_key_for
from app.operations.checking import Asked, CouldNotLook, Report, check
from app.proof.assurance_sentences import several
from app.proof.note import notes_in
from app.settings import Settings

SOUND, FOUND, COULD_NOT_LOOK = 0, 1, 2


def check_database(
    organisation: Annotated[str | None, typer.Option(help="One organisation's id; all when left out.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Ledgers and keys, no replay of the projections.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check what is stored: the ledgers, what is made of them, and the keys. It changes nothing.

    The exit code is 0 when all is sound, 1 when something was found, 2 when it could not be looked at.
    """
    try:
        report = _checked(organisation, quick)
    except ValidationError as error:
        for one in error.errors():
            say(one["msg"].removeprefix("Value error, "))
        raise SystemExit(COULD_NOT_LOOK) from None
    except (CouldNotLook, ValueError) as reason:
        say(str(reason))
        raise SystemExit(COULD_NOT_LOOK) from None
    if as_json:
        tell(report.document())
    else:
        _print(report)
    raise SystemExit(FOUND if report.findings else SOUND)


def _checked(organisation: str | None, quick: bool) -> Report:
    settings = Settings()
    asked = Asked(organisation, quick, _notes(settings.expected_checkpoints))
    path = settings.sqlite_path
    if path is not None and not path.is_file():
        raise CouldNotLook(f"There is no database at {path}.")
    master = _master_key(settings)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with (
        closing(Database(settings)) as database,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        bars: dict[str, TaskID] = {}

        def told(what: str, done: float) -> None:
            bar = bars.get(what)
            if bar is None:
                bar = bars[what] = progress.add_task(what, total=1.0)
            progress.update(bar, completed=done)

        return check(database, master, asked, told)


def _notes(path: Path | None) -> list[str]:
    """The signed notes that FOREWARN_EXPECTED_CHECKPOINTS names."""
    if path is None:
        return []
    try:
        files = sorted(one for one in path.iterdir() if one.is_file()) if path.is_dir() else [path]
        return [note for file in files for note in notes_in(file.read_text(encoding="utf-8"))]
    except (OSError, UnicodeDecodeError) as error:
        raise CouldNotLook(f"FOREWARN_EXPECTED_CHECKPOINTS: {path} cannot be read ({type(error).__name__}).") from error


def _master_key(settings: Settings) -> MasterKey:
    """The key that is there: a check makes none."""
    beside, here = settings.sqlite_path, Path.cwd()
    path = here / "forewarn.key" if beside is None else beside.with_name(f"{beside.name}.key")
    if settings.master_key is None and not path.exists():
        raise CouldNotLook(f"There is no master key at {path}: restore it, or set FOREWARN_MASTER_KEY.")
    return master_key_for(settings.master_key, settings.dialect, beside, settings.environment, here)


def _print(report: Report) -> None:
    """For people: what is wrong, then what to do about it."""
    for finding in report.findings:
        place = "" if finding.organisation is None else f"{finding.organisation}: "
        sys.stdout.write(f"{place}{finding.detail}\n  {finding.to_do}\n")
    for one in report.organisations:
        sys.stdout.write(f"{one['organisation']}: {several(one['as_of_sequence'], 'event')}, root {one['root']}\n")
    found = f"{several(len(report.findings), 'finding')}." if report.findings else "Everything is as it was stored."
    sys.stdout.write(f"{found}\n")
    sys.stdout.flush()
