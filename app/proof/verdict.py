"""What verifying a pack ends with: the first thing wrong and where, or that it is intact."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """The first thing wrong: a code for programs, a sentence for people, and the place as far as it can be told.

    `line` counts from 1 in the member; `sequence` is the event's, with `until` one of a stretch of events, of which no
    single one can be told. `is_unusable`: nothing was learnt of the evidence, for this is no pack or a dangerous one.
    """

    code: str
    detail: str
    member: str | None = None
    line: int | None = None
    sequence: int | None = None
    until: int | None = None
    is_unusable: bool = False

    def document(self) -> dict[str, Any]:
        """The problem as JSON; what is not known is left out."""
        told = {"code": self.code, "detail": self.detail, "member": self.member, "line": self.line}
        told |= {"sequence": self.sequence, "until": self.until}
        return {name: value for name, value in told.items() if value is not None}


class NotIntact(Exception):
    """Verifying ends here."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Verdict:
    """`ok`: every check held. `facts` are JSON-plain, and only those that had been proven when it ended."""

    ok: bool
    problem: Problem | None = None
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


def wrong(
    code: str,
    detail: str,
    member: str | None = None,
    *,
    line: int | None = None,
    sequence: int | None = None,
    until: int | None = None,
) -> NotIntact:
    """The pack is not what was signed."""
    return NotIntact(Problem(code, _printable(detail), member and _printable(member), line, sequence, until))


def unusable(code: str, detail: str, member: str | None = None) -> NotIntact:
    """There is nothing to verify, or it would be dangerous to."""
    return NotIntact(Problem(code, _printable(detail), member and _printable(member), is_unusable=True))


def _printable(text: str) -> str:
    """What may go to a terminal, whoever wrote it."""
    return "".join([letter if letter.isprintable() else "\ufffd" for letter in text[:2000]])
