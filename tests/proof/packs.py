"""Evidence packs without a service: a ledger of a few weeks, sealed and signed as the real ones are."""

import csv
import io
import json
import random
import tempfile
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.database.migrate import upgrade
from app.events.canonical import canonical
from app.events.envelope import Envelope, cloud_event, instant, sealed_with_leaf
from app.events.merkle import leaf_hash, node_hash
from app.proof.assurance import assure
from app.proof.events import from_envelope
from app.proof.note import Checkpoint, key_id_of, sign_note
from app.proof.pack_format import PackWriter
from app.proof.pack_proofs import Consistency, Run, proofs_text
from app.proof.pack_reading import verify
from app.proof.tree import Node, consistency, cover, root_of
from app.proof.verdict import Verdict
from tests.office import opened
from tests.operations import undertakings

ORIGIN = "forewarn/organisations/default"
DAY = 86_400_000_000
LINES = {
    "near_misses.jsonl": "near_miss",
    "escalations.jsonl": "escalation",
    "reviews.jsonl": "review",
    "actions.jsonl": "action",
}


@dataclass(frozen=True)
class Key:
    """A signing key that every run makes alike."""

    seed: int = 1

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes([self.seed]) * 32)

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data)


OURS, THEIRS = Key(1), Key(2)


def migrated(folder: str) -> str:
    url = f"sqlite:///{folder}/forewarn.db"
    upgrade(url)
    return url


@cache
def a_ledger() -> tuple[Envelope, ...]:
    """Five weeks of two services: two crossings, one reviewed with an action, one still open."""
    with tempfile.TemporaryDirectory() as folder, opened(migrated(folder)) as office:
        action = undertakings.agreed(office)
        office.do(undertakings.progress(office, action))
        for day in range(5):
            office.clock.go_on(days=1)
            moment = office.clock().strftime("%Y-%m-%dT07:00:00Z")
            place = "ash-court" if day % 2 else "willow-house"
            office.submit(occurred_at=moment, service_id=place, deviation="late", narrative=f"Ünlike “{day}”")
        return tuple(office.ledger())


def resealed(envelopes: Iterable[Envelope]) -> list[Envelope]:
    """The events as whoever holds the database could have them: gapless, versions and leaves made anew."""
    found: list[Envelope] = []
    versions: dict[str, int] = {}
    for sequence, one in enumerate(envelopes, start=1):
        versions[one.stream] = versions.get(one.stream, 0) + 1
        found.append(sealed_with_leaf(one._replace(sequence=sequence, version=versions[one.stream])))
    return found


def node_over(leaves: Sequence[bytes]) -> Node:
    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaves[index]
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


@dataclass
class Parts:
    """What a pack is made of, to be tampered with before it is written."""

    members: dict[str, bytes]
    fields: dict[str, Any]
    key: Key = OURS

    def written(self) -> bytes:
        file = io.BytesIO()
        with PackWriter(file) as writer:
            for name, data in self.members.items():
                writer.add(name, data)
            writer.finish(self.fields, self.key.sign)
        return file.getvalue()


