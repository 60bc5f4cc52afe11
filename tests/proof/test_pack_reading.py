"""What a pack says is held against what it proves: its manifest, its checkpoint, its reports and its lists."""

import io
import json
import tracemalloc
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.events.canonical import canonical
from app.proof.verdict import Problem
from tests.proof import stranger
from tests.proof.packs import (
    OURS,
    THEIRS,
    Recipe,
    a_ledger,
    encoded,
    judged,
    of_service,
    packed_anew,
    resealed,
    unpacked,
)


@cache
def a_pack() -> bytes:
    return Recipe(holds=of_service("ash-court"), services=("ash-court",), previous=7).written()


def problem_of(changed: Mapping[str, bytes], folder: Path) -> Problem:
    """What is said of the pack with other members in their place."""
    problem = judged(packed_anew({**unpacked(a_pack()), **changed}), folder).problem
    assert problem is not None
    return problem


def test_a_review_that_was_suppressed_before_sealing_is_told_as_an_exception(tmp_path: Path) -> None:
    suppressed = resealed(one for one in a_ledger() if one.kind not in ("escalation", "review", "action"))

    verdict = judged(Recipe(suppressed).written(), tmp_path, trusted=[OURS.public])

    assert verdict.ok
    crossings = verdict.facts["validations"][0]
    assert crossings["confirmed"] is False
    assert {one["reason"] for one in crossings["exceptions"]} == {"review_missing"}


def test_an_assurance_that_hides_a_suppressed_review_is_found(tmp_path: Path) -> None:
    honest = Recipe().parts()
    recipe = Recipe(resealed(one for one in a_ledger() if one.kind not in ("escalation", "review", "action")))
    hiding = recipe.parts()
    hiding.members["assurance.json"] = honest.members["assurance.json"]

    verdict = judged(hiding.written(), tmp_path)

    assert verdict.problem is not None
    assert (verdict.problem.code, verdict.problem.member) == ("assurance", "assurance.json")


def test_a_report_by_the_rules_of_another_release_is_left_undecided(tmp_path: Path) -> None:
    kept = Recipe().parts()
    document = json.loads(kept.members["assurance.json"])
    kept.members["assurance.json"] = canonical({**document, "rules": 7, "validations": []}).encode()

    verdict = judged(kept.written(), tmp_path)

    assert verdict.ok
    assert verdict.facts["rules"] == {"report": 7, "verifier": 1}
    assert len(verdict.facts["validations"]) == 3


def test_a_history_that_was_sealed_anew_is_found_by_whoever_kept_a_checkpoint(tmp_path: Path) -> None:
    rewritten = Recipe(resealed(one for one in a_ledger() if one.kind != "review"))

    verdict = judged(rewritten.written(), tmp_path, checkpoints=[Recipe().note(20)])

    assert verdict.problem is not None
    assert verdict.problem.code == "rewritten"


def test_records_that_the_events_do_not_tell_of_are_found(tmp_path: Path) -> None:
    for name in ("near_misses.jsonl", "escalations.jsonl", "reviews.jsonl", "actions.jsonl", "near_misses.csv"):
        more, fewer = Recipe().parts(), Recipe().parts()
        more.members[name] += b'{"id":"nm_x"}\n' if name.endswith("jsonl") else b"nm_x\r\n"
        fewer.members[name] = b"".join(fewer.members[name].splitlines(keepends=True)[:-1])

        for parts in (more, fewer):
            problem = judged(parts.written(), tmp_path).problem

            assert problem is not None
            assert (problem.code, problem.member) == ("listed", name)


