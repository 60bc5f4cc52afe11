"""What strangers sent, what became of it, and the rounds that belong together."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from app.database.tables.columns import metadata, number, text_column

# at: when the source says it, else when it was received; it orders the words on one occurrence (a keyed hash).
# status: the outcome of the latest reading.
intake_records = Table(
    "intake_records",
    metadata,
    text_column("organisation"),
    text_column("intake_id"),
    number("sequence"),
    text_column("source"),
    text_column("source_event_id"),
    text_column("event_type"),
    text_column("via"),
    text_column("occurrence", optional=True),
    number("at"),
    text_column("status"),
    text_column("near_miss_id", optional=True),
    PrimaryKeyConstraint("organisation", "intake_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index("uq_intake_records_source_event", "organisation", "source", "source_event_id", unique=True),
    Index(None, "organisation", "source", "occurrence", "at"),
    Index(None, "organisation", "near_miss_id"),
)

# Rounds that one near miss stands for. round_key: keyed hash; at: of the first that made the near miss.
intake_rounds = Table(
    "intake_rounds",
    metadata,
    text_column("organisation"),
    text_column("near_miss_id"),
    text_column("source"),
    text_column("round_key"),
    number("at"),
    PrimaryKeyConstraint("organisation", "near_miss_id"),
    Index(None, "organisation", "source", "round_key", "at"),
)
