"""Verifying an evidence pack: every check in one fixed order, until the first thing is wrong.

1. The zip adds up, is within the limits and holds nothing dangerous. 2. The manifest is canonical, signed, and by a
trusted key. 3. Its checkpoint's note is signed too. 4. Every member is there, no other, and each is as signed.
5. The zip is the one that was written. 6. The events are canonical and hash to their leaves, no stream lacks one, and
with the hashes of what is left out they make the checkpoint's root; none was recorded after the pack was made, for that
is the instant at which deadlines are judged. 7. The assurance report is what the events say.
8. Other members list the same records as the events. 9. The ledger begins with what the previous pack, and the
checkpoints given, saw of it.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from app.events.canonical import canonical
from app.events.codec import UnknownEvent
from app.proof.assurance import RULES, assure
from app.proof.assurance_counting import TooMuchToCount
from app.proof.events import Event
from app.proof.note import key_id_of
from app.proof.pack_earlier import Earlier, check_claim, hold_against, read_earlier
from app.proof.pack_layout import ASSURANCE, LEDGER, LIMITS, MANIFEST, PROOFS
from app.proof.pack_ledger import Walk
from app.proof.pack_lines import lines_of
from app.proof.pack_listed import check_listed
from app.proof.pack_manifest import Manifest, check_retired, micros_of
from app.proof.pack_members import Opened, check_members, read_head
from app.proof.pack_proofs import Consistency, Proofs
from app.proof.verdict import NotIntact, Verdict, unusable, wrong

Told = Callable[[str, int, int], None]
"""Hears of progress: what is being read, how far, of how much."""


def verify(
    path: Path,
    *,
    trusted: Sequence[bytes] = (),
    retired: Mapping[bytes, int] | None = None,
    checkpoints: Sequence[str] = (),
    previous: Path | None = None,
    told: Told | None = None,
) -> Verdict:
    """The verdict about a pack.

    `trusted`: public keys of 32 bytes, of which one must have signed; `retired`: since when, in microseconds, some of
    them sign no more; `checkpoints`: signed notes that a witness has
    kept; `previous`: an earlier pack of the same ledger. Nothing is written, and memory stays bounded.
    """
    facts: dict[str, Any] = {}
    try:
        if not path.is_file():
            raise unusable("unreadable", f"{path} is no file.")
        with path.open("rb") as file:
            _verify(file, trusted, retired or {}, checkpoints, previous, told or _nobody, facts)
    except NotIntact as end:
        return Verdict(False, end.problem, facts)
    except OSError as error:
        return Verdict(False, unusable("unreadable", f"The file cannot be read: {error.strerror}.").problem, facts)
    return Verdict(True, None, facts)


def _verify(
    file: IO[bytes],
    trusted: Sequence[bytes],
    retired: Mapping[bytes, int],
    checkpoints: Sequence[str],
    previous: Path | None,
    told: Told,
    facts: dict[str, Any],
) -> None:
    opened, manifest = read_head(file, trusted)
    check_retired(manifest, retired)
    facts |= _claims(manifest)
    facts["signed_by"] = {
        "key_id": key_id_of(manifest.public_key),
        "public_key": manifest.key.public_key,
        "trusted": bool(trusted),
    }
    earlier = read_earlier(manifest, trusted, retired, checkpoints, previous)
    facts["packing"] = _check_members(opened, manifest, told)
    walk, consistency, report = _walk(opened, manifest, earlier, told)
    facts["events"] = {
        "included": walk.included,
        "left_out": walk.omitted,
        "left_out_in_period": walk.omitted_in_period,
        "runs_left_out": walk.run_count,
    }
    facts["rules"] = {"report": _check_assurance(opened, report), "verifier": RULES}
    facts["validations"] = [_short(one) for one in report["validations"]]
    facts["as_known_then"] = [_shorter(one) for one in report["as_known_then"]["validations"]]
    facts["listed"] = check_listed(opened, walk.subjects)
    check_claim(manifest, consistency)
    facts["earlier"] = [hold_against(manifest, walk.roots, one) for one in earlier]


def _claims(manifest: Manifest) -> dict[str, Any]:
    """What the manifest says and its signature answers for."""
    said: dict[str, Any] = {
        "organisation": manifest.organisation,
        "pack_id": manifest.pack_id,
        "made_at": manifest.made_at,
        "period": {"from": manifest.period.since, "to": manifest.period.until},
        "audience": manifest.audience,
        "as_of_sequence": manifest.as_of_sequence,
        "origin": manifest.checkpoint.origin,
        "members": len(manifest.members),
    }
    if manifest.services is not None:
        said["services"] = manifest.services
    if manifest.previous is not None:
        said["previous"] = {"pack_id": manifest.previous.pack_id, "size": manifest.previous.size}
    return said


def _check_members(opened: Opened, manifest: Manifest, told: Told) -> str:
    total = sum(member.size for member in manifest.members)
    done = 0

    def heard(size: int) -> None:
        nonlocal done
        done += size
        told("members", done, total)

    return check_members(opened, manifest, heard)


def _walk(
    opened: Opened, manifest: Manifest, earlier: Sequence[Earlier], told: Told
) -> tuple[Walk, Consistency | None, dict[str, Any]]:
    """The ledger walked, and the assurance report that its events make on the way."""
    proofs = Proofs(opened.zipped.pieces(opened.entries[PROOFS]), manifest.as_of_sequence, manifest.root)
    lines = lines_of(opened.zipped.pieces(opened.entries[LEDGER]), LEDGER)
    walk = Walk(manifest, lines, proofs.runs(), [one.size for one in earlier])
    made_at = micros_of(manifest.made_at) or 0
    later: list[int] = []

    def events() -> Generator[Event]:
        for event in walk.events():
            if event.recorded_at > made_at and not later:
                later.append(event.sequence)
            yield event

    try:
        report = assure(
            events(),
            since=micros_of(manifest.period.since),
            until=micros_of(manifest.period.until),
            at=made_at,
            services=None if manifest.services is None else frozenset(manifest.services),
            sees_governance=manifest.services is None,
            heard=lambda sequence: told("events", sequence, manifest.as_of_sequence),
        )
    except TooMuchToCount as much:
        raise unusable("too-much", str(much), LEDGER) from None
    except UnknownEvent as newer:
        raise unusable("newer", f"The pack holds what only a newer release can judge. {newer}", LEDGER) from None
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        detail = f"What event {walk.sequence} says cannot be understood ({type(error).__name__})."
        raise wrong("event", detail, LEDGER, line=walk.line, sequence=walk.sequence) from None
    if later:
        detail = (
            f"The pack says it was made at {manifest.made_at}, and event {later[0]} in it was recorded after that: "
        )
        raise wrong("made-at", f"{detail}its deadlines are judged too early.", MANIFEST, sequence=later[0])
    return walk, proofs.consistency, report


def _check_assurance(opened: Opened, report: dict[str, Any]) -> int:
    """By which rules the report in the pack was made; by this release's it must be what the events say."""
    said = opened.read(ASSURANCE, LIMITS.document)
    if said == canonical(report).encode():
        return RULES
    try:
        document: Any = msgspec.json.decode(said)
        rules = cast("dict[str, Any]", document).get("rules") if isinstance(document, dict) else None
        if type(rules) is int and 1 <= rules != RULES:
            return rules
        place = _first_difference(document, msgspec.json.decode(canonical(report)))
    except (msgspec.MsgspecError, RecursionError):
        place = "it is no JSON"
    detail = f"assurance.json is not what the events of the pack say ({place})."
    raise wrong("assurance", detail, ASSURANCE)


