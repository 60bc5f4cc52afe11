"""Files that were made to do harm, or that are no packs: refused in a sentence, in little memory, unpacked nowhere."""

import io
import random
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.proof.pack_layout import Entry, directory, dos_time, local_header
from app.proof.verdict import Problem
from tests.proof.packs import Recipe, judged, packed_anew, unpacked
from tests.service import ROOT

NOON = dos_time("2026-03-05T12:00:00.000000Z")


@cache
def members() -> dict[str, bytes]:
    return unpacked(Recipe().written())


def refused(data: bytes, folder: Path) -> Problem:
    """What is said of a file; nothing beside it was written."""
    problem = judged(data, folder).problem
    assert problem is not None
    assert [path.name for path in folder.iterdir()] == ["pack.zip"]
    assert problem.detail.endswith(".")
    return problem


def by_hand(*entries: tuple[str, bytes], declared: dict[str, Any] | None = None) -> bytes:
    """A zip of stored entries whose headers say what is `declared` of the last one."""
    laid, data = list[Entry](), b""
    for n, (name, content) in enumerate(entries):
        said = declared if declared and n == len(entries) - 1 else {}
        fields = {"method": 0, "crc": zlib.crc32(content), "packed": len(content), "size": len(content), **said}
        laid.append(Entry(name, offset=len(data), **fields))
        data += local_header(laid[-1], NOON) + content
    *_, end = directory([*laid[:-1], replace(laid[-1], packed=len(entries[-1][1]))], NOON)
    records = directory(laid, NOON)
    return data + b"".join(next(records) for _ in laid) + end


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "no-zip"),
        (b"PK", "no-zip"),
        (b"%PDF-1.7\n" * 100, "no-zip"),
        (b"\0" * 70_000, "no-zip"),
        (packed_anew({}), "empty"),
        (packed_anew({"letter.txt": b"Dear inspector"}), "no-pack"),
    ],
)
def test_what_is_no_pack_is_called_so(data: bytes, code: str, tmp_path: Path) -> None:
    problem = refused(data, tmp_path)

    assert (problem.code, problem.is_unusable) == (code, True)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "C:/windows/x",
        "a\\b",
        "a//b",
        "./a",
        "a/",
        "nul.json",
        ".hidden",
        "a b",
        "x" * 201,
    ],
)
def test_a_name_that_leads_out_of_the_folder_or_is_not_safe_everywhere_is_refused(name: str, tmp_path: Path) -> None:
    problem = refused(by_hand(*members().items(), (name, b"x")), tmp_path)

    assert (problem.code, problem.is_unusable) == ("name", True)


def test_a_name_that_is_there_twice_is_refused_also_when_only_its_case_differs(tmp_path: Path) -> None:
    for name in ("ledger.jsonl", "Ledger.jsonl"):
        assert refused(by_hand(*members().items(), (name, b"x")), tmp_path).code == "twice"


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ({"method": 8, "size": 1 << 31}, "bomb"),
        ({"method": 8, "size": (1 << 32) - 2}, "bomb"),
        ({"method": 8, "size": (1 << 32) - 1}, "zip64"),
        ({"size": 7}, "header"),
        ({"method": 99}, "method"),
        ({"packed": 100}, "layout"),
        ({"packed": (1 << 32) - 1}, "layout"),
    ],
)
def test_sizes_and_methods_that_no_member_has_are_refused(declared: dict[str, Any], code: str, tmp_path: Path) -> None:
    assert refused(by_hand(*members().items(), ("more.bin", b"0123456789"), declared=declared), tmp_path).code == code


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    bomb = packed_anew({**members(), "index.html": b"\0" * (64 << 20)})

    before = time.monotonic()
    problem = refused(bomb, tmp_path)

    assert problem.code == "bomb"
    assert time.monotonic() - before < 0.5


def test_a_member_that_unpacks_to_more_than_it_says_is_stopped_there(tmp_path: Path) -> None:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    packed = packer.compress(b"\0" * (128 << 20)) + packer.flush()
    entries = {**members(), "index.html": packed}
    laid, data = list[Entry](), b""
    for name, content in entries.items():
        is_bomb = name == "index.html"
        size = 30 if is_bomb else len(content)
        laid.append(Entry(name, 8 if is_bomb else 0, zlib.crc32(content), len(content), size, len(data)))
        data += local_header(laid[-1], NOON) + content

    before = time.monotonic()
    problem = refused(data + b"".join(directory(laid, NOON)), tmp_path)

    assert (problem.code, problem.member) == ("changed", "index.html")
    assert time.monotonic() - before < 0.5


