"""Evidence packs without HTTP: asked for, and taken by somebody who builds."""

from typing import Any

from app.clock import system_clock
from app.events.store import Cause
from app.operations import evidence_packs as packs
from app.operations.desk import Desk
from app.operations.evidence_jobs import Taken, take
from tests.office import Office

SAID = {"from": "2026-02-20", "to": "2026-03-20"}


def ask(office: Office, pack_id: str = "pack_1") -> None:
    """A pack of the weeks around Monday that nobody has taken yet."""
    office.follow()
    with office.house.reader(office.organisation) as reader:
        period = packs.asked_for(reader, reader.settled(), SAID, office.clock())

    def run(desk: Desk, cause: Cause) -> None:
        packs.ask(desk, cause, pack_id, SAID, period)

    office.do(office.command(run, pack_id, packs.show))


def held_pack(office: Office) -> Taken:
    """The pack that waits, on lease."""
    taken = take(office.house, "tests", system_clock())
    assert taken is not None
    return taken


def show(office: Office, pack_id: str = "pack_1") -> dict[str, Any]:
    with office.house.reader(office.organisation) as reader:
        return packs.show(reader, pack_id)
