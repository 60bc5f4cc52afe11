"""How much there was to do each day, and which sources are expected to speak."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from app.database.tables.columns import metadata, number, text_column

# What was stated last of a service and a day (the proleptic ordinal of a date).
denominators = Table(
    "denominators",
    metadata,
    text_column("organisation"),
    text_column("service_id"),
    number("day"),
    number("sequence"),
    number("doses_due", optional=True),
    number("visits_scheduled", optional=True),
    number("resident_days", optional=True),
    PrimaryKeyConstraint("organisation", "service_id", "day"),
    Index(None, "organisation", "day", "sequence"),
)

# Every source that is declared or was heard. sequence: of the first event that named it; heard_at, heard_sequence: of
# the last that came from it; silent_sequence: of the event that told its silence, while nothing ended that.
heard_sources = Table(
    "heard_sources",
    metadata,
    text_column("organisation"),
    text_column("source"),
    number("sequence"),
    number("heard_at", optional=True),
    number("heard_sequence", optional=True),
    number("silent_sequence", optional=True),
    PrimaryKeyConstraint("organisation", "source"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "silent_sequence"),
)
