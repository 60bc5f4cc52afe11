"""What rises, or falls silent: the services to look at, when each was looked at, and what was told of it."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table, text

from app.database.tables.columns import metadata, number, text_column

# Every service that something was reported of, and within it every source (empty: the service as a whole).
# first_day: the earliest day that anything was said to have happened on; heard_at: when it was reported last;
# changed_sequence: the last event that changed what had happened in a week that was over.
trend_watch = Table(
    "trend_watch",
    metadata,
    text_column("organisation"),
    text_column("service_id"),
    text_column("source"),
    number("first_day"),
    number("heard_at"),
    number("changed_sequence"),
    PrimaryKeyConstraint("organisation", "service_id", "source"),
    Index(None, "organisation", "changed_sequence"),
)

# On which day, and with all that had happened up to which event, a service was looked at last. No projection: what is
# lost of it is looked at again, and nothing is told twice.
trend_checks = Table(
    "trend_checks",
    metadata,
    text_column("organisation"),
    text_column("service_id"),
    number("day"),
    number("sequence"),
    PrimaryKeyConstraint("organisation", "service_id"),
)

# series: kind, service and incident type or source, as canonical JSON; at most one signal of it is open.
# since: from when on it rises, or is silent.
signals = Table(
    "signals",
    metadata,
    text_column("organisation"),
    text_column("signal_id"),
    number("sequence"),
    text_column("kind"),
    text_column("service_id"),
    text_column("locality", optional=True),
    text_column("series"),
    text_column("status"),
    number("since"),
    number("raised_at"),
    number("acknowledged_at", optional=True),
    number("acknowledged_sequence", optional=True),
    PrimaryKeyConstraint("organisation", "signal_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "organisation", "service_id", "sequence"),
    Index(
        "uq_signals_one_open_signal",
        "organisation",
        "series",
        unique=True,
        sqlite_where=text("status = 'open'"),
        postgresql_where=text("status = 'open'"),
    ),
)
