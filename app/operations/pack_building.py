"""A pack is built: every member as of one sequence, in a fixed order, then the manifest, signed.

Nothing of it hangs on when or where it is built, so building it twice makes the same bytes; but for what was erased in
between, which no later pack can show, and a signing key that was rotated.
"""

import json
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import IO, Any

from app.domain.evidence_pack import PackMember
from app.domain.moment import format_instant, from_micros
from app.domain.policy import policy_document
from app.domain.taxonomy import document as taxonomy_document
from app.operations import pack_withheld
from app.operations.checkpoints import checkpoint_of
from app.operations.pack_case import Case, page
from app.operations.pack_changes import Noted, write_changes
from app.operations.pack_ledger import policies, settled_scope, write_ledger
from app.operations.pack_mapping import mapping
from app.operations.pack_page import index
from app.operations.pack_records import write_records
from app.operations.pack_timeliness import write_timeliness
from app.operations.pack_trends import trend_analysis
from app.operations.signing_keys import ALGORITHM, signing_key
from app.operations.tree_nodes import node_of
from app.proof.note import base64_of
from app.proof.pack_format import PackWriter
from app.proof.tree import Node, consistency, root_of

Drawn = Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Pictures:
    """What draws pages and pictures, which is done a floor above: each takes a document and returns its text."""

    trends: Drawn
    minutes_page: Drawn
    minutes_markdown: Drawn
    index: Drawn


def build(case: Case, file: IO[bytes], pictures: Pictures) -> list[PackMember]:
    """Write the pack into a file; returns its members as the manifest lists them. What `told` raises ends it."""
    case.told("looking through the ledger", 0, case.size)
    key = signing_key(case.house)
    with case.reader() as reader:
        checkpoint = checkpoint_of(case.house, reader.connection, case.organisation, case.size)
        previous, path = _previous(case, node_of(reader.connection, case.organisation))
    root = a2b_base64(checkpoint["root"])
    with closing(settled_scope(case)) as scope, closing(Noted()) as noted, PackWriter(file) as pack:
        assurance = write_ledger(case, scope, pack, root, path, noted.hear)
        counted = write_records(case, scope, pack, pictures.minutes_page, pictures.minutes_markdown)
        trends = trend_analysis(case)
        pack.add("trends.json", page(trends))
        pack.add("trends.svg", pictures.trends(trends).encode())
        shares = write_timeliness(case, scope, pack)
        write_changes(case, noted, pack)
        pack.add("policies.json", page(_policies(case)))
        pack.add("taxonomy.json", page(_taxonomy(case)))
        pack.add("mapping.json", page(mapping()))
        context = index(case, scope, _fields(case), checkpoint, assurance, counted, shares, pack.names)
        pack.add("index.html", pictures.index(context).encode())
        case.told("signing", case.size, case.size)
        fields = {
            **_fields(case),
            "checkpoint": checkpoint,
            "key": {"key_id": key.key_id, "algorithm": ALGORITHM, "public_key": base64_of(key.public_key)},
            **previous,
        }
        return _members(pack.finish(fields, key.sign))


def _fields(case: Case) -> dict[str, Any]:
    """What was asked for, as the manifest tells it."""
    asked = case.asked
    fields: dict[str, Any] = {
        "organisation": case.organisation,
        "pack_id": case.pack_id,
        "made_at": format_instant(asked.made_at),
        "period": {"from": format_instant(asked.since_at), "to": format_instant(asked.until_at)},
        "audience": asked.audience,
        "includes": list(asked.includes),
        "as_of_sequence": asked.as_of_sequence,
    }
    return {**fields, "services": list(case.services)} if asked.services else fields


def _previous(case: Case, node: Node) -> tuple[dict[str, Any], list[bytes]]:
    """The pack before as the manifest tells it, and the proof that its ledger is the beginning of this one's."""
    if (previous := case.asked.previous) is None:
        return {}, []
    root = base64_of(root_of(previous.size, node))
    told = {"pack_id": previous.pack_id, "size": previous.size, "root": root}
    return {"previous": told}, consistency(previous.size, case.size, node)


def _members(manifest: bytes) -> list[PackMember]:
    return [PackMember(one["name"], one["size"], one["sha256"]) for one in json.loads(manifest)["members"]]


# What was in force


def _policies(case: Case) -> dict[str, Any]:
    """Every version of the policy that was in force in the period, whole or in part."""
    versions = policies(case)
    ends = [at for at, _ in versions[1:]] + [None]
    return {
        "items": [
            {
                "policy_version": policy.version,
                "in_force_from": None if at == 0 else format_instant(from_micros(at)),
                "in_force_to": None if end is None else format_instant(from_micros(end)),
                "policy": pack_withheld.policy(case, policy_document(policy)),
            }
            for (at, policy), end in zip(versions, ends, strict=True)
            if at < case.until and (end is None or end > case.since)
        ]
    }


def _taxonomy(case: Case) -> dict[str, Any]:
    with case.reader() as reader:
        return dict(taxonomy_document(reader.settled().taxonomy))
