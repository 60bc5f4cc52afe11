"""Which occurrences may be told of twice."""

from sqlalchemy import Boolean, Column, Double, Index, PrimaryKeyConstraint, Table

from app.database.tables.columns import metadata, number, text_column

# A near miss as far as it tells whether another is the same occurrence. sequence: of its recording; changed_sequence,
# changed_at: of the last event that changed what stands here; source: empty where none was named; persons, staff:
# tokens, with a space in between.
occurrences = Table(
    "occurrences",
    metadata,
    text_column("organisation"),
    text_column("near_miss_id"),
    number("sequence"),
    number("changed_sequence"),
    number("changed_at"),
    text_column("source"),
    text_column("service_id", optional=True),
    number("at"),
    number("day"),
    Column("date_only", Boolean, nullable=False),
    text_column("incident_type"),
    text_column("deviation", optional=True),
    text_column("persons"),
    text_column("staff"),
    PrimaryKeyConstraint("organisation", "near_miss_id"),
)

# Whom an occurrence names (person/<token>, staff/<token>), while it counts and can be compared: by this others that
# may be the same are found.
occurrence_refs = Table(
    "occurrence_refs",
    metadata,
    text_column("organisation"),
    text_column("ref"),
    number("at"),
    text_column("near_miss_id"),
    text_column("service_id"),
    text_column("source"),
    PrimaryKeyConstraint("organisation", "ref", "at", "near_miss_id"),
    Index(None, "organisation", "near_miss_id"),
)

# Two near misses that look like one: near_miss_id was recorded later than other_id. sequence, recorded_at, actor: of
# the event by which the status is what it is; nobody asked for what is only proposed. reasons: JSON.
duplicate_proposals = Table(
    "duplicate_proposals",
    metadata,
    text_column("organisation"),
    text_column("proposal_id"),
    number("sequence"),
    number("later_sequence"),
    number("earlier_sequence"),
    number("recorded_at"),
    text_column("actor", optional=True),
    text_column("status"),
    text_column("near_miss_id"),
    text_column("other_id"),
    text_column("service_id", optional=True),
    Column("score", Double, nullable=False),
    text_column("reasons"),
    PrimaryKeyConstraint("organisation", "proposal_id"),
    Index(
        "ix_duplicate_proposals_in_order", "organisation", "sequence", "later_sequence", "earlier_sequence", unique=True
    ),
    Index(None, "organisation", "status", "sequence"),
    Index(None, "organisation", "near_miss_id"),
    Index(None, "organisation", "other_id"),
)
