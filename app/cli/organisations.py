"""`organisations`: each has a ledger of its own, and an admin key that is printed once."""

from typing import Annotated
from uuid import uuid4

import typer

from app.cli.saying import say, tell
from app.cli.within import opened

commands = typer.Typer(no_args_is_help=True, help="Organisations: each has a ledger of its own.")


@commands.command("create")
def create_organisation(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    organisation: Annotated[str | None, typer.Option("--id", help="Its id; one is made when left out.")] = None,
) -> None:
    """Begin an organisation's ledger: prints `{"organisation_id", "admin_key"}` once."""
    with opened() as house:
        chosen = organisation or f"org_{uuid4().hex[:20]}"
        key = house.open_organisation(chosen, name)
        if key is None:
            say("An organisation of that id exists already: choose another.")
            raise SystemExit(1)
        tell({"organisation_id": chosen, "admin_key": key.secret})


@commands.command("list")
def list_organisations() -> None:
    """Print every organisation's id, a JSON line each."""
    with opened() as house:
        for organisation in house.organisations():
            tell({"organisation_id": organisation})
