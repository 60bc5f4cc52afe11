"""A file of near misses, row by row into the ledger, as if each had been sent: streamed, resumable, nothing dropped.

Every row has a name of its own (source and source event), so that the ledger answers what it has already: an import
that broke off is simply run again. A row that cannot be taken is told by its line and stops no other.
"""

import gzip
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast
from uuid import uuid4

from app.clock import monotonic
from app.domain import taxonomy
from app.domain.decider import Fault, Invalid, NotFound, Refused
from app.domain.moment import parse_instant
from app.domain.taxonomy import Change, Extend
from app.intake.mappings import LeftOut, RowMapping, new_terms, read_row
from app.operations import settle
from app.operations.house import House
from app.operations.job import Actor, Answer, Command, Submit, Unavailable
from app.operations.submit import job_of

IMPORTER = Actor("system/import")
LONGEST_LINE = 256 * 1024
IN_FLIGHT = 512
TRIES = 5
MOST_NAMES = 100
"""Names of ignored fields that a summary lists."""

_TOO_LONG = Fault("", "body-too-large", f"Write at most {LONGEST_LINE // 1024} KiB on a line.")
_NAMELESS = Fault(
    "/source_event_id",
    "missing",
    "Give the row its `source_event_id` and source, or name their fields in the mapping file: "
    "without them a second run would record it twice.",
)


class FileBroken(Refused):
    """The file ends or breaks in the middle; `str()` says where."""

    code = "malformed-file"


class BrokenOff(Refused):
    """The database took no more rows; what was recorded stays."""

    code = "unavailable"


class RowRefused(NamedTuple):
    """One row that was not taken, and why."""

    line: int
    code: str
    faults: tuple[Fault, ...]


class Entrance(NamedTuple):
    """How a line becomes a submission, as at the API's own door; both raise `Refused`.

    `parse`: one JSON document, strictly. `check`: the intake submission that a document is, without absent values.
    """

    parse: Callable[[bytes], object]
    check: Callable[[object, datetime], dict[str, Any]]


@dataclass(slots=True)
class Summary:
    """What became of the rows."""

    read: int = 0
    recorded: int = 0
    already_there: int = 0
    skipped: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    escalations_raised: int = 0
    historical_escalations: int = 0
    codes_added: Counter[str] = field(default_factory=Counter[str])
    ignored_fields: set[str] = field(default_factory=set[str])
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """The summary as JSON; `refused_as` counts by problem code."""
        return {
            "read": self.read,
            "recorded": self.recorded,
            "already_there": self.already_there,
            "skipped": dict(self.skipped),
            "refused": self.refused.total(),
            "refused_as": dict(self.refused),
            "escalations_raised": self.escalations_raised,
            "historical_escalations": self.historical_escalations,
            "codes_added": dict(self.codes_added),
            "ignored_fields": sorted(self.ignored_fields),
            "seconds": round(self.seconds, 3),
        }


