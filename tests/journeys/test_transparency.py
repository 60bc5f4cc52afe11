"""The ledger held to its word over HTTP: an auditor fetches checkpoints and proofs and checks them by other code.

Takes some seconds, on both databases.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.testclient import TestClient

from app.main import create_app
from app.operations.expected import hold_back
from app.operations.house import House
from app.operations.signing_keys import rotate
from app.settings import Settings
from tests.journeys.inside import Inside, bearer, opened
from tests.journeys.listening import feed, leaf_of
from tests.journeys.ward import Ward, pointers
from tests.operations.sending import until
from tests.operations.witnessing import tamper
from tests.proof.rfc9162 import Tree, includes, is_consistent
from tests.service import API_KEY, MASTER_KEY

CHECKPOINT = "/v1/ledger/checkpoint"
INCLUSION = "/v1/ledger/proofs/inclusion"
CONSISTENCY = "/v1/ledger/proofs/consistency"
KEYS = "/.well-known/forewarn-keys.json"


@pytest.fixture
def inside(database_url: str) -> Iterator[Inside]:
    with opened(database_url) as inside:
        for _ in range(3):
            inside.ward.submit()
        yield inside


def keys(inside: Inside) -> list[dict[str, Any]]:
    answer = inside.client.get(KEYS)
    assert answer.status_code == 200
    return answer.json()["keys"]


def verify(inside: Inside, note: str) -> tuple[str, int, bytes]:
    """As somebody does who has read C2SP signed-note, and nothing of this service's code."""
    text, signature = note.split("\n\n")
    origin, size, root = text.split("\n")
    _, name, encoded = signature.removesuffix("\n").split(" ")
    assert name == origin
    signed = base64.b64decode(encoded)[4:]
    for key in keys(inside):
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key["public_key"]))
        try:
            public.verify(signed, (text + "\n").encode())
        except Exception:  # noqa: BLE001 - It may be another one's.
            continue
        return origin, int(size), base64.b64decode(root)
    raise AssertionError("no key of the service signed it")


def nodes(path: list[str]) -> list[bytes]:
    return [base64.b64decode(one) for one in path]


# Checked by a stranger


def test_an_auditor_proves_every_event_and_every_step_from_the_feed_alone(inside: Inside) -> None:
    leaves = [bytes.fromhex(leaf_of(event)) for event in feed(inside.ward)]
    checkpoint = inside.ward.get(CHECKPOINT)
    size = len(leaves)

    assert verify(inside, checkpoint["signed_note"]) == (checkpoint["origin"], size, Tree(leaves).mth(0, size))

    _, _, root = verify(inside, checkpoint["signed_note"])
    for sequence in range(1, size + 1):
        proof = inside.ward.get(INCLUSION, sequence=sequence, size=size)
        assert proof.keys() == {"sequence", "size", "leaf_hash", "path"}
        assert base64.b64decode(proof["leaf_hash"]) == leaves[sequence - 1]
        assert includes(leaves[sequence - 1], sequence - 1, size, nodes(proof["path"]), root)
        before = verify(inside, inside.ward.get(CHECKPOINT, size=sequence)["signed_note"])
        step = inside.ward.get(CONSISTENCY, **{"from": sequence, "to": size})
        assert step.keys() == {"from", "to", "path"}
        if sequence < size:
            assert is_consistent(sequence, size, before[2], root, nodes(step["path"]))


def test_sizes_that_are_left_out_are_the_ledgers_own(inside: Inside) -> None:
    size = inside.ward.get(CHECKPOINT)["size"]

    assert inside.ward.get(INCLUSION, sequence=1) == inside.ward.get(INCLUSION, sequence=1, size=size)
    assert inside.ward.get(CONSISTENCY, **{"from": 2}) == inside.ward.get(CONSISTENCY, **{"from": 2, "to": size})
    assert inside.ward.get(CHECKPOINT, size=size)["root"] == inside.ward.get(CHECKPOINT)["root"]


NEVER: list[tuple[str, dict[str, Any], str]] = [
    (CHECKPOINT, {"size": 0}, "/query/size"),
    (CHECKPOINT, {"size": -1}, "/query/size"),
    (CHECKPOINT, {"size": 1000}, "/query/size"),
    (CHECKPOINT, {"size": 2**63}, "/query/size"),
    (CHECKPOINT, {"size": "all"}, "/query/size"),
    (INCLUSION, {}, "/query/sequence"),
    (INCLUSION, {"sequence": 0}, "/query/sequence"),
    (INCLUSION, {"sequence": 3, "size": 2}, "/query/sequence"),
    (INCLUSION, {"sequence": 1000}, "/query/sequence"),
    (INCLUSION, {"sequence": 1, "size": 0}, "/query/size"),
    (INCLUSION, {"sequence": 1, "size": 1000}, "/query/size"),
    (CONSISTENCY, {}, "/query/from"),
    (CONSISTENCY, {"from": 0}, "/query/from"),
    (CONSISTENCY, {"from": 3, "to": 2}, "/query/from"),
    (CONSISTENCY, {"from": 1000}, "/query/from"),
    (CONSISTENCY, {"from": 1, "to": 0}, "/query/to"),
    (CONSISTENCY, {"from": 1, "to": 1000}, "/query/to"),
    (CONSISTENCY, {"from": 2**200, "to": 2**201}, "/query/to"),
]


