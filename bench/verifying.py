"""Verifying an evidence pack of a million events, against nothing but SHA-256 over the same bytes.

The pack is whole: every event's text, leaf and place in the tree, the assurance computed anew, lists held against
events. Its ledger is that of a small house, many times over, each time with services and records of its own. Ours runs
in a process of its own, which also tells how much memory it took beyond what its imports do.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from app.database.tables import events
from app.events.canonical import canonical
from app.events.envelope import Envelope, cloud_event, instant, sealed_with_leaf
from app.events.merkle import Frontier
from app.operations.submit import job_of
from app.proof.assurance import assure
from app.proof.events import Event, from_envelope
from app.proof.note import Checkpoint, base64_of, key_id_of, sign_note
from app.proof.pack_format import PackWriter
from app.proof.pack_proofs import proofs_text
from bench.ledger import KEY, NOON, opened_house
from bench.measure import Aim, Line, Scale, compare
from bench.submissions import document

ORIGIN = "forewarn/organisations/default"
ONCE = frozenset({"organisation", "policy", "taxonomy", "recognition", "ledger"})
_VARIED = re.compile(r"((?:nm|esc|rev|act)_[0-9a-f]{32}|service-\d+|(?<=\")[A-Za-z0-9_-]{43}(?=\"))")
_LISTS = {"near_miss": "near_misses", "escalation": "escalations", "review": "reviews", "action": "actions"}
_PROGRAM = """
import json, resource, sys, time
from pathlib import Path
import numpy, app.proof.pack_reading as reading
def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
began = time.perf_counter()
verdict = reading.verify(Path(sys.argv[1]))
took = time.perf_counter() - began
assert verdict.ok, verdict.problem
grown = peak() - before
print(json.dumps({"took": took, "grown": grown, "events": verdict.facts["events"]["included"]}))
"""


def of_a_million(scale: Scale) -> list[Line]:
    """Throughput, and memory against a tenth of the events."""
    count = scale.pick(1_000_000, 20_000)
    large, small = scale.folder / "large.zip", scale.folder / "small.zip"
    ledger = _template(scale.folder)
    plain = scale.folder / "plain"
    size = _write(large, ledger, count, plain)
    _write(small, ledger, count // 10, None)

    def ours() -> float:
        return size / _verified(large)["took"] / 1e6

    def hashed() -> float:
        began = time.perf_counter()
        whole = sha256()
        with plain.open("rb") as file:
            while piece := file.read(1 << 16):
                whole.update(piece)
        return size / (time.perf_counter() - began) / 1e6

    notes = {"events": count, "members_bytes": size, "pack_bytes": large.stat().st_size}
    speed = compare("verify a pack, against sha256 of its bytes", "MB/s", hashed, ours, None, scale.rounds, notes)
    memory = compare(
        "memory of verify, ten times the events",
        "MB",
        lambda: max(1.0, _verified(small)["grown"] / 1024),
        lambda: _verified(large)["grown"] / 1024,
        None if scale.quick else Aim("at most", 4.0),  # Of a few events nothing but the first pages is seen.
        1,
        {"events": count},
    )
    return [speed, memory]


def _verified(path: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _template(folder: Path) -> list[Envelope]:
    """The ledger of a house with a few hundred near misses."""
    with opened_house(f"sqlite:///{folder / 'small.db'}") as house:
        with house.database.read() as connection:
            pepper = house.vault.pepper(connection, "default")
        for number in range(300):
            house.ask(job_of("default", KEY, pepper, document(number, NOON), NOON, None))
        with house.database.read() as connection:
            return [Envelope(*row) for row in connection.execute(select(events).order_by(events.c.sequence))]


def _many(template: list[Envelope], count: int) -> Iterator[Envelope]:
    """About so many events: each of the template for every copy, then the next, so that time never runs backwards."""
    copies = max(1, count // len(template))
    sequence = 0
    for n, one in enumerate(template):
        stream, payload = _VARIED.split(one.stream), _VARIED.split(one.payload)
        for copy in range(1 if one.kind in ONCE else copies):
            sequence += 1
            yield sealed_with_leaf(
                one._replace(
                    sequence=sequence,
                    event_id=f"{n:08x}-0000-5000-8000-{copy:012x}",
                    stream=_varied(stream, copy),
                    payload=_varied(payload, copy),
                )
            )


def _varied(parts: list[str], copy: int) -> str:
    mark = f"{copy:06x}"
    varied = [part + mark if part.startswith("service-") else part[:-6] + mark for part in parts[1::2]]
    return "".join([one for pair in zip(parts[::2], [*varied, ""], strict=True) for one in pair])


def _write(path: Path, template: list[Envelope], count: int, plain: Path | None) -> int:
    """A pack of about so many events; returns the bytes of its members, which lie in `plain` one after another."""
    key = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
    public = key.public_key().public_bytes_raw()
    since, until = template[0].recorded_at, template[-1].recorded_at + 1
    lists: dict[str, list[str]] = {kind: [] for kind in _LISTS}
    frontier, size = Frontier(), 0
    copy = plain.open("wb") if plain else None

    with path.open("wb") as file, PackWriter(file, folder=str(path.parent)) as writer:

        def add(name: str, pieces: Iterator[bytes]) -> None:
            nonlocal size
            with writer.member(name) as member:
                for piece in pieces:
                    size += member.write(piece)
                    if copy:
                        copy.write(piece)

        with writer.member("ledger.jsonl") as member:

            def told() -> Iterator[Event]:
                nonlocal frontier, size
                for one in _many(template, count):
                    text = cloud_event(one).encode() + b"\n"
                    size += member.write(text)
                    if copy:
                        copy.write(text)
                    frontier = frontier.append(one.leaf)
                    if one.version == 1 and one.kind in lists:
                        lists[one.kind].append(one.subject)
                    yield from_envelope(one)

            report = assure(told(), since=since, until=until, at=until, services=None)
        root = frontier.root()
        add("assurance.json", iter([canonical(report).encode()]))
        add("proofs.json", proofs_text(frontier.size, root, [], None))
        for kind, name in _LISTS.items():
            add(f"{name}.jsonl", (f'{{"id":"{one}"}}\n'.encode() for one in lists[kind]))
        key_id = key_id_of(public)
        note = sign_note(Checkpoint(ORIGIN, frontier.size, root), ORIGIN, key.sign, public)
        fields = {
            "organisation": "default",
            "pack_id": "pack-bench",
            "made_at": instant(until),
            "period": {"from": instant(since), "to": instant(until)},
            "audience": "regulator",
            "includes": [],
            "as_of_sequence": frontier.size,
            "checkpoint": {
                "origin": ORIGIN,
                "size": frontier.size,
                "root": base64_of(root),
                "key_id": key_id,
                "signed_note": note,
            },
            "key": {"key_id": key_id, "algorithm": "Ed25519", "public_key": base64_of(public)},
        }
        writer.finish(fields, key.sign)
    if copy:
        copy.close()
    return size
