"""The way in by the command line. `forewarn verify` goes past the house: it needs no setting, database or network."""

import sys

from app.cli.saying import log_plainly


def main() -> None:
    """The console script."""
    log_plainly()
    if sys.argv[1:2] == ["verify"]:
        from app.cli.verifying import alone

        alone(sys.argv[2:])
    else:
        from app.cli.commands import run

        run()