def test_a_size_that_the_ledger_never_had_is_refused_by_name(inside: Inside) -> None:
    for path, asked, pointer in NEVER:
        assert pointers(inside.ward.get(path, expect=422, **asked)) == {pointer}, (path, asked)


def test_another_organisations_ledger_has_its_own_checkpoint(inside: Inside) -> None:
    assert inside.other.get(CHECKPOINT)["origin"] == "forewarn/organisations/other"
    assert inside.other.get(CHECKPOINT)["size"] < inside.ward.get(CHECKPOINT)["size"]


def test_only_auditors_are_answered(inside: Inside) -> None:
    reader, auditor = inside.holding("near-misses:read"), inside.holding("audit:read")
    asking: list[tuple[str, dict[str, Any]]] = [
        (CHECKPOINT, {}),
        ("/v1/ledger/checkpoints", {}),
        (INCLUSION, {"sequence": 1}),
        (CONSISTENCY, {"from": 1}),
    ]

    for path, asked in asking:
        reader.get(path, expect=403, **asked)
        auditor.get(path, **asked)


# Keys


def test_keys_are_told_to_anybody_those_of_before_too(inside: Inside) -> None:
    (first,) = keys(inside)
    note = inside.ward.get(CHECKPOINT)["signed_note"]
    rotate(inside.house)

    retired, current = keys(inside)

    assert retired == {**first, "retired_at": retired["retired_at"]}
    assert (current["algorithm"], len(base64.b64decode(current["public_key"]))) == ("Ed25519", 32)
    assert inside.ward.get(CHECKPOINT)["key_id"] == current["key_id"]
    assert verify(inside, note)[0] == "forewarn/organisations/default"


# From time to time


def test_a_worker_signs_the_ledger_and_the_list_shows_it(database_url: str) -> None:
    with opened(database_url, checkpoint_every="PT1H") as inside:
        first = until(lambda: inside.ward.get("/v1/ledger/checkpoints")["items"])
        inside.ward.submit()
        inside.clock.advance(hours=2)
        found = until(lambda: recorded(inside.ward, 2))

        assert [one["sequence"] - 1 for one in found] == [one["size"] for one in found]
        assert found[1:] == first
        (event,) = [one for one in feed(inside.ward) if one["sequence"] == found[0]["sequence"]]
        assert (event["type"], event["subject"]) == ("forewarn.ledger.checkpointed.v1", "ledger/checkpoint")
        assert found[0] == {
            "origin": "forewarn/organisations/default",
            **event["data"],
            "sequence": event["sequence"],
            "recorded_at": event["time"],
        }
        assert inside.ward.get(CHECKPOINT, size=found[0]["size"])["signed_note"] == event["data"]["signed_note"]
        page = inside.ward.get("/v1/ledger/checkpoints", limit=1)
        assert page["items"] == found[:1]
        assert inside.ward.get("/v1/ledger/checkpoints", cursor=page["next_cursor"])["items"] == found[1:]


def recorded(ward: Ward, count: int) -> list[dict[str, Any]]:
    found = ward.get("/v1/ledger/checkpoints")["items"]
    return found if len(found) >= count else []


# What a witness kept


def test_an_organisation_whose_ledger_was_rewritten_gets_no_answer_and_the_other_does(
    database_url: str, tmp_path: Path
) -> None:
    kept = tmp_path / "witnessed.txt"
    with opened(database_url) as inside:
        inside.ward.submit()
        other = inside.other.headers
        notes = [one.get(CHECKPOINT)["signed_note"] for one in (inside.ward, inside.other)]
        kept.write_text("\n".join(notes), encoding="utf-8")
        tamper(inside.house, "UPDATE events SET actor = 'key/x' WHERE organisation = 'default'")
    house = House(Settings(database_url=database_url, master_key=MASTER_KEY, expected_checkpoints=kept), inside.clock)
    hold_back(house)

    with TestClient(create_app(house)) as client:
        ready = client.get("/readyz")
        withheld = Ward(client, bearer(API_KEY))
        problem = withheld.get("/v1/near-misses", expect=503)
        again = client.get("/v1/near-misses", headers=withheld.headers)
        withheld.post("/v1/near-misses", {}, expect=503)
        withheld.post("/v1/events", {}, expect=503)
        served = Ward(client, other)
        served.submit()
        served.get(CHECKPOINT)

    assert problem["type"] == "urn:forewarn:problem:unavailable"
    assert "not those that a witnessed checkpoint was signed for" in problem["detail"]
    assert again.headers["retry-after"] == "3600"
    assert ready.status_code == 503
    assert ready.json()["expected_checkpoints"].startswith("Not met: 1 of the organisations")
    assert "default" not in json.dumps(ready.json())


def test_where_every_ledger_is_as_expected_all_is_ready(database_url: str, tmp_path: Path) -> None:
    kept = tmp_path / "witnessed.txt"
    with opened(database_url) as inside:
        kept.write_text(inside.ward.get(CHECKPOINT)["signed_note"], encoding="utf-8")
    house = House(Settings(database_url=database_url, master_key=MASTER_KEY, expected_checkpoints=kept), inside.clock)
    hold_back(house)

    with TestClient(create_app(house)) as client:
        ready = client.get("/readyz")

    assert (ready.status_code, ready.json()["expected_checkpoints"]) == (200, "ok")
