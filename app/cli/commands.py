"""The command line: `forewarn serve`, and everything that is done beside it."""

import typer
from pydantic import ValidationError

from app.cli import (
    auditing,
    backtesting,
    checking,
    demo,
    evidence,
    importing,
    keys,
    organisations,
    serving,
    transparency,
    upkeep,
    verifying,
)
from app.cli.saying import say
from app.clock import ClockUnreadable
from app.database import sole
from app.domain.decider import Refused
from app.operations.house import CannotStart

cli = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
cli.command("serve")(serving.serve)
cli.command("api")(serving.api)
cli.command("worker")(serving.worker)
cli.command("import")(importing.import_file)
cli.command("demo")(demo.demo)
cli.command("audit")(auditing.audit)
cli.command("backtest")(backtesting.try_policy)
cli.command("check")(checking.check_database)
cli.command("evidence-pack")(evidence.evidence_pack)
cli.command("rebuild")(upkeep.rebuild_projection)
cli.command("verify")(verifying.verify_pack)
cli.command("checkpoint")(transparency.checkpoint)
cli.add_typer(keys.commands, name="keys")
cli.add_typer(organisations.commands, name="organisations")
cli.add_typer(transparency.commands, name="signing-keys")


def run() -> None:
    """Carry out what was typed; what cannot be done is said in one sentence, without a traceback."""
    try:
        cli()
    except (CannotStart, sole.AlreadyServed, ClockUnreadable, Refused) as refusal:
        say(str(refusal))
        raise SystemExit(1) from None
    except ValidationError as error:
        for one in error.errors():
            say(one["msg"].removeprefix("Value error, "))
        raise SystemExit(1) from None
