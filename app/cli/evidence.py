"""`evidence-pack`: a pack is asked for, built here unless the service builds it already, and written into a file."""

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import typer

from app.cli.saying import say, tell
from app.cli.within import Organisation, opened
from app.domain.decider import Invalid
from app.events.store import Cause
from app.operations import evidence_packs as packs
from app.operations.desk import Desk
from app.operations.follow import catch_up
from app.operations.house import SYSTEM, House
from app.operations.job import Command
from app.operations.soundness import ADVICE, damage

_LOOKING = 0.5
"""Seconds between two looks at a pack that another process builds."""


def evidence_pack(
    since: Annotated[str, typer.Option("--from", help="A date or an instant: the period begins with it.")],
    until: Annotated[str, typer.Option("--to", help="A date or an instant: the period ends before it.")],
    output: Annotated[Path, typer.Option(dir_okay=False, help="The zip that is written.")],
    services: Annotated[str | None, typer.Option(help="Ids, separated by commas; left out: all services.")] = None,
    audience: Annotated[str, typer.Option(help=f"One of: {', '.join(packs.AUDIENCES)}.")] = "regulator",
    organisation: Organisation = "default",
) -> None:
    """Make an evidence pack of a period, beside a service at work as well, and write it into a file."""
    said: dict[str, Any] = {"from": since, "to": until, "audience": audience}
    if services is not None:
        said["services"] = [one.strip() for one in services.split(",") if one.strip()]
    if audience not in packs.AUDIENCES:
        say(f"There is no such audience. Use one of: {', '.join(packs.AUDIENCES)}.")
        raise SystemExit(2)
    with opened(organisation) as house:
        if (why := damage(house, organisation)) is not None:
            say(f"{why} {ADVICE}")
            raise SystemExit(1)
        try:
            document = _built(house, organisation, _asked(house, organisation, said))
        except Invalid as invalid:
            for fault in invalid.faults:
                say(f"{fault.pointer.removeprefix('/')}: {fault.detail}")
            raise SystemExit(2) from None
        if document["status"] == "failed":
            say(document["problem"])
            raise SystemExit(1)
        _write(house, organisation, document["id"], output)
    tell({name: document[name] for name in ("id", "size", "sha256", "as_of_sequence")})


def _asked(house: House, organisation: str, said: Mapping[str, Any]) -> str:
    catch_up(house.database, house.batches.dialect, house.configurations, organisation, "heatmap")
    with house.reader(organisation) as reader:
        period = packs.asked_for(reader, reader.settled(), said, house.clock())
    command_id = str(uuid4())
    pack_id = f"pack_{UUID(command_id).hex}"

    def ask(desk: Desk, cause: Cause) -> None:
        packs.ask(desk, cause, pack_id, said, period)

    house.ask(Command(organisation, command_id, SYSTEM, pack_id, ask, packs.show))
    return pack_id


def _built(house: House, organisation: str, pack_id: str) -> dict[str, Any]:
    """The pack once it is built: by this process, unless a worker was first."""
    from app.api.pack_pictures import PICTURES  # With what draws, which takes longer to read in than all the rest.
    from app.operations.packer import Packer

    packer = Packer(house, PICTURES)
    shown = ""
    while True:
        built_here = packer.once(pack_id)
        with house.reader(organisation) as reader:
            document = packs.show(reader, pack_id)
        if document["status"] != "pending":
            return document
        if (what := document["progress"]["what"]) != shown and sys.stderr.isatty():
            shown = what
            say(what)
        if not built_here:
            time.sleep(_LOOKING)


def _write(house: House, organisation: str, pack_id: str, output: Path) -> None:
    """Whole or not at all: the file gets its name once everything is in it."""
    draft = output.with_name(f".{output.name}.{uuid4().hex}")
    try:
        with draft.open("wb") as file:
            number = 0
            while True:
                with house.reader(organisation) as reader:
                    data = packs.piece(reader.connection, organisation, pack_id, number)
                if data is None:
                    break
                file.write(data)
                number += 1
        draft.replace(output)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
