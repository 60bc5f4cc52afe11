"""`signing-keys` and `checkpoint`: who signs for the ledgers, and what a witness keeps."""

from typing import Annotated

import typer

from app.cli.saying import say, tell, write
from app.cli.within import Organisation, opened
from app.operations.checkpoints import checkpoint_of
from app.operations.signing_keys import public_keys, rotate, signing_key

commands = typer.Typer(no_args_is_help=True, help="The keys that sign checkpoints and evidence packs.")


@commands.command("list")
def list_keys() -> None:
    """Print every public key, a JSON line each; the one without `retired_at` signs."""
    with opened() as house:
        signing_key(house)
        with house.database.read() as connection:
            for key in public_keys(connection):
                tell(key)


@commands.command("rotate")
def rotate_keys() -> None:
    """Let a new key sign from now on; what was signed before can be checked as ever."""
    with opened() as house:
        rotate(house)
        with house.database.read() as connection:
            tell(public_keys(connection)[-1])


def checkpoint(
    organisation: Organisation = "default",
    size: Annotated[int | None, typer.Option(help="The ledger as it was at so many events.")] = None,
) -> None:
    """Print the ledger's head, or a former one, as a signed note: keep it somewhere else."""
    with opened(organisation) as house, house.database.read() as connection:
        try:
            note = checkpoint_of(house, connection, organisation, size)["signed_note"]
        except LookupError as beyond:
            say(str(beyond))
            raise SystemExit(1) from None
        write(note)
