"""Who is told, and what they are owed."""

from sqlalchemy import Boolean, Column, Index, PrimaryKeyConstraint, Table

from app.database.tables.columns import metadata, number, text_column

# Where messages go: which endpoints there are, and how each stands (active, degraded, held, deleted). What one wants
# and is signed with stands in its stream.
webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    text_column("organisation"),
    text_column("endpoint_id"),
    number("sequence"),
    text_column("status"),
    PrimaryKeyConstraint("organisation", "endpoint_id"),
    Index(None, "organisation", "sequence", unique=True),
)

# One message owed to one endpoint for one event (sequence). delivery_id: what the receiver knows as webhook-id.
# subject: within it messages keep their order. status: pending, delivered, held, superseded. attempts: all that were
# ever made; begun_after: how many of them were made before the schedule began anew, because somebody asked for it.
# leased_until: real time, of the worker that is at it.
deliveries = Table(
    "deliveries",
    metadata,
    text_column("organisation"),
    text_column("delivery_id"),
    text_column("endpoint_id"),
    number("sequence"),
    text_column("subject"),
    text_column("type"),
    Column("urgent", Boolean, nullable=False),
    text_column("status"),
    number("attempts"),
    number("begun_after"),
    number("due_at"),
    number("created_at"),
    number("first_tried_at", optional=True),
    number("done_at", optional=True),
    text_column("superseded_by", optional=True),
    number("last_status", optional=True),
    text_column("last_error", optional=True),
    text_column("holder", optional=True),
    number("leased_until", optional=True),
    PrimaryKeyConstraint("organisation", "delivery_id"),
    Index(None, "organisation", "endpoint_id", "subject", "sequence"),
    Index(None, "organisation", "endpoint_id", "sequence", unique=True),
    Index(None, "organisation", "endpoint_id", "status", "due_at"),
    Index(None, "status", "due_at"),
)

# How each try went. latency: microseconds; response: the first kilobyte of what was answered.
delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    text_column("organisation"),
    text_column("delivery_id"),
    number("number"),
    number("at"),
    number("latency"),
    number("status_code", optional=True),
    text_column("error", optional=True),
    text_column("response", optional=True),
    PrimaryKeyConstraint("organisation", "delivery_id", "number"),
)
