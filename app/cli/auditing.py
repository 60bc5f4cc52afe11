"""`audit`: the three auditable validations of a period, recomputed from the ledger, for people and for scripts."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.cli.ending import EXCEPTIONS, NOT_INTACT, UNUSABLE, WELL
from app.cli.saying import say, tell
from app.cli.within import Organisation, opened
from app.domain.moment import parse_moment, to_micros
from app.operations.assurance import Heard, assurance_of
from app.operations.house import House
from app.proof.assurance_report import Question
from app.proof.assurance_sentences import reason, sentence, verdict

WIDTH = 170
MOST_SHOWN = 20
"""Of exceptions and of what is pending, to people; `--json` tells more."""


def audit(
    since: Annotated[str | None, typer.Option("--from", help="A date or an instant: this and later.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="A date or an instant: earlier than this.")] = None,
    organisation: Organisation = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as one JSON document.")] = False,
) -> None:
    """Recompute the three validations of a period from the ledger alone.

    Exit code 0: nothing is missing, though some may be inside its deadline; 1: the ledger is not intact; 2: the
    question cannot be asked; 3: there are exceptions.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    hidden = not console.is_terminal
    with opened(organisation) as house, Progress(*columns, console=console, disable=hidden) as progress:
        bar = progress.add_task(organisation, total=1.0)

        def heard(read: int, of: int) -> None:
            if read % 1000 == 0 or read == of:
                progress.update(bar, completed=read / of)

        report = _asked(house, organisation, since, until, heard)
    if as_json:
        tell(report)
    else:
        _show(report)
    raise SystemExit(_exit_code(report))


def _asked(house: House, organisation: str, since: str | None, until: str | None, heard: Heard) -> dict[str, Any]:
    if organisation not in house.organisations():
        say("There is no organisation of that id: `forewarn organisations list` names them.")
        raise SystemExit(UNUSABLE)
    with house.reader(organisation) as reader:
        zone = reader.settled().zone
        try:
            low, high = (None if one is None else parse_moment(one, zone).at for one in (since, until))
        except ValueError as error:
            say(str(error))
            raise SystemExit(UNUSABLE) from None
        if low is not None and high is not None and low >= high:
            say("Let the period end after it begins: --to is not after --from.")
            raise SystemExit(UNUSABLE)
        question = Question(low, high, to_micros(house.clock()), None)
        return assurance_of(reader.connection, organisation, question, None, heard)


def _exit_code(report: Mapping[str, Any]) -> int:
    if not report["ledger"]["intact"]:
        return NOT_INTACT
    return EXCEPTIONS if any(one["exceptions_total"] for one in report["validations"]) else WELL


def _show(report: Mapping[str, Any]) -> None:
    out = Console(soft_wrap=True, highlight=False)
    out.width = max(out.width, WIDTH)  # A pipe is no narrow terminal.
    ledger = report["ledger"]
    whole = "intact" if ledger["intact"] else f"NOT INTACT from event {ledger['first_bad_sequence']} on"
    out.print(f"The ledger is {whole}; read up to event {report['as_of_sequence']}.", markup=False)
    table = Table("What is stated", "Now", "In all", "Inside deadline", "Exceptions", "As known when the period ended")
    then = {one["id"]: one for one in report["as_known_then"]["validations"]}
    for one in report["validations"]:
        numbers = (str(one[name]) for name in ("population", "pending_total", "exceptions_total"))
        was = then[one["id"]]
        known = verdict(was) + (f", of {was['population']}" if was["population"] else "")
        table.add_row(sentence(one), verdict(one), *numbers, known)
    out.print(table)
    for one in report["validations"]:
        for each in one["exceptions"][:MOST_SHOWN]:
            said = f"{one['id']}: {each['reason']}: {_named(each)} ({reason(each['reason'])})"
            out.print(said, markup=False)
        for each in one["pending"][:MOST_SHOWN]:
            out.print(f"{one['id']}: pending until {each['due']}: {_named(each)}", markup=False)
        if max(one["exceptions_total"], one["pending_total"]) > MOST_SHOWN:
            out.print(f"{one['id']}: there are more; --json tells up to a thousand of each.", markup=False)


def _named(one: Mapping[str, Any]) -> str:
    said = (f"{name} {value}" for name, value in one.get("detail", {}).items() if isinstance(value, str))
    return ", ".join((*one["ids"], *said))