def test_a_link_an_encrypted_entry_and_a_folder_are_refused(tmp_path: Path) -> None:
    def with_info(change: Callable[[zipfile.ZipInfo], None], content: bytes = b"/etc/passwd") -> bytes:
        file = io.BytesIO()
        info = zipfile.ZipInfo("more.json")
        info.create_system = 3
        change(info)
        with zipfile.ZipFile(file, "w") as zipped:
            for name, data in members().items():
                zipped.writestr(name, data)
            zipped.writestr(info, content)
        return file.getvalue()

    def link(info: zipfile.ZipInfo) -> None:
        info.external_attr = 0o120777 << 16

    def folder(info: zipfile.ZipInfo) -> None:
        info.external_attr = 0o040755 << 16 | 0x10

    plain = with_info(lambda info: None)
    at, record = plain.rfind(b"PK\3\4"), plain.rfind(b"PK\1\2")
    encrypted = bytearray(plain)
    encrypted[at + 6] |= 1
    encrypted[record + 8] |= 1

    assert refused(with_info(link), tmp_path).code == "link"
    assert refused(with_info(folder, b""), tmp_path).code == "no-file"
    assert refused(bytes(encrypted), tmp_path).code == "encrypted"


def test_bytes_before_behind_or_between_the_entries_are_refused(tmp_path: Path) -> None:
    data = packed_anew(members())
    first = 30 + len("manifest.json")

    assert refused(b"#!/bin/sh\n" + data, tmp_path).code == "end-record"
    assert refused(data + b"more", tmp_path).code == "trailing"
    overlapping = bytearray(by_hand(*members().items(), ("more.bin", b"x")))
    record = overlapping.rfind(b"PK\1\2")
    overlapping[record + 42 : record + 46] = struct.pack("<I", first)
    assert refused(bytes(overlapping), tmp_path).code == "layout"


def test_headers_that_say_something_else_than_the_directory_are_refused(tmp_path: Path) -> None:
    data = packed_anew(members())
    at = data.index(b"PK\3\4", 4)
    for offset in (4, 6, 8, 10, 12, 14, 18, 22, 30):
        altered = bytearray(data)
        altered[at + offset] ^= 0x20

        problem = refused(bytes(altered), tmp_path)

        assert (problem.code, problem.member) == ("header", "manifest.sig")


def test_a_zip_of_too_many_entries_or_of_64_bits_is_refused(tmp_path: Path) -> None:
    many = by_hand(*((f"m{n}", b"") for n in range(10_003)))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped, zipped.open("manifest.json", "w", force_zip64=True) as member:
        member.write(b"{}")

    assert refused(many, tmp_path).code == "too-many"
    assert refused(file.getvalue(), tmp_path).code in ("extra", "header")


def test_what_nests_too_deeply_is_refused(tmp_path: Path) -> None:
    deep = b"[" * 200_000
    deep_manifest = members()["manifest.json"].replace(
        b'"made_at"', b'"a":' + b"[" * 5000 + b"]" * 5000 + b',"made_at"'
    )

    for altered in ({"manifest.json": deep}, {"manifest.json": deep_manifest}, {"manifest.sig": b"[" * 1000}):
        assert refused(packed_anew({**members(), **altered}), tmp_path).member in ("manifest.json", "manifest.sig")
    for name in ("ledger.jsonl", "assurance.json", "proofs.json", "reviews.jsonl"):
        parts = Recipe().parts()
        parts.members[name] = deep + b"\n"
        assert refused(parts.written(), tmp_path).member == name


def test_a_line_without_an_end_is_refused_in_little_memory(tmp_path: Path) -> None:
    parts = Recipe().parts()
    parts.members["ledger.jsonl"] = long_text(17 << 20)

    problem = refused(parts.written(), tmp_path)

    assert (problem.code, problem.member, problem.line) == ("line", "ledger.jsonl", 1)


def long_text(size: int) -> bytes:
    """Quick to pack, and yet nothing that repeats itself so much that it must be a bomb."""
    chance = random.Random(1)
    return b"".join([chance.randbytes(4).hex().encode() + b"0" * 248 for _ in range(size >> 8)])


def test_nothing_of_a_file_goes_to_a_terminal_as_it_is(tmp_path: Path) -> None:
    problem = refused(by_hand(*members().items(), ("a\x1b[2Jb", b"x")), tmp_path)

    assert "\x1b" not in problem.detail + str(problem.member)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read where Linux tells it")
def test_memory_stays_small_whatever_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    parts = Recipe().parts()
    parts.members["index.html"] = long_text(48 << 20)
    path.write_bytes(parts.written())
    program = (
        "import sys; from pathlib import Path; from app.proof.pack_reading import verify; import numpy;"
        "peak = lambda: int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]);"
        "before = peak(); verdict = verify(Path(sys.argv[1])); assert verdict.ok, verdict; print(peak() - before)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert int(done.stdout) < 12 << 10  # KiB
