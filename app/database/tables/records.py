"""Near misses, what the rules see of them, and what grew out of them."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, PrimaryKeyConstraint, Table, text

from app.database.tables.columns import metadata, number, text_column

near_misses = Table(
    "near_misses",
    metadata,
    text_column("organisation"),
    text_column("near_miss_id"),
    number("sequence"),
    text_column("state"),
    text_column("service_id", optional=True),
    text_column("incident_type"),
    text_column("deviation", optional=True),
    text_column("classification"),
    number("occurred_at"),
    number("recorded_at"),
    text_column("locality", optional=True),
    PrimaryKeyConstraint("organisation", "near_miss_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "organisation", "service_id", "sequence"),
    Index(None, "organisation", "locality", "sequence"),
)

# fingerprint: keyed hash of the original submission, so that a resend is told from a conflict.
sources = Table(
    "sources",
    metadata,
    text_column("organisation"),
    text_column("source"),
    text_column("source_event_id"),
    text_column("near_miss_id"),
    text_column("fingerprint"),
    PrimaryKeyConstraint("organisation", "source", "source_event_id"),
)

# One row for each record and rule that counts it; a consumed one is no longer current. key_text: canonical JSON of
# the key's values.
window_entries = Table(
    "window_entries",
    metadata,
    text_column("organisation"),
    text_column("rule_id"),
    text_column("key_text"),
    number("valid_to"),
    number("at"),
    text_column("near_miss_id"),
    number("valid_from"),
    number("sequence"),
    number("day"),
    Column("date_only", Boolean, nullable=False),
    Column("weight", Double, nullable=False),
    text_column("distinct_value", optional=True),
    text_column("incident_type"),
    Column("gravity", BigInteger, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("organisation", "rule_id", "key_text", "valid_to", "at", "near_miss_id"),
    Index(None, "organisation", "near_miss_id"),
    sqlite_with_rowid=False,
)

escalations = Table(
    "escalations",
    metadata,
    text_column("organisation"),
    text_column("escalation_id"),
    number("sequence"),
    text_column("rule_id"),
    text_column("key_text"),
    text_column("service_id", optional=True),
    text_column("status"),
    Column("is_open", Boolean, nullable=False),
    Column("supported", Boolean, nullable=False),
    Column("overdue", Boolean, nullable=False),
    text_column("review_id", optional=True),
    number("closed_at", optional=True),
    number("closed_sequence", optional=True),
    PrimaryKeyConstraint("organisation", "escalation_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "organisation", "rule_id", "key_text", "sequence"),
    Index(None, "organisation", "service_id", "sequence"),
    Index(
        "uq_escalations_one_open_episode",
        "organisation",
        "rule_id",
        "key_text",
        unique=True,
        sqlite_where=text("is_open"),
        postgresql_where=text("is_open"),
    ),
)

escalation_members = Table(
    "escalation_members",
    metadata,
    text_column("organisation"),
    text_column("escalation_id"),
    text_column("near_miss_id"),
    number("valid_to"),
    number("valid_from"),
    text_column("kind"),
    PrimaryKeyConstraint("organisation", "escalation_id", "near_miss_id", "valid_to"),
    Index(None, "organisation", "near_miss_id"),
    sqlite_with_rowid=False,
)

reviews = Table(
    "reviews",
    metadata,
    text_column("organisation"),
    text_column("review_id"),
    number("sequence"),
    text_column("escalation_id"),
    text_column("status"),
    PrimaryKeyConstraint("organisation", "review_id"),
    Index(None, "organisation", "sequence", unique=True),
)

# What a review agreed on, or a governance review (review_id is empty then). due_at: the deadline as it was agreed.
actions = Table(
    "actions",
    metadata,
    text_column("organisation"),
    text_column("action_id"),
    number("sequence"),
    text_column("review_id"),
    text_column("status"),
    number("due_at"),
    text_column("governance_review_id", optional=True),
    PrimaryKeyConstraint("organisation", "action_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "organisation", "review_id"),
    Index(None, "organisation", "governance_review_id"),
)

# Which services are registered; what they are stands in their streams.
services = Table(
    "services",
    metadata,
    text_column("organisation"),
    text_column("service_id"),
    number("sequence"),
    PrimaryKeyConstraint("organisation", "service_id"),
)

heatmap_facts = Table(
    "heatmap_facts",
    metadata,
    text_column("organisation"),
    text_column("near_miss_id"),
    number("valid_to"),
    number("valid_from"),
    number("occurred_at"),
    number("day"),
    text_column("classification"),
    text_column("service_id", optional=True),
    text_column("locality", optional=True),
    text_column("source", optional=True),
    text_column("incident_type"),
    text_column("deviation", optional=True),
    text_column("stage_allowed", optional=True),
    text_column("stage_affected", optional=True),
    text_column("recovery_barrier", optional=True),
    text_column("contributing_factors", optional=True),
    text_column("shift_bracket", optional=True),
    text_column("weekday"),
    text_column("hour", optional=True),
    text_column("week"),
    text_column("month"),
    Column("scheduling_minutes", Double, nullable=True),
    Column("staff_deviation", Double, nullable=True),
    Column("travel_minutes", Double, nullable=True),
    PrimaryKeyConstraint("organisation", "near_miss_id", "valid_to"),
    Index(None, "organisation", "valid_to", "occurred_at"),
    Index(None, "organisation", "valid_to", "service_id", "occurred_at"),
)

# What one command told an addressee (role, staff/<token> or key/<id>) about a stream. sequence, recorded_at: of the
# first event that did, place: among those whom it addressed. whys: codes, with a space in between.
notices = Table(
    "notices",
    metadata,
    text_column("organisation"),
    text_column("notice_id"),
    number("sequence"),
    number("place"),
    number("last_sequence"),
    number("recorded_at"),
    text_column("addressee"),
    text_column("subject"),
    text_column("escalation_id", optional=True),
    text_column("review_id", optional=True),
    text_column("service_id", optional=True),
    text_column("why"),
    text_column("whys"),
    number("events"),
    number("level", optional=True),
    number("respond_by", optional=True),
    number("scheduled_at", optional=True),
    number("first_scheduled_at", optional=True),
    PrimaryKeyConstraint("organisation", "notice_id"),
    Index(None, "organisation", "sequence", "place", unique=True),
    Index(None, "organisation", "addressee", "sequence"),
    Index(None, "organisation", "escalation_id"),
)
