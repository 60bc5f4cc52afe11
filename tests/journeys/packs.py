"""Evidence packs as an auditor has them: asked for, waited for, opened, checked."""

import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.api.pack_pictures import PICTURES
from app.domain.evidence_pack import UNASKED, evolve
from app.operations.house import House
from app.operations.pack_building import build
from app.operations.pack_case import Case
from app.operations.packer import Packer
from app.proof.pack_reading import verify
from app.proof.verdict import Verdict
from tests.journeys.inside import Inside
from tests.journeys.ward import Ward

PATH = "/v1/evidence-packs"
PERIOD = {"from": "2026-02-20", "to": "2026-03-20"}


@dataclass(frozen=True)
class Downloaded:
    """A pack that was built, as it came over the wire."""

    document: dict[str, Any]
    data: bytes

    def member(self, name: str) -> str:
        with zipfile.ZipFile(io.BytesIO(self.data)) as opened:
            return opened.read(name).decode()

    @property
    def members(self) -> dict[str, str]:
        """Every member's text."""
        with zipfile.ZipFile(io.BytesIO(self.data)) as opened:
            return {name: opened.read(name).decode() for name in opened.namelist()}

    def verdict(self, folder: Path, previous: "Downloaded | None" = None) -> Verdict:
        """What `forewarn verify` says."""
        return verify(self.file(folder), previous=None if previous is None else previous.file(folder))

    def file(self, folder: Path) -> Path:
        file = folder / f"{self.document['id']}.zip"
        file.write_bytes(self.data)
        return file


def asked(ward: Ward, **said: Any) -> dict[str, Any]:
    """A pack that was asked for."""
    return ward.post(PATH, {**PERIOD, **said}, expect=202)


def packed(inside: Inside, ward: Ward | None = None, **said: Any) -> Downloaded:
    """A pack that was asked for and built."""
    ward = ward or inside.ward
    pack_id = asked(ward, **said)["id"]
    built(inside.house, pack_id)
    document = ward.get(f"{PATH}/{pack_id}")
    assert document["status"] == "ready", document
    response = inside.client.get(f"{PATH}/{pack_id}/download", headers=ward.headers)
    assert response.status_code == 200, response.text
    return Downloaded(document, response.content)


def built(house: House, pack_id: str) -> None:
    """Somebody has built it: this one, or the worker, which was first."""
    packer = Packer(house, PICTURES)
    while pending(house, pack_id):
        packer.once(pack_id)


def pending(house: House, pack_id: str) -> bool:
    with house.reader("default") as reader:
        stream = f"evidence_pack/{pack_id}"
        state = UNASKED
        for one in reader.told([stream])[stream]:
            state = evolve(state, one.event)
    return state.status == "pending"


def built_again(house: House, pack_id: str) -> bytes:
    """The bytes that whoever builds the same pack once more gets."""
    with house.reader("default") as reader:
        stream = f"evidence_pack/{pack_id}"
        requested = reader.told([stream])[stream][0].event
    with tempfile.TemporaryFile() as file:
        build(Case(house, "default", pack_id, requested, lambda _what, _done, _of: None), file, PICTURES)
        file.seek(0)
        return file.read()
