"""`backtest`: a policy in a file, tried on what an organisation has recorded; nothing is adopted or written."""

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from app.cli.saying import say, tell
from app.cli.within import Organisation, opened
from app.domain.decider import Invalid
from app.domain.moment import to_micros
from app.operations.backtest_asking import asked
from app.operations.backtesting import backtest
from app.operations.house import House

CANNOT_BE_ASKED = 2
WIDTH = 120


def try_policy(
    policy: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON, as PUT /v1/policy takes it.")],
    since: Annotated[str | None, typer.Option("--from", help="A date or an instant: crossings then and later.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="A date or an instant: crossings earlier.")] = None,
    compare_with: Annotated[int | None, typer.Option(help="A version; left out, the one in force.")] = None,
    threshold: Annotated[list[int] | None, typer.Option(help="To try beside the rule's own; may be repeated.")] = None,
    window: Annotated[list[str] | None, typer.Option(help="To try beside the rule's own; may be repeated.")] = None,
    rule: Annotated[str | None, typer.Option(help="Whose; left out, the first that opens reviews.")] = None,
    organisation: Organisation = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as one JSON document.")] = False,
) -> None:
    """What a policy would have opened: how many reviews, against which version, and what each threshold trades off.

    Exit code 0; 2 when it cannot be tried, for what is wrong with it is said line by line.
    """
    said = _document(policy)
    grid = {"rule_id": rule, "thresholds": threshold, "windows": window}
    question = {"policy": said, "from": since, "to": until, "compare_with": compare_with, "grid": _grid(said, grid)}
    with opened(organisation) as house:
        found = _asked(house, organisation, question)
    if as_json:
        tell(found)
    else:
        _show(found)


def _document(policy: Path) -> object:
    try:
        return json.loads(policy.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        say(f"{policy.name}: Write the policy as JSON in UTF-8.")
        raise SystemExit(CANNOT_BE_ASKED) from None


def _grid(policy: object, said: dict[str, Any]) -> dict[str, Any] | None:
    """What is tried of a rule: its own threshold and window, and what was asked for beside them."""
    rules: Any = cast("dict[str, Any]", policy).get("rules") if isinstance(policy, dict) else None
    if not isinstance(rules, list):
        return None  # The policy itself is refused.
    known = [cast("dict[str, Any]", one) for one in cast("list[Any]", rules) if isinstance(one, dict)]
    known = [one for one in known if one.get("mode") != "off"]
    named = [one for one in known if one.get("id") == said["rule_id"]]
    reviewing = [one for one in known if one.get("mode", "active") == "active"]
    own: dict[str, Any] = (named or reviewing or known or [dict[str, Any]()])[0]
    thresholds = _beside(own.get("threshold"), int, said["thresholds"])
    windows = _beside(own.get("window"), str, said["windows"])
    is_asked_for = said["thresholds"] or said["windows"]
    if not is_asked_for and not (thresholds and windows):
        return None  # No rule has anything to vary.
    return {"rule_id": said["rule_id"], "thresholds": thresholds, "windows": windows}


def _beside(own: Any, kind: type[Any], said: list[Any] | None) -> list[Any]:
    """The rule's own, where it has one, then what was asked for."""
    return list(dict.fromkeys([*([own] if isinstance(own, kind) else []), *(said or [])]))


def _asked(house: House, organisation: str, question: dict[str, Any]) -> dict[str, Any]:
    if organisation not in house.organisations():
        say("There is no organisation of that id: `forewarn organisations list` names them.")
        raise SystemExit(CANNOT_BE_ASKED)
    with house.reader(organisation) as reader:
        try:
            return backtest(
                reader,
                asked(reader.connection, organisation, question, reader.settled().policy),
                to_micros(house.clock()),
            )
        except Invalid as invalid:
            for fault in invalid.faults:
                say(f"{fault.pointer}: {fault.detail}".replace(": : ", ": "))
            raise SystemExit(CANNOT_BE_ASKED) from None


def _show(found: dict[str, Any]) -> None:
    console = Console(width=WIDTH)
    leads = found["lead_times"]
    console.print(
        f"{found['from'][:10]} to {found['to'][:10]}, {found['near_misses']:,} near misses: "
        f"{found['reviews']:,} reviews, {found['reviews_per_month']:g} a month.",
        f"Against version {found['compared_with']}: {found['gained_total']:,} gained, {found['lost_total']:,} lost, "
        f"{found['earlier_total']:,} earlier, {found['later_total']:,} later.",
        f"Of {leads['harm_incidents']:,} harm incidents {leads['preceded']:,} had a review before them"
        + ("." if leads["median_days"] is None else f", half of them more than {leads['median_days']:g} days."),
        sep="\n",
        highlight=False,
        markup=False,
    )
    if "grid" not in found:
        return
    table = Table(title=f"Rule {found['grid']['rule_id']}", title_justify="left")
    for name in ("threshold", "window", "episodes", "a month", "by chance a year", "harm foreseen", "median lead"):
        table.add_column(name, justify="right")
    for row in found["grid"]["rows"]:
        chance, lead = row["expected_by_chance_per_year"], row["median_lead_days"]
        table.add_row(
            str(row["threshold"]),
            row["window"],
            f"{row['episodes']:,}",
            f"{row['reviews_per_month']:g}",
            "too early" if chance is None else f"{chance:g}",
            f"{row['harm_incidents_preceded']} of {row['harm_incidents']}",
            "–" if lead is None else f"{lead:g} days",
        )
    console.print(table, highlight=False)
