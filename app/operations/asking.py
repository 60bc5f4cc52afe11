"""Whom an escalation asks: the ladder as it stands now, who holds which role at this moment, and persons by token.

A role is held by whom the service's register names for it today, and by every key of that role that is still valid:
whoever signs in with it sees what is open. So an organisation that has registered nobody yet can still be reached.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import Select, or_, select

from app.database.tables import api_keys
from app.domain.ladder import Reach, Terms, terms_of
from app.domain.moment import from_micros
from app.domain.organisation import ROLES
from app.domain.policy import Policy
from app.domain.rule import Rule
from app.domain.service import Service
from app.domain.zones import zone
from app.events.sealing import token
from app.operations.calendars import calendar_of

if TYPE_CHECKING:
    from app.operations.desk import Desk


def reach_of(desk: "Desk", service_id: str | None) -> Reach:
    """Every role with who holds it for the service now; nobody when empty."""
    return _reach(desk, [desk.configuration.service_of(service_id)[1]])


def reach_anywhere(desk: "Desk") -> Reach:
    """Every role with who holds it for any service now, each once."""
    return _reach(desk, desk.configuration.services.values())


def _reach(desk: "Desk", of_services: Iterable[Service]) -> Reach:
    held: dict[str, dict[str, None]] = {role: {} for role in ROLES}
    for particulars in (one.particulars for one in of_services if one.particulars is not None):
        today = _local_day(desk, particulars.time_zone)
        for holder in particulars.role_holders:
            if holder.since <= today and (holder.until is None or today < holder.until):
                held.setdefault(holder.role, {})[f"staff/{holder.ref.token}"] = None
    for role, key_id in desk.connection.execute(_valid_keys(desk).order_by(api_keys.c.key_id)):
        if role is not None:
            held.setdefault(role, {})[f"key/{key_id}"] = None
    return {role: tuple(holders) for role, holders in held.items()}


def managers_of(desk: "Desk", service_id: str | None) -> tuple[tuple[str, ...], bool]:
    """The managers of a service: the role, then by name those who hold it; and whether that reaches nobody."""
    holders = reach_of(desk, service_id)["manager"]
    return ("manager", *(one for one in holders if one.startswith("staff/"))), not holders


def terms_in(desk: "Desk", rule: Rule, policy: Policy) -> Terms:
    """The ladder of a rule as it is to be kept, persons in it by the token that they act under too."""
    calendar = calendar_of(policy, from_micros(desk.micros)) if _waits_in_working_time(rule) else None
    terms = terms_of(rule, policy.time_zone, calendar)
    rungs = tuple(replace(rung, to=tuple(addressed(desk, one) for one in rung.to)) for rung in terms.rungs)
    return replace(terms, rungs=rungs, backstop=addressed(desk, terms.backstop))


def addressed(desk: "Desk", to: str) -> str:
    """A role as it is; a person as the token that stands for them, by which they act too.

    The names that events have for people and keys are taken for what they are only where they name somebody: a
    reference may be spelt alike, and must not come into the ledger in clear.
    """
    kind, _, name = to.partition("/")
    if to in ROLES or (kind == "staff" and _is_known(desk, name)) or (kind == "key" and _is_valid(desk, name)):
        return to
    its_token = token(desk.pepper, "staff", to)
    desk.vault.remember_subject(desk.rows, desk.organisation, its_token, to)
    return f"staff/{its_token}"


def _is_known(desk: "Desk", its_token: str) -> bool:
    desk.vault.look_up(desk.rows, desk.organisation, its_token)
    return desk.vault.knows(desk.organisation, its_token)


def _is_valid(desk: "Desk", key_id: str) -> bool:
    return desk.connection.execute(_valid_keys(desk).where(api_keys.c.key_id == key_id)).first() is not None


def _valid_keys(desk: "Desk") -> Select[str | None, str]:
    key = api_keys.c
    return select(key.role, key.key_id).where(
        key.organisation == desk.organisation,
        key.revoked_at.is_(None),
        or_(key.expires_at.is_(None), key.expires_at > desk.micros),
    )


def _waits_in_working_time(rule: Rule) -> bool:
    return any(step.time_basis == "working" for step in rule.ladder.steps)


def _local_day(desk: "Desk", time_zone: str | None) -> date:
    where = zone(time_zone) if time_zone else desk.configuration.zone
    return from_micros(desk.micros).astimezone(where).date()
