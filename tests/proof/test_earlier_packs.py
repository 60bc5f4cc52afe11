"""A pack against what was seen of its ledger before: the pack it names, one that is given, checkpoints."""

from pathlib import Path
from typing import Any

from app.events.canonical import canonical
from app.events.envelope import Envelope
from app.proof.note import key_id_of
from app.proof.pack_reading import verify
from app.proof.verdict import Verdict
from tests.proof.packs import OURS, THEIRS, Recipe, a_ledger, encoded, judged, of_service, resealed

SIZE = 16


def former(folder: Path, recipe: Recipe | None = None) -> Path:
    """The pack before, on disk."""
    path = folder / "former.zip"
    path.write_bytes((recipe or Recipe(a_ledger()[:SIZE])).written())
    return path


def code_of(verdict: Verdict) -> str | None:
    return verdict.problem and verdict.problem.code


def test_a_ledger_that_begins_with_the_former_packs_is_said_to(tmp_path: Path) -> None:
    for recipe in (Recipe(previous=SIZE), Recipe(), Recipe(holds=of_service("ash-court"), previous=SIZE)):
        verdict = judged(recipe.written(), tmp_path, previous=former(tmp_path))

        (fact,) = verdict.facts["earlier"]
        assert (fact["pack_id"], fact["size"], fact["held"]) == ("pack-1", SIZE, True)


def test_a_ledger_that_was_rewritten_since_the_former_pack_is_found(tmp_path: Path) -> None:
    rewritten = Recipe(resealed(one for one in a_ledger() if one.kind != "review"))

    for recipe in (rewritten, rewritten.but(previous=SIZE)):
        assert code_of(judged(recipe.written(), tmp_path, previous=former(tmp_path))) == "rewritten"


def test_a_claim_about_the_former_pack_must_be_proven(tmp_path: Path) -> None:
    false_root, no_proof, no_claim = (Recipe(previous=SIZE).parts() for _ in range(3))
    false_root.fields["previous"]["root"] = encoded(bytes(32))
    no_proof.members["proofs.json"] = Recipe().parts().members["proofs.json"]
    del no_claim.fields["previous"]

    for parts in (false_root, no_proof, no_claim):
        assert code_of(judged(parts.written(), tmp_path)) == "consistency"


def test_a_checkpoint_that_holds_is_told_and_one_that_does_not_is_found(tmp_path: Path) -> None:
    recipe = Recipe()
    rewritten = Recipe(resealed(one for one in a_ledger() if one.kind != "review"))
    data = recipe.written()

    for size in range(1, len(a_ledger()) + 1):
        verdict = judged(data, tmp_path, checkpoints=[recipe.note(size)])
        assert [fact["held"] for fact in verdict.facts["earlier"]] == [True]
    found = judged(data, tmp_path, checkpoints=[recipe.note(3), rewritten.note(SIZE)])

    assert code_of(found) == "rewritten"


def test_what_cannot_be_decided_is_said_and_is_not_taken_for_well(tmp_path: Path) -> None:
    hidden = Recipe(holds=lambda one: one.kind == "action")
    later = Recipe(a_ledger()[:SIZE])

    within = judged(hidden.written(), tmp_path, checkpoints=[hidden.note(5)])
    beyond = judged(later.written(), tmp_path, checkpoints=[Recipe().note(20)])

    assert "leaves out" in _why(within)
    assert "later one" in _why(beyond)


def _why(verdict: Verdict) -> str:
    (fact,) = verdict.facts["earlier"]
    assert verdict.ok
    assert fact["held"] is None
    return fact["why"]


def test_what_is_given_must_be_evidence_itself(tmp_path: Path) -> None:
    data = Recipe().written()
    broken = former(tmp_path)
    broken.write_bytes(broken.read_bytes()[:-9])
    for given in (
        {"checkpoints": ["no note"]},
        {"checkpoints": [Recipe().note(5, THEIRS)]},
        {"previous": tmp_path / "nothing.zip"},
        {"previous": broken},
    ):
        verdict = judged(data, tmp_path, **given)

        assert verdict.problem is not None
        assert verdict.problem.is_unusable, given


def test_a_checkpoint_in_the_ledger_tells_the_stretch_in_which_something_was_changed(tmp_path: Path) -> None:
    recipe = Recipe(with_checkpoint(a_ledger(), SIZE))
    assert judged(recipe.written(), tmp_path).ok

    for changed, stretch in ((3, (1, SIZE)), (20, (SIZE + 1, len(recipe.ledger)))):
        forged = [one._replace(actor="key/nobody") if one.sequence == changed else one for one in recipe.ledger]
        parts = recipe.parts()
        parts.members["ledger.jsonl"] = Recipe(resealed(forged)).parts().members["ledger.jsonl"]
        problem = judged(parts.written(), tmp_path).problem

        assert problem is not None
        assert (problem.code, problem.sequence, problem.until) == ("root", *stretch)


def with_checkpoint(ledger: tuple[Envelope, ...], size: int) -> list[Envelope]:
    """The ledger as if its checkpoint had been written right after so many events."""
    said: dict[str, Any] = {"size": size, "key_id": key_id_of(OURS.public), "signed_note": Recipe(ledger).note(size)}
    said["root"] = said["signed_note"].split("\n")[2]
    told = ledger[size - 1]._replace(
        event_id="00000000-0000-5000-8000-000000000000",
        stream="ledger/checkpoint",
        type="ledger.checkpointed",
        payload=canonical(said),
    )
    return resealed([*ledger[:size], told, *ledger[size:]])


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.zip"):
        verdict = verify(path)

        assert verdict.problem is not None
        assert verdict.problem.code == "unreadable"
