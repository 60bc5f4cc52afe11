"""Every table, once, for both databases. Every primary key begins with the organisation.

Instants are whole microseconds since 1970-01-01T00:00:00Z: they sort, compare and index alike everywhere.
Rows that time travel needs carry `valid_from` and `valid_to`, ledger sequences: a row is what was known at
sequence s when valid_from <= s < valid_to; the current one has `valid_to` = FOR_EVER.
"""

from app.database.tables.columns import FOR_EVER, metadata
from app.database.tables.ledger import (
    api_keys,
    commands,
    data_keys,
    events,
    installation,
    ledgers,
    organisations,
    subjects,
)
from app.database.tables.records import (
    actions,
    escalation_members,
    escalations,
    heatmap_facts,
    near_misses,
    notices,
    reviews,
    services,
    sources,
    window_entries,
)
from app.database.tables.work import followers, timer_leases, timers

__all__ = [
    "FOR_EVER",
    "actions",
    "api_keys",
    "commands",
    "data_keys",
    "escalation_members",
    "escalations",
    "events",
    "followers",
    "heatmap_facts",
    "installation",
    "ledgers",
    "metadata",
    "near_misses",
    "notices",
    "organisations",
    "reviews",
    "services",
    "sources",
    "subjects",
    "timer_leases",
    "timers",
    "window_entries",
]
