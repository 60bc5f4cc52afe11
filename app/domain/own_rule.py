"""How the service judges what it records about itself: a review that nobody closed in time is a near miss too (S20).

The rule holds under every policy, unless the policy has one of the same id; no other rule sees these records, so they
are kept out of the rates of care, and what comes of them never makes another of them.
"""

from app.domain.moment import Span
from app.domain.rule import OWN_SOURCE, Rule

BREACHED_REVIEWS = Rule(
    id="breached-reviews",
    name="Reviews of one service that were not closed in time",
    match=(("source", OWN_SOURCE), ("incident_type", "escalation")),
    group_by=("service_id", "incident_type"),
    threshold=3,
    window=Span.parse("P28D"),
    missing_key="group",
)
