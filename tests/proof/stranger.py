"""A second verifier of packs, written from docs/evidence.md alone: the zip, the signatures, the members, the tree.

It uses nothing of forewarn and holds a pack in memory. Assurance and lists (checks 8 and 9) are not its business.
"""

import json
import re
import struct
import zlib
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ATTRIBUTES = {"actor", "correlationid", "data", "id", "leafhash", "occurredat", "sequence", "source", "specversion"}
ATTRIBUTES |= {"streamversion", "subject", "time", "type"}


class Refused(Exception):
    pass


def must(holds: object, why: str) -> None:
    if not holds:
        raise Refused(why)


def canonical(value: Any) -> bytes:
    """Enough of RFC 8785 for what a pack holds: its keys are ASCII or below the surrogates, its floats are short."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def read_canonical(data: bytes) -> Any:
    value = json.loads(data)
    must(canonical(value) == data, "not canonical")
    return value


def base64(text: str, size: int) -> bytes:
    data = b64decode(text, validate=True)
    must(len(data) == size and b64encode(data).decode() == text, "not the one base64 of that many bytes")
    return data


def read_zip(data: bytes, made_at: str | None = None) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Members and packed bytes by name, out of a file that is exactly as the page says."""
    end = len(data) - 22
    count, size, start = struct.unpack("<4sHHHHIIH", data[end:])[4:7]
    at, members, packed, directory = 0, dict[str, bytes](), dict[str, bytes](), b""
    for _ in range(count):
        magic, *shared, length, extra = struct.unpack("<4s5H3I2H", data[at : at + 30])
        name = data[at + 30 : at + 30 + length].decode("ascii")
        version, flags, method, time, date, crc, packed_size, unpacked = shared
        must((magic, version, flags, extra) == (b"PK\3\4", 20, 0, 0) and name not in members, "header")
        must(method == (0 if name in ("manifest.json", "manifest.sig") else 8), "method")
        begin = at + 30 + length
        packed[name] = data[begin : begin + packed_size]
        inflater = zlib.decompressobj(-15)
        members[name] = inflater.decompress(packed[name], unpacked + 1) if method else packed[name]
        must(method == 0 or (inflater.eof and not inflater.unused_data), "deflate")
        must(len(members[name]) == unpacked and zlib.crc32(members[name]) == crc, "checksum")
        numbers = (0x0314, 20, 0, *shared[2:], length, 0, 0, 0, 0, 0x81A40000, at)
        directory += struct.pack("<4s6H3I5H2I", b"PK\1\2", *numbers) + name.encode()
        if "manifest.json" in members:
            made = [int(part) for part in re.findall(r"\d+", json.loads(members["manifest.json"])["made_at"])[:6]]
            must(date == (made[0] - 1980) << 9 | made[1] << 5 | made[2], "date")
            must(time == made[3] << 11 | made[4] << 5 | made[5] // 2, "time")
        at = begin + packed_size
    ending = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), at, 0)
    must((start, size) == (at, len(directory)) and data[at:] == directory + ending, "directory")
    return members, packed


