"""Every table, once, for both databases. Every primary key begins with the organisation.

Instants are whole microseconds since 1970-01-01T00:00:00Z: they sort, compare and index alike everywhere.
Rows that time travel needs carry `valid_from` and `valid_to`, ledger sequences: a row is what was known at
sequence s when valid_from <= s < valid_to; the current one has `valid_to` = FOR_EVER.
"""

from app.database.tables.columns import FOR_EVER, metadata, standing
from app.database.tables.deliveries import deliveries, delivery_attempts, webhook_endpoints
from app.database.tables.duplicates import duplicate_proposals, occurrence_refs, occurrences
from app.database.tables.evidence import evidence_pack_jobs, evidence_pack_pieces, evidence_packs
from app.database.tables.governance import governance_carried, governance_review_places, governance_reviews
from app.database.tables.intake import intake_records, intake_rounds
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
from app.database.tables.outcomes import outcomes
from app.database.tables.quiet import denominators, heard_sources
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
from app.database.tables.signals import signals, trend_checks, trend_watch
from app.database.tables.signing import ledger_nodes, signing_keys
from app.database.tables.work import followers, timer_leases, timers

__all__ = [
    "FOR_EVER",
    "actions",
    "api_keys",
    "commands",
    "data_keys",
    "deliveries",
    "delivery_attempts",
    "denominators",
    "duplicate_proposals",
    "escalation_members",
    "escalations",
    "events",
    "evidence_pack_jobs",
    "evidence_pack_pieces",
    "evidence_packs",
    "followers",
    "governance_carried",
    "governance_review_places",
    "governance_reviews",
    "heard_sources",
    "heatmap_facts",
    "installation",
    "intake_records",
    "intake_rounds",
    "ledger_nodes",
    "ledgers",
    "metadata",
    "near_misses",
    "notices",
    "occurrence_refs",
    "occurrences",
    "organisations",
    "outcomes",
    "reviews",
    "services",
    "signals",
    "signing_keys",
    "sources",
    "standing",
    "subjects",
    "timer_leases",
    "timers",
    "trend_checks",
    "trend_watch",
    "webhook_endpoints",
    "window_entries",
]