def _first_difference(said: Any, found: Any, at: str = "") -> str:
    """Where two JSON values part, as a pointer."""
    if isinstance(said, dict) and isinstance(found, dict):
        for key in sorted({*said, *found}):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            if key not in said or key not in found:
                return f"at {at}/{key}: {'it is left out' if key in found else 'nothing says so'}"
            if said[key] != found[key]:
                return _first_difference(said[key], found[key], f"{at}/{key}")
    if isinstance(said, list) and isinstance(found, list):
        for index, (one, other) in enumerate(zip(said, found, strict=False)):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            if one != other:
                return _first_difference(one, other, f"{at}/{index}")
        return f"at {at}: it lists {len(said)}, the events say {len(found)}"  # pyright: ignore[reportUnknownArgumentType]
    if said == found:
        return "the same, but not written canonically"
    return f"at {at}: it says {said!r:.80}, the events say {found!r:.80}"


def _short(validation: dict[str, Any]) -> dict[str, Any]:
    """A validation without its longest list: assurance.json has it."""
    return {name: value for name, value in validation.items() if name != "crossings"}


def _shorter(validation: dict[str, Any]) -> dict[str, Any]:
    return {name: validation[name] for name in ("id", "confirmed", "population", "pending_total", "exceptions_total")}


def _nobody(_stage: str, _done: int, _total: int) -> None:
    pass
