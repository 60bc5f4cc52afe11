"""`rebuild`: what can be made anew from the ledger, at any time, while the service goes on."""

from typing import Annotated

import typer

from app.cli.saying import say, tell
from app.cli.within import Organisation, opened
from app.operations.rebuild import NAMES, rebuild


def rebuild_projection(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(NAMES)}.")],
    organisation: Organisation = "default",
) -> None:
    """Make a projection anew from the ledger, while the service goes on, and put it in the old one's place."""
    if name not in NAMES:
        say(f"There is no projection of that name. Use one of: {', '.join(NAMES)}.")
        raise SystemExit(2)
    with opened(organisation) as house:
        rows, sequence = rebuild(house, organisation, name)
        tell({"projection": name, "organisation": organisation, "rows": rows, "as_of_sequence": sequence})
