"""Actions without HTTP: agreed in the one review there is, and every command on them."""

import json
from collections.abc import Callable
from typing import Any

from app.clock import system_clock
from app.events.store import Cause
from app.operations import acting, reviewing
from app.operations.acting import Undertaking
from app.operations.desk import Desk
from app.operations.job import Actor, Command
from app.operations.tick import tick
from tests.office import KEY, LINK, Office

DUE = "2026-04-01"
EVIDENCE = "Sheet of 20 March, signed by both shifts."

# Who does what


def agreed(office: Office, due: str = DUE) -> str:
    """An action of the one review there is; opened now if there is none."""
    if not office.escalations():
        for _ in range(3):
            office.submit()
    (escalation,) = office.escalations()
    document = {"description": "Name doses.", "owner": "manager-2", "due": due}
    known = {one.subject for one in office.ledger() if one.type == "action.agreed"}

    def agree(desk: Desk, cause: Cause) -> None:
        reviewing.agree_action(desk, cause, reviewing.load(desk, escalation["review_id"]), document)

    office.do(office.command(agree))
    (action_id,) = {one.subject for one in office.ledger() if one.type == "action.agreed"} - known
    return action_id


def close(office: Office) -> None:
    """Every other gate of the review is met, and it closes."""
    (escalation,) = office.escalations()

    def run(desk: Desk, cause: Cause) -> None:
        def case() -> reviewing.Case:
            return reviewing.load(desk, escalation["review_id"])

        reviewing.identify_causes(desk, cause, case(), [{"code": "rota_pressure", "kind": "system"}])
        reviewing.determine_system_risk(desk, cause, case(), "system_risk", "The same handover each time.")
        reviewing.consider_safeguarding(desk, cause, case(), {"considered": True})
        reviewing.link_members(desk, cause, case(), case().members, LINK)
        reviewing.close(desk, cause, case(), "action_agreed", "Handover changed.")

    office.do(office.command(run))


Run = Callable[[Desk, Cause, Undertaking], None]


def of_action(office: Office, action_id: str, run: Run, *, actor: Actor = KEY, if_match: int | None = None) -> Command:
    return office.command(
        lambda desk, cause: run(desk, cause, acting.load(desk, action_id, if_match)),
        action_id,
        lambda reader, subject: reader.actions([subject])[0],
        actor=actor,
    )


def progress(office: Office, action_id: str, actor: Actor = KEY) -> Command:
    return of_action(office, action_id, lambda *at: acting.progress(*at, "Half of it is done."), actor=actor)


def complete(office: Office, action_id: str, effective_from: str = "2026-03-20") -> Command:
    return of_action(office, action_id, lambda *at: acting.complete(*at, effective_from, EVIDENCE))


def cancel(office: Office, action_id: str) -> Command:
    return of_action(office, action_id, lambda *at: acting.cancel(*at, "The eMAR asks for it now."))


def check(office: Office, action_id: str) -> Command:
    looked = ("audit", "40 sheets: all named.", "deputy-1", "2026-03-08T09:00:00Z")
    return of_action(office, action_id, lambda *at: acting.check_effectiveness(*at, *looked))


def look(office: Office, worker: str = "worker") -> None:
    """A worker asks whatever is due."""
    tick(office.house, worker, system_clock())


# What is seen


def show(office: Office, action_id: str) -> dict[str, Any]:
    with office.house.reader(office.organisation) as reader:
        return reader.actions([action_id])[0]


def status(office: Office) -> str:
    (escalation,) = office.escalations()
    return escalation["status"]


def overdue(office: Office) -> list[dict[str, Any]]:
    return [json.loads(one.payload) for one in office.ledger() if one.type == "action.overdue"]
