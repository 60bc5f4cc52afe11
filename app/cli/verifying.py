"""`verify`: whether an evidence pack is what was signed, with no server, no network and no database.

It ends as `app.cli.ending` says; an earlier state that the pack cannot be held against counts as an exception.
"""

import json
import sys
import time
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.ending import EXCEPTIONS, NOT_INTACT, UNUSABLE, WELL
from app.cli.saying import say, tell, write
from app.proof.assurance_sentences import counts, reason, sentence, several, verdict

WELL_KNOWN = "/.well-known/forewarn-keys.json"
_LARGEST = 1 << 20
_MOST_NAMED = 20

Keys = Annotated[list[str] | None, typer.Option("--key", help="A public key that you trust, base64; may be repeated.")]
KeysFile = Annotated[Path | None, typer.Option(help=f"The keys that you trust, as {WELL_KNOWN} lists them.")]
Checkpoints = Annotated[
    list[Path] | None,
    typer.Option("--checkpoint", help="A signed note of the ledger that you kept; may be repeated."),
]
Previous = Annotated[Path | None, typer.Option(help="An earlier pack: this one's ledger must begin with that one's.")]


def verify_pack(
    pack: Annotated[Path, typer.Argument(help="The pack as it was downloaded.", metavar="PACK.zip")],
    key: Keys = None,
    keys_file: KeysFile = None,
    checkpoint: Checkpoints = None,
    previous: Previous = None,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict as one JSON document.")] = False,
) -> None:
    """Verify an evidence pack: no server, network, setting or database is needed.

    Ends with 0: intact, and all is well. 1: not intact; the first thing wrong is named. 2: it could not be verified.
    3: intact, and it shows exceptions.
    """
    from app.proof.pack_reading import verify

    try:
        listed = _keys_of(keys_file) if keys_file else {}
        trusted = [*map(_key, key or []), *listed]
        retired = {one: since for one, since in listed.items() if since is not None}
        notes = [note for path in checkpoint or [] for note in _notes_of(path)]
    except ValueError as refusal:
        say(str(refusal))
        raise SystemExit(UNUSABLE) from None
    progress = _Progress()
    found = verify(pack, trusted=trusted, retired=retired, checkpoints=notes, previous=previous, told=progress)
    progress.end()
    if found.problem is not None:
        code = UNUSABLE if found.problem.is_unusable else NOT_INTACT
    else:
        code = EXCEPTIONS if _shows_exceptions(found.facts) else WELL
    problem = found.problem.document() if found.problem else None
    if as_json:
        named = {WELL: "intact", NOT_INTACT: "not_intact", UNUSABLE: "unusable", EXCEPTIONS: "exceptions"}
        tell({"verdict": named[code], **({"problem": problem} if problem else {}), "facts": found.facts})
    else:
        write("\n".join(_refusal(problem, code) if problem else _intact(found.facts)) + "\n")
    raise SystemExit(code)