def check_manifest(members: dict[str, bytes], packed: dict[str, bytes], trusted: list[bytes]) -> Any:
    manifest = read_canonical(members["manifest.json"])
    must((manifest["format"], manifest["format_version"]) == ("forewarn-evidence-pack", 1), "format")
    key = base64(manifest["key"]["public_key"], 32)
    must(manifest["key"]["key_id"] == sha256(key).hexdigest()[:32] and (not trusted or key in trusted), "key")
    told = read_canonical(members["manifest.sig"])
    must((told.keys(), told["key_id"]) == ({"algorithm", "key_id", "signature"}, manifest["key"]["key_id"]), "key id")
    public = Ed25519PublicKey.from_public_bytes(key)
    public.verify(base64(told["signature"], 64), members["manifest.json"])
    must(list(members) == ["manifest.json", "manifest.sig", *(one["name"] for one in manifest["members"])], "members")
    for one in manifest["members"]:
        data, raw = members[one["name"]], packed[one["name"]]
        must((one["size"], one["sha256"]) == (len(data), sha256(data).hexdigest()), one["name"])
        must((one["packed_size"], one["packed_sha256"]) == (len(raw), sha256(raw).hexdigest()), one["name"])
    point = manifest["checkpoint"]
    must(point["size"] == manifest["as_of_sequence"], "size")
    text, _, line = point["signed_note"].partition("\n\n")
    must(text == f"{point['origin']}\n{point['size']}\n{point['root']}", "note")
    must(point["origin"].endswith("/organisations/" + quote(manifest["organisation"], safe="")), "origin")
    signed = b64decode(line.removeprefix(f"— {point['origin']} ").removesuffix("\n"), validate=True)
    must(signed[:4] == sha256(point["origin"].encode() + b"\n\x01" + key).digest()[:4], "key hash")
    public.verify(signed[4:], text.encode() + b"\n")
    return manifest


class Tree:
    """Hashes of complete subtrees from left to right."""

    def __init__(self) -> None:
        self.size, self.peaks = 0, list[tuple[int, bytes]]()

    def add(self, level: int, node: bytes) -> None:
        self.size += 1 << level
        while self.peaks and self.peaks[-1][0] == level:
            node, level = sha256(b"\1" + self.peaks.pop()[1] + node).digest(), level + 1
        self.peaks.append((level, node))

    def root(self) -> bytes:
        root = self.peaks[-1][1]
        for _, peak in reversed(self.peaks[:-1]):
            root = sha256(b"\1" + peak + root).digest()
        return root


def check_events(members: dict[str, bytes], manifest: Any) -> int:
    proofs = read_canonical(members["proofs.json"])
    must((proofs["size"], proofs["root"]) == tuple(manifest["checkpoint"][name] for name in ("size", "root")), "proofs")
    tree, runs, versions, ids, before = Tree(), list(proofs["omitted"]), dict[str, int](), set[str](), ""

    def pass_over(sequence: int) -> None:
        if tree.size + 1 < sequence:
            run = runs.pop(0)
            must((run["from"], run["to"]) == (tree.size + 1, sequence - 1), "run")
            for node in run["nodes"]:
                level = 0
                while tree.size % (2 << level) == 0 and tree.size + (2 << level) <= run["to"]:
                    level += 1
                tree.add(level, base64(node, 32))
            must(tree.size == run["to"], "nodes")

    lines = members["ledger.jsonl"].split(b"\n")
    must(lines.pop() == b"", "last line")
    for line in lines:
        event = read_canonical(line)
        must(event.keys() - {"causationid"} == ATTRIBUTES and event["specversion"] == "1.0", "attributes")
        must(event["source"] == "/organisations/" + manifest["organisation"] and event["sequence"] > tree.size, "place")
        pass_over(event["sequence"])
        leaf = sha256(b"\0" + canonical({name: event[name] for name in event.keys() - {"leafhash"}})).digest()
        must(event["leafhash"] == leaf.hex(), "leaf")
        tree.add(0, leaf)
        must(event["time"] >= before and event["id"] not in ids, "time or id")
        before = event["time"]
        ids.add(event["id"])
        versions[event["subject"]] = versions.get(event["subject"], 0) + 1
        must(event["streamversion"] == versions[event["subject"]], "stream")
    must(before <= manifest["made_at"], "made before its last event")
    pass_over(manifest["as_of_sequence"] + 1)
    must(not runs and tree.root() == base64(proofs["root"], 32), "root")
    return len(lines)


def is_intact(data: bytes, trusted: list[bytes] | None = None) -> bool:
    """Whether checks 1 to 7 hold."""
    try:
        members, packed = read_zip(data)
        manifest = check_manifest(members, packed, trusted or [])
        check_events(members, manifest)
    except (Refused, InvalidSignature, ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error):
        return False
    except (zlib.error, RecursionError, StopIteration):
        return False
    return True
