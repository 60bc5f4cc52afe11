"""The policies adopted although they would have opened fewer reviews: leadership is shown each, with its reason.

Those of the period, and those since the governance review before, so that none is adopted between two and seen by
neither. A reason stands in its event in clear, as the whole policy does, and so it may stand in a snapshot.
"""

from typing import Any

from sqlalchemy import func, select

from app.database.tables import governance_reviews
from app.domain.adoption import Adopted
from app.domain.moment import from_micros
from app.events.envelope import instant
from app.operations.configuration import POLICY_STREAM
from app.operations.governance_period import Period, known_to
from app.operations.show import Reader

MOST_REASON = 500
"""Characters of a reason; the policy has the whole of it."""


def less_sensitive_policies(reader: Reader, period: Period) -> list[dict[str, Any]]:
    """The latest first; policies are the whole organisation's, whatever services the period is about."""
    row = governance_reviews.c
    former = select(func.max(row.sequence)).where(
        row.organisation == reader.organisation, row.sequence <= known_to(reader)
    )
    since = reader.connection.execute(former).scalar()
    found: list[dict[str, Any]] = []
    for told in reversed(reader.told([POLICY_STREAM])[POLICY_STREAM]):
        envelope, event = told.envelope, told.event
        if not isinstance(event, Adopted) or event.less_sensitive is None:
            continue
        if period.holds(from_micros(envelope.recorded_at)) or (since is not None and envelope.sequence > since):
            fewer = event.less_sensitive
            found.append(
                {
                    "version": event.policy_version,
                    "adopted_at": instant(envelope.recorded_at),
                    "adopted_by": envelope.actor,
                    "reason": event.policy.get("reason", "")[:MOST_REASON],
                    "lost": fewer.lost,
                    "looked_back": fewer.looked_back,
                    "rules": sorted({one.rule_id for one in fewer.episodes}),
                }
            )
    return found
