"""What an organisation settles over HTTP: its services, its words, its policy."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, cast

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from starlette.responses import Response

from app.api.door import answered, door_of
from app.api.lists import Cursor, Limit, before, day_of, listed, page
from app.api.looking import Reading
from app.api.problems import lost_reviews
from app.api.routes import told
from app.api.schemas import ServiceRegistration, TaxonomyChanges
from app.api.schemas.answers import Policy, PolicyVersions, Service, ServiceList, Taxonomy
from app.api.schemas.policy import PolicyDocument
from app.database.tables import services
from app.domain import adoption, taxonomy
from app.domain.decider import Fault, Invalid, NotFound
from app.domain.identifiers import is_identifier
from app.domain.moment import to_micros
from app.domain.policy import policy_document
from app.domain.service import Locality, Particulars, RoleHolder, locality_at
from app.events.codec import decode
from app.events.envelope import instant
from app.events.store import Cause, read_stream
from app.operations import settle
from app.operations.backtest_asking import NOT_ADOPTED
from app.operations.chance_firings import expected
from app.operations.configuration import POLICY_STREAM
from app.operations.desk import Desk
from app.operations.documents import clear
from app.operations.job import Answer
from app.operations.less_sensitive import Tried, tried
from app.operations.reporting import Sealer
from app.operations.show import Reader

CHANCE = "expected_chance_firings"

router = APIRouter(prefix="/v1", tags=["settings"])
READ = "near-misses:read"
WRITE = "policy:write"
_ONE_AT_A_TIME = CapacityLimiter(1)
"""Policies that are tried on history; who adopts one waits for another, and whoever reports waits for none."""


@router.put("/services/{service_id}", **told(WRITE, Service, body=ServiceRegistration))
async def register_service(request: Request, service_id: str) -> Response:
    """Register a service, or say anew all that is known of it."""
    visit = await door_of(request).enter(request, WRITE)
    if not is_identifier(service_id):
        raise Invalid(Fault("/path/service_id", "not-visible", "Use 1 to 128 visible characters."))
    said = await visit.read(ServiceRegistration)
    if_match = visit.if_match()

    def run(desk: Desk, cause: Cause) -> None:
        settle.register_service(desk, cause, service_id, _particulars(desk, said), if_match)

    return await visit.command(service_id, run, show_service, said.model_dump())


@router.get("/services", **told(READ, ServiceList))
def list_services(
    look: Reading,
    request: Request,
    locality: Annotated[
        str | None, Query(max_length=128, description="Those that belong there, on the day `on`.")
    ] = None,
    on: Annotated[str | None, Query(max_length=40, description="A date; left out, today.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The services of the register, the newest first."""
    row = services.c
    chosen = select(row.service_id, row.sequence).where(row.organisation == look.organisation)
    with look.reader() as reader:
        if locality is not None:
            settled = look.settled(reader)
            today = look.visit.now.astimezone(settled.zone).date()
            day = today if on is None else date.fromordinal(day_of("on", on))
            there = [one for one, service in settled.services.items() if locality_at(service, day) == locality]
            chosen = chosen.where(row.service_id.in_(there))
        found = reader.connection.execute(page(chosen, row.sequence, cursor, limit)).all()
        items = [show_service(reader, one.service_id) for one in found[:limit]]
    return listed(request, items, [one.sequence for one in found], limit)


@router.get("/services/{service_id}", **told(READ, Service, problems=["not-found"]))
def read_service(look: Reading, service_id: str) -> Response:
    """One service."""
    with look.reader() as reader:
        return answered(Answer(200, show_service(reader, service_id)))


@router.get("/taxonomy", **told(READ, Taxonomy))
def read_taxonomy(look: Reading) -> Response:
    """The organisation's words: what may be said of a near miss."""
    with look.reader() as reader:
        return answered(Answer(200, show_taxonomy(look.settled(reader).taxonomy)))


@router.put("/taxonomy", **told(WRITE, Taxonomy, body=TaxonomyChanges))
async def extend_taxonomy(request: Request) -> Response:
    """Add codes, relabel them or retire them; none is ever removed."""
    visit = await door_of(request).enter(request, WRITE)
    said = await visit.read(TaxonomyChanges)
    if_match = visit.if_match()
    return await visit.command(
        "taxonomy",
        lambda desk, cause: settle.extend_taxonomy(desk, cause, said.command(), if_match),
        lambda reader, _: show_taxonomy(reader.settled().taxonomy),
        said.model_dump(),
    )


@router.get("/policy", **told(READ, Policy))
def read_policy(look: Reading) -> Response:
    """The policy in force."""
    with look.reader() as reader:
        policy = look.settled(reader).policy
        return answered(Answer(200, {**show_in_force(reader), **_chance(reader, policy, look.visit.now)}))


