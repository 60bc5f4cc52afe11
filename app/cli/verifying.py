"""`verify`: whether an evidence pack is what was signed, with no server, no network and no database.

It ends with 0 when the pack is intact and what it shows is well, with 3 when it is intact and shows something that is
not (an exception of a validation, an earlier state that it cannot be held against), with 1 when it is not intact, and
with 2 when it could not be verified at all.
"""

import json
import sys
import time
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.saying import say, tell, write

INTACT, NOT_INTACT, UNUSABLE, WITH_EXCEPTIONS = 0, 1, 2, 3
WELL_KNOWN = "/.well-known/forewarn-keys.json"
_LARGEST = 1 << 20
_MOST_NAMED = 20
_QUESTIONS = {
    "repeated_near_misses_escalated": "Every crossing of a threshold led to a review",
    "linked_to_workflow": "Every near miss was linked to the step of the work where it arose",
    "used_in_governance": "Every review's findings were used in governance",
}

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
        trusted = [*map(_key, key or []), *(_keys_of(keys_file) if keys_file else [])]
        notes = [note for path in checkpoint or [] for note in _notes_of(path)]
    except ValueError as refusal:
        say(str(refusal))
        raise SystemExit(UNUSABLE) from None
    progress = _Progress()
    verdict = verify(pack, trusted=trusted, checkpoints=notes, previous=previous, told=progress)
    progress.end()
    if verdict.problem is not None:
        code = UNUSABLE if verdict.problem.is_unusable else NOT_INTACT
    else:
        code = WITH_EXCEPTIONS if _shows_exceptions(verdict.facts) else INTACT
    problem = verdict.problem.document() if verdict.problem else None
    if as_json:
        named = {INTACT: "intact", NOT_INTACT: "not_intact", UNUSABLE: "unusable", WITH_EXCEPTIONS: "exceptions"}
        tell({"verdict": named[code], **({"problem": problem} if problem else {}), "facts": verdict.facts})
    else:
        write("\n".join(_refusal(problem, code) if problem else _intact(verdict.facts)) + "\n")
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


def _keys_of(path: Path) -> list[bytes]:
    try:
        keys = [_key(one["public_key"]) for one in json.loads(_text(path))["keys"]]
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
    undecided = any(one["held"] is None for one in facts["earlier"])
    return undecided or any(one["exceptions_total"] for one in facts["validations"])


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
    included, left_out = events["included"], events["left_out"]
    lines = [
        "INTACT: every byte of the members is as it was signed, and the events bear out what they say.",
        f"Signed by key {signed['key_id']}: {by}.",
        f"Pack {facts['pack_id']} of {facts['origin']}, made {facts['made_at']} for: {facts['audience']}.",
        f"Period {period['from']} to {period['to']}{about}.",
        f"Events: {included} of {facts['as_of_sequence']}; {left_out} are left out, proven to exist by hashes alone.",
    ]
    if facts["packing"] != "as written":
        lines.append("The zip was packed anew by another program; its members are what was signed.")
    if "previous" in facts:
        lines.append(f"Its ledger begins with that of pack {facts['previous']['pack_id']}, which it names.")
    for one in facts["earlier"]:
        named = f"pack {one['pack_id']}" if "pack_id" in one else "a checkpoint that you gave"
        lines.append(f"Against {named}, {one['size']} events: {'it begins with them.' if one['held'] else one['why']}")
    for one in facts["validations"]:
        lines += _validation(one)
    return lines


def _validation(told: Mapping[str, Any]) -> list[str]:
    missing, pending = told["exceptions_total"], told["pending_total"]
    open_yet = "NOT confirmed" if missing else "not confirmed yet"
    said = {True: "confirmed", False: open_yet, None: "nothing to confirm"}[told["confirmed"]]
    counted = f"{told['population']} in all, {missing} exceptions, {pending} inside their deadline"
    lines = [f"{_QUESTIONS.get(told['id'], told['id'])}: {said} ({counted})."]
    lines += [f"  - {one['reason']}: {', '.join(one['ids'])}" for one in told["exceptions"][:_MOST_NAMED]]
    if missing > _MOST_NAMED:
        lines.append(f"  … and {missing - _MOST_NAMED} more; assurance.json names them.")
    return lines
