"""`import`: a file of near misses goes through the door that systems pass over HTTP."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.cli.saying import say, tell
from app.cli.within import Organisation, opened
from app.domain.decider import Fault, Invalid
from app.intake.mapping_file import parse_mapping
from app.intake.mappings import RowMapping
from app.operations.importing import Import, RowRefused


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON lines, packed by gzip or not.")],
    mapping: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="TOML: what its rows mean.")] = None,
    organisation: Organisation = "default",
    as_history: Annotated[bool, typer.Option("--as-history", help="Crossings of the past alarm nobody.")] = False,
) -> None:
    """Record a file of near misses; prints what became of its rows. Broken off, it goes on where it was: run it again.

    Rows that cannot be taken are told by their line, stop no other, and make the exit code 1.
    """
    from app.cli.entrance import INTAKE  # With the API's words, which take longer to read in than all the rest.

    reading = RowMapping() if mapping is None else _mapping(mapping)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with (
        opened(organisation) as house,
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        bar = progress.add_task(file.name, total=1.0)

        def refused(row: RowRefused) -> None:
            for fault in row.faults:
                sentence = _sentence(f"line {row.line}", fault.pointer.removeprefix("/"), fault)
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
    tell(summary.document())
    if summary.refused:
        raise SystemExit(1)


def _mapping(file: Path) -> RowMapping:
    try:
        return parse_mapping(file.read_text(encoding="utf-8"))
    except Invalid as invalid:
        for fault in invalid.faults:
            say(_sentence(file.name, fault.pointer, fault))
    except UnicodeDecodeError:
        say(f"{file.name}: Write the mapping file in UTF-8.")
    raise SystemExit(2)


def _sentence(place: str, pointer: str, fault: Fault) -> str:
    """Where it is wrong, what is wrong; a fault of the whole points to nothing in it."""
    return f"{place}: {pointer}: {fault.detail}".replace(": : ", ": ")