@router.put("/policy", **told(WRITE, Policy, body=PolicyDocument, problems=["policy-less-sensitive"]))
async def adopt_policy(request: Request) -> Response:
    """Put a whole policy in force; what its rules find among recent reports is raised at once.

    One that would have opened fewer reviews over the last 180 days needs a `reason` of its own.
    """
    visit = await door_of(request).enter(request, WRITE)
    said = await visit.document()
    if not isinstance(said, dict):
        raise Invalid(Fault("", "wrong-type", "Send the policy as an object."))
    document = {name: one for name, one in cast("dict[str, Any]", said).items() if name not in NOT_ADOPTED}
    adoption.candidate(adoption.Adopt(document))  # What is wrong with it is told before anything is counted.
    if_match = visit.if_match()

    def try_it() -> Tried:
        with visit.door.house.reader(visit.organisation) as reader:
            return tried(reader, adoption.Adopt(document), visit.now)

    def read_chance() -> dict[str, Any]:
        with visit.door.house.reader(visit.organisation) as reader:
            return _chance(reader, reader.settled().policy, visit.now)

    tries_left = 3
    while True:
        tries_left -= 1
        before = await to_thread.run_sync(try_it, limiter=_ONE_AT_A_TIME)
        try:
            return await visit.command(
                "policy",
                lambda desk, cause, before=before: settle.adopt_policy(desk, cause, document, if_match, before),
                lambda reader, _: show_in_force(reader),
                document,
                beside=read_chance,
            )
        except settle.TriedOnAnother:
            if not tries_left:
                raise


@router.get("/policy/versions", **told(READ, PolicyVersions))
def list_policy_versions(look: Reading, request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """Every policy that was in force, the newest first; version 1 is the one that every organisation begins with."""
    with look.reader() as reader:
        adopted = read_stream(reader.connection, look.organisation, POLICY_STREAM)
        items: list[dict[str, Any]] = [{**show_policy(adoption.INITIAL), "adopted_at": None}]
        policy = adoption.INITIAL
        for envelope in adopted:
            event = decode(envelope)
            policy = adoption.evolve(policy, event)
            by = {"adopted_at": instant(envelope.recorded_at), "adopted_by": envelope.actor}
            items.append({**show_policy(policy), **_fewer(event), **by})
    return listed(request, *_older(items, cursor, limit), limit)


def show_service(reader: Reader, service_id: str) -> dict[str, Any]:
    """A service as it was registered, or `NotFound`."""
    stream = f"service/{service_id}"
    told_ = reader.told([stream])[stream]
    if not told_:
        raise NotFound("No service of that id is registered: PUT it, or GET /v1/services for the list.")
    particulars: Particulars = told_[-1].event.particulars
    shown: dict[str, Any] = {"id": service_id, **clear(particulars, reader.opener([told_]))}
    shown["aliases"] = list(particulars.aliases)
    for name in ("localities", "role_holders"):
        shown[name] = [_period(one) for one in shown.get(name, [])]
    return {**shown, "version": len(told_)}


def show_taxonomy(words: taxonomy.Taxonomy) -> dict[str, Any]:
    """The taxonomy as the contract shows it."""
    return dict(taxonomy.document(words))


def show_policy(policy: adoption.Policy) -> dict[str, Any]:
    """The policy as the contract shows it."""
    return {"version": policy.version, **policy_document(policy)}


def show_in_force(reader: Reader) -> dict[str, Any]:
    """The policy in force, and what it would have lost of what came before it."""
    adopted = read_stream(reader.connection, reader.organisation, POLICY_STREAM, reader.as_of)
    if not adopted:
        return show_policy(adoption.INITIAL)
    event: adoption.Adopted = decode(adopted[-1])
    return {**show_policy(adoption.evolve(adoption.INITIAL, event)), **_fewer(event)}


def _fewer(event: adoption.Adopted) -> dict[str, Any]:
    fewer = event.less_sensitive
    if fewer is None:
        return {}
    return {"less_sensitive": {"lost": fewer.lost, "looked_back": fewer.looked_back, "episodes": lost_reviews(fewer)}}


def _chance(reader: Reader, policy: adoption.Policy, now: datetime) -> dict[str, Any]:
    """What the policy would open at the organisation's own rates if nothing were wrong."""
    return {CHANCE: expected(reader.connection, reader.organisation, policy, to_micros(now))}


def _older(items: list[dict[str, Any]], cursor: str | None, limit: int) -> tuple[list[dict[str, Any]], list[int]]:
    below = before(cursor)
    newest = [one for one in reversed(items) if below is None or one["version"] < below]
    return newest[:limit], [one["version"] for one in newest[: limit + 1]]


def _particulars(desk: Desk, said: ServiceRegistration) -> Particulars:
    sealer = Sealer(desk)
    return Particulars(
        said.name,
        said.service_type,
        said.regulator_location_id,
        said.time_zone,
        tuple(said.aliases or ()),
        tuple(Locality(one.locality, one.first_day, one.end) for one in said.localities or ()),
        tuple(
            RoleHolder(one.role, sealer.reference("staff", one.ref), one.first_day, one.end)
            for one in said.role_holders or ()
        ),
    )


def _period(document: Mapping[str, Any]) -> dict[str, Any]:
    def day(value: Any) -> Any:
        return value.isoformat() if isinstance(value, date) else value

    names = {"since": "from", "until": "to"}
    return {names.get(name, name): day(value) for name, value in document.items()}
