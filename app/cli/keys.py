"""`keys`: an API key is printed once, when it is made; after that only what it may do is known."""

from typing import Annotated

import typer
from sqlalchemy import select

from app.cli.saying import say, tell
from app.cli.within import Organisation, opened, settle
from app.database.tables import api_keys
from app.domain.moment import Span, format_instant, from_micros, to_micros, upper_bound
from app.domain.organisation import SCOPES
from app.domain.zones import zone
from app.operations import keys

commands = typer.Typer(no_args_is_help=True, help="Give out API keys, list them, take them back.")


@commands.command("create")
def create_key(
    organisation: Organisation = "default",
    scopes: Annotated[str, typer.Option(help=f"Separated by commas, out of: {', '.join(SCOPES)}.")] = "",
    role: Annotated[str | None, typer.Option(help="Brings the scopes of a role.")] = None,
    actor: Annotated[str | None, typer.Option(help="Who acts, on every event; the key's own id when left out.")] = None,
    acts_for_people: Annotated[bool, typer.Option("--acts-for-people", help="May name the actor itself.")] = False,
    expires: Annotated[str | None, typer.Option(help="ISO 8601 duration, for example P90D.")] = None,
) -> None:
    """Make a key and print it, once: `{"key_id", "key"}`."""
    with opened(organisation) as house:
        until = None
        if expires is not None:
            try:
                until = from_micros(upper_bound(to_micros(house.clock()), Span.parse(expires), False, zone("UTC")))
            except ValueError as error:
                say(str(error))
                raise SystemExit(2) from None
        wanted = tuple(scope.strip() for scope in scopes.split(",") if scope.strip())
        key = keys.new_key(wanted, role=role, actor=actor, acts_for_people=acts_for_people, expires_at=until)
        settle(house, organisation, lambda desk, cause: keys.create(desk, cause, key))
        tell({"key_id": key.key_id, "key": key.secret})


@commands.command("list")
def list_keys(organisation: Organisation = "default") -> None:
    """Print every key that was given out, a JSON line each; never the key itself."""
    with opened(organisation) as house, house.database.read() as connection:
        row = api_keys.c
        for one in connection.execute(
            select(api_keys).where(row.organisation == organisation).order_by(row.created_at, row.key_id)
        ):
            tell(
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


@commands.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")], organisation: Organisation = "default"
) -> None:
    """Take a key back; it is refused within a second."""
    with opened(organisation) as house:
        settle(house, organisation, lambda desk, cause: keys.revoke(desk, cause, key_id))
        tell({"key_id": key_id, "revoked": True})


def _instant(micros: int | None) -> str | None:
    return None if micros is None else format_instant(from_micros(micros))
