"""An office that sends: a deliverer at work, endpoints at real receivers, and what becomes of their messages."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, func, or_, select

from app.database.tables import deliveries, delivery_attempts, webhook_endpoints
from app.domain.moment import from_micros, to_micros
from app.domain.webhook import TYPES
from app.events.store import Cause
from app.operations import deliver, endpoints
from app.operations.deliver import Deliverer
from app.operations.endpoints import Receiver as Endpoint
from app.operations.outside import networks_of
from app.operations.owed import waiting
from app.operations.posting import Outside
from tests.office import Office, opened
from tests.receivers import DEADLINE, Receiver

HERE = networks_of("127.0.0.0/8")


@dataclass
class Post:
    """The office's deliverer, and what it owes to whom."""

    office: Office
    deadline: float = 5.0
    secrets: dict[str, str] = field(default_factory=dict[str, str])
    deliverer: Deliverer = field(init=False)

    def __post_init__(self) -> None:
        self.deliverer = self.another()

    def another(self) -> Deliverer:
        return Deliverer(self.office.house, lambda: Outside(HERE, deadline=self.deadline))

    def register(self, receiver: Receiver | str, *event_types: str, **filters: Any) -> str:
        """An endpoint there that wants these types; every one, if none is named."""
        endpoint_id, given = endpoints.new_endpoint_id(), endpoints.fresh()
        url = receiver if isinstance(receiver, str) else receiver.url
        said = {"url": url, "event_types": event_types or tuple(TYPES), **filters}
        self._do(lambda desk, cause: endpoints.register(desk, cause, endpoint_id, said, given), endpoint_id)
        self.secrets[endpoint_id] = given.secret
        return endpoint_id

    def tell(self, endpoint_id: str, run: Callable[[Cause, Endpoint], None]) -> None:
        """Have a command on the endpoint carried out."""
        self._do(lambda desk, cause: run(cause, endpoints.load(desk, endpoint_id)), endpoint_id)

    def enable(self, endpoint_id: str) -> None:
        self.tell(endpoint_id, endpoints.enable)

    def status(self, endpoint_id: str) -> str:
        row = webhook_endpoints.c
        with self.office.house.database.read() as connection:
            return connection.execute(select(row.status).where(row.endpoint_id == endpoint_id)).scalar_one()

    def owed(self, endpoint_id: str | None = None) -> list[Row[Any]]:
        """What has been owed, in the order of the ledger."""
        chosen = select(deliveries).order_by(deliveries.c.sequence, deliveries.c.endpoint_id)
        if endpoint_id is not None:
            chosen = chosen.where(deliveries.c.endpoint_id == endpoint_id)
        with self.office.house.database.read() as connection:
            return list(connection.execute(chosen))

    def statuses(self, endpoint_id: str | None = None) -> list[str]:
        return [one.status for one in self.owed(endpoint_id)]

    def waiting(self, endpoint_id: str) -> int:
        """How many of its messages are neither delivered nor superseded; counted where they are."""
        row = deliveries.c
        chosen = select(func.count()).where(row.endpoint_id == endpoint_id, row.status.in_(("pending", "held")))
        with self.office.house.database.read() as connection:
            return connection.execute(chosen).scalar_one()

    def is_idle(self) -> bool:
        """All that happened is owed, nothing is under way, and nothing will be until time goes on."""
        row, now = deliveries.c, to_micros(self.office.clock())
        at_once = or_(row.holder.is_not(None), row.due_at <= now)
        chosen = select(row.delivery_id).where(row.status == "pending", at_once, ~waiting("before", before=True))
        with self.office.house.database.read() as connection:
            return not deliver._behind(connection) and connection.execute(chosen.limit(1)).first() is None

    def attempts(self, delivery_id: str) -> list[Row[Any]]:
        row = delivery_attempts.c
        chosen = select(delivery_attempts).where(row.delivery_id == delivery_id).order_by(row.number)
        with self.office.house.database.read() as connection:
            return list(connection.execute(chosen))

    def go_on_until_due(self, delivery_id: str) -> None:
        """Let the time come at which it is tried again."""
        (row,) = (one for one in self.owed() if one.delivery_id == delivery_id)
        self.office.clock.now = max(self.office.clock.now, from_micros(row.due_at))

    def _do(self, run: Callable[[Any, Cause], None], subject: str) -> None:
        self.office.do(self.office.command(run, subject))


def until(is_so: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """What is so, once it is; fails after a deadline. Looks again as soon as the processor has nothing better to do."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, "it did not come to be in time"
        time.sleep(0.01)
    return found


@contextmanager
def sending(database_url: str, deadline: float = 5.0) -> Iterator[Post]:
    """An office with a deliverer that works."""
    with opened(database_url, webhook_allow_networks="127.0.0.0/8") as office:
        post = Post(office, deadline)
        post.deliverer.start()
        try:
            yield post
        finally:
            post.deliverer.stop()
