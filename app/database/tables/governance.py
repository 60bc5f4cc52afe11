"""The governance reviews of leadership, and what is carried from one to the next."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from app.database.tables.columns import metadata, number, text_column

# since, until: the period, until before that instant. closed_*: when it was closed, and by which event.
governance_reviews = Table(
    "governance_reviews",
    metadata,
    text_column("organisation"),
    text_column("governance_review_id"),
    number("sequence"),
    text_column("status"),
    number("since"),
    number("until"),
    number("closed_at", optional=True),
    number("closed_sequence", optional=True),
    PrimaryKeyConstraint("organisation", "governance_review_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "organisation", "closed_sequence"),
)

# Which services and localities (kind) a review is about; one about all has no row.
governance_review_places = Table(
    "governance_review_places",
    metadata,
    text_column("organisation"),
    text_column("governance_review_id"),
    text_column("kind"),
    text_column("place"),
    PrimaryKeyConstraint("organisation", "governance_review_id", "kind", "place"),
    Index(None, "organisation", "kind", "place"),
)

# A manager review that was determined a system risk, until a governance review is closed whose decision cites it.
governance_carried = Table(
    "governance_carried",
    metadata,
    text_column("organisation"),
    text_column("review_id"),
    number("valid_to"),
    number("valid_from"),
    text_column("escalation_id"),
    PrimaryKeyConstraint("organisation", "review_id", "valid_to"),
    Index(None, "organisation", "valid_to"),
    Index(None, "organisation", "escalation_id"),
)