@dataclass(slots=True)
class Import:
    """One file on its way into one organisation's ledger.

    `refused` is told of each row that is not taken, `advanced` of how much was read: a fraction of the whole.
    `as_history`: crossings older than the window are recorded, and alarm nobody. `pause`: seconds before rows that the
    database could not take are tried again, each time four times as long.
    """

    house: House
    organisation: str
    path: Path
    mapping: RowMapping
    entrance: Entrance
    as_history: bool = False
    refused: Callable[[RowRefused], None] = lambda _: None
    advanced: Callable[[float], None] = lambda _: None
    pause: float = 0.4
    summary: Summary = field(default_factory=Summary)

    def run(self) -> Summary:
        """Import the file; raises `NotFound`, `FileBroken` or `BrokenOff` when it cannot go on."""
        began = monotonic()
        if self.organisation not in self.house.organisations():
            raise NotFound("There is no such organisation: `forewarn organisations create`, or `forewarn serve` once.")
        with self.house.database.read() as connection:
            pepper = self.house.vault.pepper(connection, self.organisation)
            words = self.house.configurations.now(connection, self.organisation).taxonomy
        if self.mapping.added or self.mapping.extend:
            self._extend(words)
        self._submit(pepper)
        self.summary.seconds = monotonic() - began
        return self.summary

    def _submit(self, pepper: bytes) -> None:
        """One thread hands rows to the writer and waits for it, while this one prepares the next."""
        waiting: Future[list[Answer | Refused]] | None = None
        known = self.mapping.reads()
        with ThreadPoolExecutor(1, "import") as hand:
            asked: list[tuple[int, Submit]] = []
            for rows in self._chunks(known, pepper):
                if waiting is not None:
                    self._take(asked, waiting.result())
                asked = rows
                waiting = hand.submit(self._carry_out, [job for _, job in rows])
            if waiting is not None:
                self._take(asked, waiting.result())

    def _chunks(self, known: frozenset[str], pepper: bytes) -> Iterator[list[tuple[int, Submit]]]:
        chunk: list[tuple[int, Submit]] = []
        share, done = (0.5, 0.5) if self.mapping.extend else (1.0, 0.0)
        for line, text, fraction in lines_of(self.path):
            self.summary.read += 1
            try:
                job = self._job(text, known, pepper)
            except Refused as refusal:
                self._refuse(line, refusal)
                continue
            if job is None:
                continue
            chunk.append((line, job))
            if len(chunk) == IN_FLIGHT:
                self.advanced(done + share * fraction)
                yield chunk
                chunk = []
        yield chunk
        self.advanced(1.0)

    def _job(self, text: bytes, known: frozenset[str], pepper: bytes) -> Submit | None:
        now = self.house.clock()
        row = self._row(text)
        document = read_row(self.mapping, row)
        if len(self.summary.ignored_fields) < MOST_NAMES:
            self.summary.ignored_fields |= cast("dict[str, Any]", row).keys() - known
        if isinstance(document, LeftOut):
            self.summary.skipped[document.reason] += 1
            return None
        document = self.entrance.check(document, now)
        if "source_event_id" not in document:
            raise Invalid(_NAMELESS)
        reported_at = document.pop("reported_at", None)  # When the source says so again, it is the same report.
        job = job_of(self.organisation, IMPORTER, pepper, document, now)
        job.intake, job.as_history = True, self.as_history
        job.reported_at = parse_instant(reported_at) if reported_at else None
        return job

    def _row(self, text: bytes) -> object:
        if len(text) > LONGEST_LINE:
            raise Invalid(_TOO_LONG)
        return self.entrance.parse(text)

    def _carry_out(self, jobs: Sequence[Submit]) -> list[Answer | Refused]:
        """Each job's answer, in order; what the database could not take just now is asked again."""
        answers: dict[int, Answer | Refused] = {}
        for tried in range(TRIES):
            left = [index for index in range(len(jobs)) if index not in answers]
            if not left:
                break
            if tried:
                time.sleep(self.pause * 4 ** (tried - 1))
            try:
                told = self.house.try_all([jobs[index] for index in left])
            except Unavailable:
                continue
            for index, answer in zip(left, told, strict=True):
                match answer:
                    case Unavailable() | TimeoutError():
                        pass
                    case Answer() | Refused():
                        answers[index] = answer
                    case _:
                        raise answer
        if len(answers) < len(jobs):
            raise BrokenOff("The database takes no more rows just now: run the import again, it goes on from here.")
        return [answers[index] for index in range(len(jobs))]

    def _take(self, rows: Sequence[tuple[int, Submit]], answers: Sequence[Answer | Refused]) -> None:
        for (line, _), answer in zip(rows, answers, strict=True):
            match answer:
                case Refused():
                    self._refuse(line, answer)
                case Answer(status=200):
                    self.summary.already_there += 1
                case Answer(body=body):
                    self.summary.recorded += 1
                    self._count_raised(body)

    def _count_raised(self, near_miss: Mapping[str, Any]) -> None:
        if not near_miss["escalation_ids"]:
            return
        for rule in near_miss["similarity_check"]["rules"]:
            if rule["outcome"] != "escalated":
                continue
            if rule.get("historical"):
                self.summary.historical_escalations += 1
            else:
                self.summary.escalations_raised += 1

    def _refuse(self, line: int, refusal: Refused) -> None:
        self.summary.refused[refusal.code] += 1
        faults = refusal.faults if isinstance(refusal, Invalid) else (Fault("", refusal.code, refusal.detail),)
        self.refused(RowRefused(line, refusal.code, faults))

    def _extend(self, words: taxonomy.Taxonomy) -> None:
        """Add the mapping's terms to the taxonomy, and with `extend` those that the file needs besides."""
        lists = {name: list(changes) for name, changes in self.mapping.added.items()}
        if self.mapping.extend:
            decided = taxonomy.decide(Extend(lists), words, self.house.clock())
            for event in decided:
                words = taxonomy.evolve(words, event)
            for name, change in self._survey(words):
                lists.setdefault(name, []).append(change)
        before = self._sizes()
        command = Extend(lists)
        self.house.ask(
            Command(
                self.organisation,
                str(uuid4()),
                IMPORTER,
                "taxonomy",
                lambda desk, cause: settle.extend_taxonomy(desk, cause, command, None),
                lambda _reader, subject: {"id": subject},
            )
        )
        self.summary.codes_added = self._sizes() - before

    def _survey(self, words: taxonomy.Taxonomy) -> Iterator[tuple[str, Change]]:
        """The codes of the whole file that the taxonomy lacks, each once; what is wrong with a row is told later."""
        told: set[tuple[str, str | None, str]] = set()
        for _, text, fraction in lines_of(self.path):
            self.advanced(0.5 * fraction)
            try:
                document = read_row(self.mapping, self._row(text))
                if not isinstance(document, LeftOut):
                    document = self.entrance.check(document, self.house.clock())
            except Refused:
                continue
            if isinstance(document, LeftOut):
                continue
            for name, change in new_terms(words, document):
                term = (name, change.incident_type, change.code)
                if term not in told:
                    told.add(term)
                    yield name, change

    def _sizes(self) -> Counter[str]:
        with self.house.database.read() as connection:
            words = self.house.configurations.now(connection, self.organisation).taxonomy
        return Counter({name: len(terms) for name, terms in words.lists.items()})


def lines_of(path: Path) -> Iterator[tuple[int, bytes, float]]:
    """The lines of a file, packed by gzip or not: number from 1, text, and how much of the file that is; none empty.

    Of a line that is too long only the beginning, one byte more than is allowed. Raises `FileBroken`.
    """
    size = path.stat().st_size or 1
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        text = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
        number = 0
        while True:
            try:
                line = text.readline(LONGEST_LINE + 1)
                rest = line
                while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
                    rest = text.readline(LONGEST_LINE + 1)
            except (EOFError, OSError, zlib.error):
                raise FileBroken(
                    f"The file cannot be read after line {number}: give the whole file and run the import again."
                ) from None
            if not line:
                return
            number += 1
            if line.strip():
                yield number, line.rstrip(b"\r\n"), min(1.0, raw.tell() / size)
