"""What came of what was agreed: the outcomes to look at again when something comes late."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from app.database.tables.columns import metadata, number, text_column

# since, until: when what is compared happened. assessed_sequence: as of which event it was assessed last, if it was;
# touched_sequence: the last event since that may change a number of it.
outcomes = Table(
    "outcomes",
    metadata,
    text_column("organisation"),
    text_column("review_id"),
    text_column("service_id", optional=True),
    number("since"),
    number("until"),
    number("assessed_sequence", optional=True),
    number("touched_sequence", optional=True),
    PrimaryKeyConstraint("organisation", "review_id"),
    Index(None, "touched_sequence"),
)
