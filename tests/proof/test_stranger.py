"""What docs/evidence.md says is enough to write another verifier, and that one and ours say the same."""

import json
import random
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.proof import stranger
from tests.proof.packs import OURS, THEIRS, Recipe, flipped, judged, of_service, releafed
from tests.rounds import rounds

PAGE = (Path(__file__).parents[2] / "docs/evidence.md").read_text(encoding="utf-8")
MADE = [
    Recipe(),
    Recipe(holds=of_service("ash-court"), services=("ash-court",), previous=7),
    Recipe(holds=lambda one: one.kind == "organisation", previous=16),
    Recipe(holds=lambda _: False),
]


@pytest.mark.parametrize("recipe", MADE)
def test_a_stranger_finds_what_was_not_touched_intact(recipe: Recipe, tmp_path: Path) -> None:
    data = recipe.written()

    assert stranger.is_intact(data)
    assert stranger.is_intact(data, [OURS.public])
    assert not stranger.is_intact(data, [THEIRS.public])
    assert judged(data, tmp_path).ok


def test_a_stranger_finds_every_flipped_bit_that_we_find(tmp_path: Path) -> None:
    chance = random.Random(7)
    data = Recipe(holds=of_service("ash-court")).written()

    for _ in range(20 * rounds(100)):
        altered = flipped(data, chance)

        assert not stranger.is_intact(altered)
        assert not judged(altered, tmp_path).ok


def test_a_stranger_finds_an_event_that_was_edited_and_signed_without_the_ledgers_root(tmp_path: Path) -> None:
    parts = Recipe().parts()
    lines = parts.members["ledger.jsonl"].split(b"\n")
    lines[5] = releafed(lines[5], lambda event: event.update(actor="key/nobody"))
    parts.members["ledger.jsonl"] = b"\n".join(lines)
    data = parts.written()

    assert not stranger.is_intact(data)
    assert not judged(data, tmp_path).ok


def test_the_worked_example_of_the_page_holds() -> None:
    one, three = (line for line in PAGE.split("\n") if line.startswith('{"actor"'))
    cells = dict(re.findall(r"^\| (leaf \d|node|root) \|.*\| `([0-9a-f]{64})` \|$", PAGE, re.MULTILINE))
    leaves = [sha256(b"\0" + line.encode()).digest() for line in (one, three)]
    node = sha256(b"\1" + leaves[0] + bytes.fromhex(cells["leaf 2"])).digest()
    root = sha256(b"\1" + node + leaves[1]).digest()
    key = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
    public = key.public_key().public_bytes_raw()
    (proofs,) = (json.loads(line) for line in PAGE.split("\n") if line.startswith('{"omitted"'))
    (note,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    text, _, line = note.partition("\n\n")
    signature = bytes.fromhex("dc76a83a") + key.sign(text.encode() + b"\n")

    assert [leaf.hex() for leaf in leaves] == [cells["leaf 1"], cells["leaf 3"]]
    assert (node.hex(), root.hex()) == (cells["node"], cells["root"])
    assert proofs["root"] == b64encode(root).decode()
    assert proofs["omitted"][0]["nodes"] == [b64encode(bytes.fromhex(cells["leaf 2"])).decode()]
    assert b64encode(public).decode() in PAGE
    assert sha256(public).hexdigest()[:32] in PAGE
    assert line == f"— forewarn/organisations/default {b64encode(signature).decode()}\n"