def alone(arguments: Sequence[str]) -> None:
    """The command by itself, without reading in the rest of the command line."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(verify_pack)
    app(args=list(arguments), prog_name="forewarn verify")


def _key(text: str) -> bytes:
    try:
        key = a2b_base64(text.strip(), strict_mode=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ValueError("A public key is the base64 of 32 bytes, as /.well-known/forewarn-keys.json has it.")
    return key


def _keys_of(path: Path) -> dict[bytes, int | None]:
    """The keys that a file lists, each with the instant at which it was retired, in microseconds, if it was."""
    from app.domain.moment import parse_instant, to_micros

    keys: dict[bytes, int | None] = {}
    try:
        for one in json.loads(_text(path))["keys"]:
            at = one.get("retired_at")
            keys[_key(one["public_key"])] = None if at is None else to_micros(parse_instant(at))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{path} is no file of keys, as {WELL_KNOWN} is one.") from None
    if not keys:
        raise ValueError(f"{path} lists no key.")
    return keys


def _notes_of(path: Path) -> list[str]:
    """Notes as they are, or in the answer of /v1/ledger/checkpoint."""
    from app.proof.note import notes_in

    text = _text(path)
    try:
        notes = notes_in(json.loads(text)["signed_note"] if text.lstrip().startswith("{") else text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        notes = []
    if not notes:
        raise ValueError(f"{path} holds no signed note.")
    return notes


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from None
    if len(data) > _LARGEST:
        raise ValueError(f"{path} is larger than {_LARGEST} bytes.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text.") from None


class _Progress:
    """How far it is, on standard error: once a stage, or as one line that moves where somebody is looking."""

    def __init__(self) -> None:
        self._stage = ""
        self._said = 0.0
        self._moves = sys.stderr.isatty()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._stage = stage
            if not self._moves:
                say(f"Reading {stage} …")
        if self._moves and time.monotonic() - self._said > 0.2:
            self._said = time.monotonic()
            sys.stderr.write(f"\rReading {stage} … {100 * done // max(total, 1):3} %")
            sys.stderr.flush()

    def end(self) -> None:
        if self._moves and self._said:
            sys.stderr.write("\r" + " " * 40 + "\r")


def _shows_exceptions(facts: Mapping[str, Any]) -> bool:
    undecided = any(one["held"] is None for one in facts["earlier"]) or _hides_some(facts)
    undecided = undecided or _is_of_other_rules(facts)
    return undecided or any(one["exceptions_total"] for one in facts["validations"])


def _hides_some(facts: Mapping[str, Any]) -> bool:
    """Whether a pack of all services leaves out what may have been recorded in its period, which none need do."""
    return "services" not in facts and facts["events"]["left_out_in_period"] > 0


def _is_of_other_rules(facts: Mapping[str, Any]) -> bool:
    """Whether another release made the report, by rules that this one does not know."""
    return facts["rules"]["report"] != facts["rules"]["verifier"]


def _refusal(problem: Mapping[str, Any], code: int) -> list[str]:
    head = "NOT INTACT" if code == NOT_INTACT else "NOT VERIFIED"
    lines = [f"{head}: {problem['detail']}"]
    places = [f"{name} {problem[name]}" for name in ("member", "line", "sequence") if name in problem]
    if "until" in problem and problem["until"] != problem.get("sequence"):
        places.append(f"to {problem['until']}")
    if places:
        lines.append(f"Where: {', '.join(places)}.")
    if code == NOT_INTACT:
        lines.append("Rely on nothing in it. Ask for the pack again, and keep this one as it is.")
    return lines


def _intact(facts: Mapping[str, Any]) -> list[str]:
    signed, events, period = facts["signed_by"], facts["events"], facts["period"]
    by = "a key that you trust" if signed["trusted"] else f"compare it with {WELL_KNOWN} of the service"
    about = f", services {', '.join(facts['services'])}" if "services" in facts else ""
    included, left_out = events["included"], several(events["left_out"], "is left out", "are left out")
    lines = [
        "INTACT: every byte of the members is as it was signed, and the events bear out what they say.",
        f"Signed by key {signed['key_id']}: {by}.",
        f"Pack {facts['pack_id']} of {facts['origin']}, made {facts['made_at']} for: {facts['audience']}.",
        f"Period {period['from']} to {period['to']}{about}.",
        f"Events: {included} of {facts['as_of_sequence']}; {left_out}, proven to exist by hashes alone.",
    ]
    if _hides_some(facts):
        hidden = several(events["left_out_in_period"], "event is", "events are")
        lines.append(
            f"NOT WHOLE: {hidden} left out that may have been recorded in the period. A pack of all services leaves "
            "out none of those: what is told below may not be all that happened."
        )
    if facts["packing"] != "as written":
        lines.append("The zip was packed anew by another program; its members are what was signed.")
    if "previous" in facts:
        lines.append(f"Its ledger begins with that of pack {facts['previous']['pack_id']}, which it names.")
    for one in facts["earlier"]:
        named = f"pack {one['pack_id']}" if "pack_id" in one else "a checkpoint that you gave"
        lines.append(
            f"Against {named}, {several(one['size'], 'event')}: {'it begins with them.' if one['held'] else one['why']}"
        )
    if _is_of_other_rules(facts):
        lines.append(
            f"UNDECIDED: assurance.json was made by rules {facts['rules']['report']}, and this release counts by "
            f"{facts['rules']['verifier']}. What follows is counted anew; to hold the "
            "report against it, verify with the release that made the pack."
        )
    for one in facts["validations"]:
        lines += _validation(one)
    return lines


def _validation(told: Mapping[str, Any]) -> list[str]:
    missing = told["exceptions_total"]
    lines = [f"{sentence(told)}: {verdict(told)} ({counts(told)})."]
    if "why" in told:
        lines.append(f"  {told['why']}")
    lines += [
        f"  - {one['reason']}: {', '.join(one['ids']) or 'no record'} ({reason(one['reason'])})"
        for one in told["exceptions"][:_MOST_NAMED]
    ]
    if missing > _MOST_NAMED:
        lines.append(f"  … and {missing - _MOST_NAMED} more; assurance.json names them.")
    return lines
