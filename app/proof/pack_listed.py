"""Members that list records by id: they list the same ones as the events, none twice, none besides.

No more of a list is kept than there are records, however long it is.
"""

import csv
from collections.abc import Generator, Mapping
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from app.proof.pack_lines import lines_of
from app.proof.pack_members import Opened
from app.proof.verdict import wrong

LOG = "near_misses.jsonl"
TABLE = "near_misses.csv"
LISTED = {
    LOG: "near_miss",
    "escalations.jsonl": "escalation",
    "reviews.jsonl": "review",
    "actions.jsonl": "action",
}
_SIZE = 16


class _Record(Struct):
    id: Annotated[str, Meta(min_length=1, max_length=200)]


def check_listed(opened: Opened, subjects: Mapping[str, bytearray]) -> dict[str, int]:
    """How many records each member lists. NotIntact: one that is not in ledger.jsonl, or one left out or doubled."""
    found: dict[str, bytes] = {
        name: _check(opened, name, kind, subjects[kind]) for name, kind in LISTED.items() if name in opened.entries
    }
    if TABLE in opened.entries and LOG in found:
        _check_table(opened, found[LOG])
    return {name: len(listed) // _SIZE for name, listed in found.items()}


def _check(opened: Opened, name: str, kind: str, subjects: bytearray) -> bytes:
    import numpy as np

    listed = bytearray()
    for number, line in enumerate(lines_of(opened.zipped.pieces(opened.entries[name]), name), start=1):
        try:
            record = msgspec.json.decode(line, type=_Record)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise wrong("listed", f"Line {number} of {name} is no record with an id.", name, line=number) from None
        listed += _digest(record.id)
        if len(listed) > len(subjects):
            break  # One at least is strange or doubled; how many more there are is nobody's business, and memory.
    mine = np.frombuffer(bytes(listed), dtype=f"S{_SIZE}")
    theirs = np.frombuffer(bytes(subjects), dtype=f"S{_SIZE}")
    strange = ~np.isin(mine, theirs)
    if strange.any():
        line = int(np.argmax(strange)) + 1
        raise wrong(
            "listed", f"Line {line} of {name} is of a {_said(kind)} that the events do not tell of.", name, line=line
        )
    if len(mine) > len(theirs):
        detail = f"{name} lists more records than the {len(theirs)} that the events tell of: some are doubled."
        raise wrong("listed", detail, name, line=len(mine))
    if len(np.unique(mine)) != len(mine) or len(mine) != len(theirs):
        detail = f"{name} lists {len(mine)} of the {len(theirs)} records that the events tell of, or some twice."
        raise wrong("listed", detail, name)
    return bytes(listed)


def _check_table(opened: Opened, listed: bytes) -> None:
    """The table for people has the records of the log, row by row."""
    rows = csv.DictReader(_text(opened))
    place = 0
    try:
        for row in rows:
            if _digest(row.get("id") or "") != listed[place : place + _SIZE]:
                number = place // _SIZE + 1
                detail = f"Record {number} of {TABLE} is another than line {number} of {LOG}."
                raise wrong("listed", detail, TABLE, line=rows.line_num)
            place += _SIZE
    except (csv.Error, UnicodeDecodeError):
        raise wrong("listed", f"{TABLE} is no CSV from line {rows.line_num} on.", TABLE, line=rows.line_num) from None
    if place != len(listed):
        raise wrong("listed", f"{TABLE} has {place // _SIZE} records, {LOG} has {len(listed) // _SIZE}.", TABLE)


def _text(opened: Opened) -> Generator[str]:
    for line in lines_of(opened.zipped.pieces(opened.entries[TABLE]), TABLE):
        yield line.decode() + "\n"


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=_SIZE).digest()


def _said(kind: str) -> str:
    return kind.replace("_", " ")
