"""`audit`: the three auditable validations of a period, recomputed from the ledger, for people and for scripts."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.cli.saying import say, tell
from app.cli.within import Organisation, opened
from app.domain.moment import parse_moment, to_micros
from app.operations.assurance import Heard, assurance_of
from app.operations.house import House
from app.proof.assurance_report import Question

WIDTH = 140
MOST_SHOWN = 20
"""Of exceptions and of what is pending, to people; `--json` tells more."""

EXCEPTIONS, PENDING, UNUSABLE = 1, 3, 2
"""Exit codes: something is missing or the ledger is not intact; all that is not confirmed is still inside its deadline;
the question cannot be asked. 0: everything is confirmed, or there was nothing to confirm.
"""

_TITLES = {
    "repeated_near_misses_escalated": "Repeated near misses are escalated and reviewed",
    "linked_to_workflow": "Near misses are linked to the workflow",
    "used_in_governance": "Near misses inform governance decisions",
}
_CONFIRMED = {True: "confirmed", False: "not confirmed", None: "nothing to confirm"}


def audit(
    since: Annotated[str | None, typer.Option("--from", help="A date or an instant: this and later.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="A date or an instant: earlier than this.")] = None,
    organisation: Organisation = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as one JSON document.")] = False,
) -> None:
    """Recompute the three validations of a period from the ledger alone.

    Exit code 0: confirmed, or nothing to confirm; 3: something is still inside its deadline; 1: something is missing,
    or the ledger is not intact; 2: the question cannot be asked.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with opened() as house, Progress(*columns, console=console, disable=not console.is_terminal) as progress:
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
    validations = report["validations"]
    if not report["ledger"]["intact"] or any(one["exceptions_total"] for one in validations):
        return EXCEPTIONS
    return PENDING if any(one["confirmed"] is False for one in validations) else 0


def _show(report: Mapping[str, Any]) -> None:
    out = Console(soft_wrap=True, highlight=False)
    out.width = max(out.width, WIDTH)  # A pipe is no narrow terminal.
    ledger = report["ledger"]
    whole = "intact" if ledger["intact"] else f"NOT INTACT from event {ledger['first_bad_sequence']} on"
    out.print(f"The ledger is {whole}; read up to event {report['as_of_sequence']}.", markup=False)
    table = Table("validation", "", "population", "pending", "exceptions", "when the period ended")
    then = {one["id"]: one for one in report["as_known_then"]["validations"]}
    for one in report["validations"]:
        numbers = (str(one[name]) for name in ("population", "pending_total", "exceptions_total"))
        was = then[one["id"]]
        known = f"{_CONFIRMED[was['confirmed']]}, of {was['population']}"
        table.add_row(_TITLES[one["id"]], _CONFIRMED[one["confirmed"]], *numbers, known)
    out.print(table)
    for one in report["validations"]:
        for each in one["exceptions"][:MOST_SHOWN]:
            out.print(f"{one['id']}: {each['reason']}: {_named(each)}", markup=False)
        for each in one["pending"][:MOST_SHOWN]:
            out.print(f"{one['id']}: pending until {each['due']}: {_named(each)}", markup=False)
        if max(one["exceptions_total"], one["pending_total"]) > MOST_SHOWN:
            out.print(f"{one['id']}: there are more; --json tells up to a thousand of each.", markup=False)


def _named(one: Mapping[str, Any]) -> str:
    said = (f"{name} {value}" for name, value in one.get("detail", {}).items() if isinstance(value, str))
    return ", ".join((*one["ids"], *said))
