"""What a command says: its answer on standard output, everything else in sentences on standard error."""

import contextlib
import json
import sys
from typing import TextIO, cast

import structlog


def tell(document: object) -> None:
    """A command's answer, or a line of it: one JSON document."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def write(text: str) -> None:
    """A command's answer that is a text: as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def say(sentence: str) -> None:
    """A sentence for whoever typed the command."""
    sys.stderr.write(sentence + "\n")


def log_plainly() -> None:
    """In every process, also those that uvicorn starts: what structlog prints unasked shows the words of reports."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Steady())),
    )


class _Steady:
    """Standard error; what cannot be written there, for the disk is full, is lost, and the work goes on."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
