"""The letters for messages that are due: where to, signed, with a body that is the same at every try.

What one event tells several endpoints is made once. A message that cannot be made spoils nobody else's.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version

import structlog
from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from app.database.tables import events
from app.domain.moment import to_micros
from app.events.canonical import canonical
from app.events.codec import told as decoded
from app.operations import signing
from app.operations.endpoints import Target, Targets
from app.operations.house import House
from app.operations.messages import context_of, envelopes_at, message
from app.operations.owed import Owed
from app.operations.postman import Letter
from app.projections.context import Context

USER_AGENT = f"forewarn/{version('forewarn')}"
_BODIES = 256
_ORGANISATIONS = 32

Sending = tuple[Owed, datetime]
"""A message that is under way, and since when."""

log = structlog.get_logger(__name__)


class Letters:
    """Remembers where endpoints are, and what was told last."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._targets = Targets(house.vault)
        self._bodies: dict[tuple[str, int, str], bytes] = {}
        self._contexts: dict[str, Context] = {}
        """By organisation, the one that was written for last at the end: a long escalation is folded once, not for each
        of its messages."""

    def write(self, taken: Sequence[Owed], now: datetime, real_now: datetime) -> list[Letter[Sending]]:
        """Those that can be made; raises when the database cannot be read."""
        letters: list[Letter[Sending]] = []
        with self._house.database.read() as connection:
            versions = _versions(connection, taken)
            self._make_bodies(connection, taken)
            for owed in taken:
                stands_at = versions.get((owed.organisation, f"endpoint/{owed.endpoint_id}"))
                with _on_its_own(owed):
                    target = self._targets.at(connection, owed.organisation, owed.endpoint_id, stands_at)
                    letters.append(_letter(owed, target, self._bodies[_key(owed)], now, real_now))
        while len(self._bodies) > _BODIES:
            self._bodies.pop(next(iter(self._bodies)))
        while len(self._contexts) > _ORGANISATIONS:
            self._contexts.pop(next(iter(self._contexts)))
        return letters

    def _make_bodies(self, connection: Connection, taken: Sequence[Owed]) -> None:
        missing = {_key(owed): owed for owed in taken if _key(owed) not in self._bodies}
        for organisation in {owed.organisation for owed in missing.values()}:
            mine = [owed for owed in missing.values() if owed.organisation == organisation]
            envelopes = envelopes_at(connection, organisation, [owed.sequence for owed in mine])
            context = context_of(connection, organisation, self._contexts.pop(organisation, None))
            self._contexts[organisation] = context
            for owed in mine:
                with _on_its_own(owed):
                    said = message(context, decoded(envelopes[owed.sequence]), owed.type)
                    self._bodies[_key(owed)] = canonical(said).encode()


def _key(owed: Owed) -> tuple[str, int, str]:
    return owed.organisation, owed.sequence, owed.type


@contextmanager
def _on_its_own(owed: Owed) -> Generator[None]:
    """What is wrong with one message stops no other."""
    try:
        yield
    except DBAPIError:
        raise
    except Exception:
        log.warning("deliveries.not_made", delivery_id=owed.delivery_id, exc_info=True)


def _letter(owed: Owed, target: Target, body: bytes, now: datetime, real_now: datetime) -> Letter[Sending]:
    headers = {
        "content-type": "application/json",
        "user-agent": USER_AGENT,
        # Receivers hold the stamp against their own clocks.
        **signing.headers(_valid(target.secrets, now), owed.delivery_id, int(real_now.timestamp()), body),
    }
    return Letter((owed, now), target.url, headers, body)


def _valid(secrets: signing.Secrets, now: datetime) -> signing.Secrets:
    """Those that still sign by the service's clock, which need not be the one that messages are stamped by."""
    valid = (one for one in secrets.symmetric if one.valid_until is None or to_micros(now) < one.valid_until)
    return replace(secrets, symmetric=tuple(replace(one, valid_until=None) for one in valid))


def _versions(connection: Connection, taken: Sequence[Owed]) -> Mapping[tuple[str, str], int]:
    """How the streams of their endpoints stand: by organisation and stream."""
    organisations = sorted({one.organisation for one in taken})
    streams = sorted({f"endpoint/{one.endpoint_id}" for one in taken})
    found = connection.execute(_VERSIONS, {"organisations": organisations, "streams": streams})
    return {(one[0], one[1]): one[2] for one in found}


_VERSIONS = (
    select(events.c.organisation, events.c.stream, func.max(events.c.version))
    .where(
        events.c.organisation.in_(bindparam("organisations", expanding=True)),
        events.c.stream.in_(bindparam("streams", expanding=True)),
    )
    .group_by(events.c.organisation, events.c.stream)
)