@dataclass(frozen=True)
class Recipe:
    """How a pack is made of a ledger."""

    ledger: Sequence[Envelope] = field(default_factory=a_ledger)
    holds: Callable[[Envelope], bool] = lambda _: True
    key: Key = OURS
    previous: int | None = None
    services: tuple[str, ...] | None = None
    made_after: int = 0
    made_at: int | None = None

    def but(self, **changes: Any) -> "Recipe":
        return replace(self, **changes)

    def parts(self) -> Parts:
        ledger, size = self.ledger, len(self.ledger)
        node = node_over([one.leaf for one in ledger])
        root = root_of(size, node)
        since, until = ledger[0].recorded_at, ledger[-1].recorded_at + 1
        made_at = until + DAY * self.made_after if self.made_at is None else self.made_at
        held = [one for one in ledger if self.holds(one)]
        report = assure(
            map(from_envelope, held),
            since=since,
            until=until,
            at=made_at,
            services=None if self.services is None else frozenset(self.services),
            sees_governance=self.services is None,
        )
        path = None
        previous: dict[str, Any] = {}
        if self.previous is not None:
            path = Consistency(self.previous, size, consistency(self.previous, size, node))
            before = encoded(root_of(self.previous, node))
            previous = {"previous": {"pack_id": "pack-0", "size": self.previous, "root": before}}
        members = {
            "ledger.jsonl": "".join(cloud_event(one) + "\n" for one in held).encode(),
            "proofs.json": b"".join(proofs_text(size, root, runs(ledger, self.holds, node), path)),
            "assurance.json": canonical(report).encode(),
            "index.html": b"<!doctype html><title>Evidence</title>",
            **listed(held),
        }
        key_id = key_id_of(self.key.public)
        checkpoint = Checkpoint(ORIGIN, size, root)
        fields: dict[str, Any] = {
            "organisation": "default",
            "pack_id": "pack-1",
            "made_at": instant(made_at),
            "period": {"from": instant(since), "to": instant(until)},
            "audience": "regulator",
            "includes": [],
            "as_of_sequence": size,
            "checkpoint": {
                "origin": ORIGIN,
                "size": size,
                "root": encoded(root),
                "key_id": key_id,
                "signed_note": sign_note(checkpoint, ORIGIN, self.key.sign, self.key.public),
            },
            "key": {"key_id": key_id, "algorithm": "Ed25519", "public_key": encoded(self.key.public)},
            **previous,
        }
        if self.services is not None:
            fields["services"] = list(self.services)
        return Parts(members, fields, self.key)

    def written(self) -> bytes:
        return self.parts().written()

    def note(self, size: int, key: Key | None = None) -> str:
        """What a witness was sent when the ledger had this size."""
        key = key or self.key
        root = root_of(size, node_over([one.leaf for one in self.ledger]))
        return sign_note(Checkpoint(ORIGIN, size, root), ORIGIN, key.sign, key.public)


def runs(ledger: Sequence[Envelope], holds: Callable[[Envelope], bool], node: Node) -> list[Run]:
    """What is left out, as proofs.json tells it."""
    found: list[Run] = []
    first = None
    for sequence in range(1, len(ledger) + 2):
        is_out = sequence <= len(ledger) and not holds(ledger[sequence - 1])
        if is_out and first is None:
            first = sequence
        elif not is_out and first is not None:
            found.append(Run(first, sequence - 1, [node(*one) for one in cover(first - 1, sequence - 1)]))
            first = None
    return found


def listed(held: Sequence[Envelope]) -> dict[str, bytes]:
    ids = {kind: [one.subject for one in held if one.kind == kind and one.version == 1] for kind in LINES.values()}
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\r\n")
    rows.writerow(["id"])
    rows.writerows([one] for one in ids["near_miss"])
    return {
        **{name: "".join(json.dumps({"id": one}) + "\n" for one in ids[kind]).encode() for name, kind in LINES.items()},
        "near_misses.csv": table.getvalue().encode(),
    }


def of_service(*services: str) -> Callable[[Envelope], bool]:
    """Streams of these services and everything that is of none, whole or not at all."""
    others = {
        one.stream
        for one in a_ledger()
        if one.type == "near_miss.recorded" and json.loads(one.payload)["report"]["service_id"] not in services
    }
    return lambda one: one.stream not in others


def encoded(data: bytes) -> str:
    return b64encode(data).decode()


def judged(data: bytes, folder: Path, **given: Any) -> Verdict:
    """The verdict about a pack of these bytes."""
    path = folder / "pack.zip"
    path.write_bytes(data)
    return verify(path, **given)


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def packed_anew(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """As any program packs a folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return file.getvalue()


def releafed(line: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A line of ledger.jsonl edited by somebody who knows how leaves are made."""
    document = json.loads(line)
    change(document)
    document.pop("leafhash")
    document["leafhash"] = leaf_hash(canonical(document).encode()).hex()
    return canonical(document).encode()


def flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