def test_a_pack_that_another_program_packed_is_intact_and_said_to_be_packed_anew(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        verdict = judged(packed_anew(unpacked(a_pack()), method), tmp_path, trusted=[OURS.public])

        assert verdict.ok
        assert verdict.facts["packing"] == "packed anew"


def test_any_program_opens_a_pack() -> None:
    with zipfile.ZipFile(io.BytesIO(a_pack())) as zipped:
        assert zipped.testzip() is None
        assert zipped.namelist()[:2] == ["manifest.json", "manifest.sig"]
        assert zipped.namelist()[2:] == sorted(zipped.namelist()[2:])


def test_a_flipped_bit_on_which_nothing_hangs_is_found_too(tmp_path: Path) -> None:
    data = a_pack()
    record = data.index(b"PK\1\2")
    for places in ([record + 4], [record + 36], [record + 38], [10, record + 12], [12, record + 14]):
        altered = bytearray(data)
        for place in places:
            altered[place] ^= 1

        problem = judged(bytes(altered), tmp_path).problem

        assert problem is not None
        assert problem.code == "form"
        assert "Every member is as signed" in problem.detail


def test_a_checkpoint_that_is_not_the_manifests_is_found_whoever_signed_the_manifest(tmp_path: Path) -> None:
    recipe = Recipe()
    for change in (
        {"root": encoded(bytes(32))},
        {"size": 3},
        {"origin": "forewarn/organisations/other"},
        {"key_id": "0" * 32},
        {"signed_note": recipe.note(len(recipe.ledger), THEIRS)},
        {"signed_note": recipe.note(3)},
        {"signed_note": ""},
    ):
        parts = recipe.parts()
        parts.fields["checkpoint"] |= change

        problem = judged(parts.written(), tmp_path).problem

        assert problem is not None
        assert (problem.code, problem.member) == ("checkpoint", "manifest.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, "other"),
        ({"format_version": 2}, "version 2"),
        ({"format_version": "1"}, "version '1'"),
        ({"as_of_sequence": -1}, "as_of_sequence"),
        ({"as_of_sequence": 10**30}, "`as_of_sequence` of the manifest is not in the form"),
        ({"made_at": "yesterday"}, "made_at"),
        ({"made_at": "1970-01-01T00:00:00.000000Z"}, "year"),
        ({"period": {"from": "x", "to": "y"}}, "from"),
        ({"members": []}, "lists no"),
        ({"key": {"key_id": "x", "algorithm": "Ed25519", "public_key": "AA=="}}, "32 bytes"),
        ({"organisation": 7}, "organisation"),
    ],
)
def test_a_manifest_that_is_none_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    manifest = json.loads(unpacked(a_pack())["manifest.json"])
    try:
        text = canonical({**manifest, **change})
    except ValueError:
        text = json.dumps({**manifest, **change})
    problem = problem_of({"manifest.json": text.encode()}, tmp_path)

    assert problem.member == "manifest.json"
    assert said in problem.detail


@pytest.mark.parametrize("name", ["../x", "/x", "a\\b", "manifest.json", "index.html"])
def test_a_signed_manifest_that_lists_what_it_must_not_is_refused(name: str, tmp_path: Path) -> None:
    manifest = json.loads(unpacked(a_pack())["manifest.json"])
    manifest["members"] = sorted(
        [*manifest["members"], {**manifest["members"][0], "name": name}], key=lambda m: m["name"]
    )
    data = canonical(manifest).encode()
    told = {**json.loads(unpacked(a_pack())["manifest.sig"]), "signature": encoded(OURS.sign(data))}

    problem = problem_of({"manifest.json": data, "manifest.sig": canonical(told).encode()}, tmp_path)

    assert problem.code in ("name", "manifest")


def test_a_pack_that_says_it_was_made_before_its_own_last_event_is_refused(tmp_path: Path) -> None:
    recorded = [one.recorded_at for one in a_ledger()]
    for made_at in (recorded[-1], recorded[-1] - 1, recorded[0]):
        data = Recipe(made_at=made_at).written()
        later = next((n for n, at in enumerate(recorded, start=1) if at > made_at), None)

        verdict = judged(data, tmp_path, trusted=[OURS.public])

        assert stranger.is_intact(data) is verdict.ok is (later is None)
        if verdict.problem is not None:
            problem = verdict.problem
            assert (problem.code, problem.member, problem.sequence) == ("made-at", "manifest.json", later)


def test_a_list_of_more_records_than_there_are_is_left_where_it_is_known(tmp_path: Path) -> None:
    parts = Recipe().parts()
    honest = parts.members["reviews.jsonl"]
    parts.members["reviews.jsonl"] = honest + b"".join(b'{"id":"%d"}\n' % n for n in range(200_000))
    tracemalloc.start()

    problem = judged(parts.written(), tmp_path).problem
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert problem is not None
    assert (problem.code, problem.member, problem.line) == ("listed", "reviews.jsonl", honest.count(b"\n") + 1)
    parts.members["reviews.jsonl"] = honest * 3
    doubled = judged(parts.written(), tmp_path).problem
    assert doubled is not None
    assert "more" in doubled.detail
    assert peak < 6_000_000, peak


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one["members"][1].update(sha256="x" * 64), "`members[1].sha256` of the manifest is not in the"),
        (lambda one: one.pop("pack_id"), "The manifest lacks `pack_id`."),
        (lambda one: one["period"].pop("to"), "`period` of the manifest lacks `to`."),
    ],
)
def test_what_is_wrong_with_a_manifest_is_said_in_words(change: Any, said: str, tmp_path: Path) -> None:
    manifest = json.loads(unpacked(a_pack())["manifest.json"])
    change(manifest)

    detail = problem_of({"manifest.json": canonical(manifest).encode()}, tmp_path).detail

    assert said in detail
    assert "regex" not in detail
    assert "$" not in detail
