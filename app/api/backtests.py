"""A policy tried on history over HTTP, and what rules in shadow would have opened: nothing here writes.

A backtest is a POST because a whole policy is asked about; it changes nothing, so no Idempotency-Key keeps it. One at a
time is worked out in a process: the others wait, and memory holds one history.
"""

from typing import Annotated, Any, cast

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.asof import AsOf, then, when
from app.api.backtest_picture import picture
from app.api.door import Visit, door_of, shown
from app.api.drawing import SVG, drawn, rendered
from app.api.lists import Cursor, Limit, instant_of, listed, places_below
from app.api.looking import Look, Reading, refuse_unknown
from app.api.routes import told
from app.api.schemas.answers import Backtest, ShadowEpisodeList
from app.api.schemas.backtests import BacktestRequest
from app.domain.decider import Fault, Invalid
from app.domain.moment import DAY, EARLIEST, to_micros
from app.domain.policy import Policy
from app.domain.spelling import instead_of
from app.operations.backtest_asking import asked
from app.operations.backtesting import backtest
from app.operations.shadow_episodes import shadow_episodes

router = APIRouter(prefix="/v1", tags=["settings"])
READ = "near-misses:read"
_ONE_AT_A_TIME = CapacityLimiter(1)
_DRAWN: dict[int | str, dict[str, Any]] = {
    200: {"content": {SVG: {"schema": {"type": "string"}}}, "description": "The grid as a picture."}
}


@router.post("/policy/backtests", **told(READ, Backtest, body=BacktestRequest))
async def try_policy(request: Request, as_of: AsOf = None) -> Response:
    """The reviews that a policy would have opened, against those of a version that is or was in force.

    Stores nothing. At most 5,000,000 near misses times rules, 400 cells of a grid, 200,000 episodes.
    """
    return shown(await _tried(request, as_of))


@router.post("/policy/backtests.svg", **told(READ, body=BacktestRequest, also=_DRAWN))
async def draw_backtest(request: Request, as_of: AsOf = None) -> Response:
    """The same with its `grid` as a picture: what each threshold costs in reviews, and what harm it foresaw."""
    found = await _tried(request, as_of, must_have_grid=True)
    return drawn(SVG, rendered("backtest.svg.jinja", **picture(found)))


@router.get("/policy/shadow-episodes", **told(READ, ShadowEpisodeList))
def list_shadow_episodes(
    look: Reading,
    request: Request,
    rule_id: Annotated[
        str | None, Query(max_length=128, description="A rule in shadow; left out, each of them.")
    ] = None,
    since: Annotated[str | None, Query(alias="from", max_length=40, description="Crossed then or later.")] = None,
    until: Annotated[str | None, Query(alias="to", max_length=40, description="Crossed earlier than this.")] = None,
    as_of: AsOf = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """The reviews that rules in shadow would have opened, the newest first. Persons are told as tokens only."""
    below = places_below(cursor, 2)
    with look.reader() as now_known:
        reader = then(look, now_known, as_of)
        settled = look.settled(reader) if as_of is None else reader.settled()
        policy = settled.policy
        rules = [rule for rule in policy.judging if rule.mode == "shadow"]
        if rule_id is not None:
            ids = [rule.id for rule in rules]
            if rule_id not in ids:
                detail = f"No rule of that id is in shadow: {instead_of(rule_id, ids)}"
                raise Invalid(Fault("/query/rule_id", "unknown-id", detail))
            rules = [rule for rule in rules if rule.id == rule_id]
        begin = EARLIEST if since is None else instant_of("from", since, policy.time_zone)
        now = to_micros(when(look, now_known, as_of))
        end = now + DAY if until is None else instant_of("to", until, policy.time_zone)
        found = shadow_episodes(reader, settled, rules, begin, end, now)
    page = [one for one in found if below is None or one[0] < below][: limit + 1]
    return listed(request, [document for _, document in page[:limit]], [place for place, _ in page], limit)


async def _tried(request: Request, as_of: str | None, *, must_have_grid: bool = False) -> dict[str, Any]:
    visit = await door_of(request).enter(request, READ)
    refuse_unknown(request)
    said = await visit.document()
    if must_have_grid and isinstance(said, dict) and "grid" not in said:
        raise Invalid(Fault("/grid", "missing", "Give the thresholds and windows to draw."))
    return await to_thread.run_sync(_worked_out, visit, cast("object", said), as_of, limiter=_ONE_AT_A_TIME)


def _worked_out(visit: Visit, said: object, as_of: str | None) -> dict[str, Any]:
    house = visit.door.house
    with house.reader(visit.organisation) as now_known:
        look = Look(visit)
        reader = then(look, now_known, as_of)
        in_force: Policy = (
            house.configurations.now(reader.connection, visit.organisation) if as_of is None else reader.settled()
        ).policy
        question = asked(reader.connection, visit.organisation, said, in_force)
        return backtest(reader, question, to_micros(when(look, now_known, as_of)))
