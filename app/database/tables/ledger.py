"""The ledger, whose it is, and the keys of what is sealed in it."""

from sqlalchemy import Boolean, Column, PrimaryKeyConstraint, Table, UniqueConstraint

from app.database.tables.columns import blob, metadata, number, text_column

# Facts about the database as a whole, such as the check value of the master key.
installation = Table(
    "installation",
    metadata,
    text_column("name"),
    text_column("value"),
    PrimaryKeyConstraint("name"),
)

# pepper: 32 bytes wrapped by the master key; every token and fingerprint hangs on it.
organisations = Table(
    "organisations",
    metadata,
    text_column("organisation"),
    text_column("name"),
    blob("pepper"),
    number("created_at"),
    PrimaryKeyConstraint("organisation"),
)

api_keys = Table(
    "api_keys",
    metadata,
    text_column("organisation"),
    text_column("key_id"),
    text_column("hash"),
    text_column("prefix"),
    text_column("scopes"),
    text_column("role", optional=True),
    text_column("actor", optional=True),
    Column("acts_for_people", Boolean, nullable=False),
    number("created_at"),
    number("expires_at", optional=True),
    number("revoked_at", optional=True),
    number("last_used_at", optional=True),
    PrimaryKeyConstraint("organisation", "key_id"),
    UniqueConstraint("hash"),
)

# The head of each organisation's ledger, whose lock orders everything. recorded_at: of the last event;
# configured_at: the sequence of the last event that changed policy, taxonomy or services.
ledgers = Table(
    "ledgers",
    metadata,
    text_column("organisation"),
    number("position"),
    number("recorded_at"),
    number("configured_at"),
    blob("root"),
    blob("frontier"),
    PrimaryKeyConstraint("organisation"),
)

# Append-only: a trigger refuses every change. payload: canonical JSON, as first stored, for ever.
events = Table(
    "events",
    metadata,
    text_column("organisation"),
    number("sequence"),
    text_column("event_id"),
    text_column("stream"),
    number("version"),
    text_column("type"),
    number("schema_version"),
    number("occurred_at"),
    number("recorded_at"),
    text_column("actor"),
    text_column("correlation_id"),
    text_column("causation_id", optional=True),
    text_column("payload"),
    blob("leaf"),
    PrimaryKeyConstraint("organisation", "sequence"),
    UniqueConstraint("organisation", "event_id"),
    UniqueConstraint("organisation", "stream", "version"),
)

# Wrapped keys of personal data. Deleting one erases what it sealed; the ledger stays whole.
data_keys = Table(
    "data_keys",
    metadata,
    text_column("organisation"),
    text_column("key_id"),
    blob("wrapped"),
    PrimaryKeyConstraint("organisation", "key_id"),
)

# Who a token stands for, sealed under the person's own key.
subjects = Table(
    "subjects",
    metadata,
    text_column("organisation"),
    text_column("token"),
    text_column("key_id"),
    text_column("sealed"),
    PrimaryKeyConstraint("organisation", "token"),
)

# What an Idempotency-Key was answered: enough to rebuild the answer from the events it made.
commands = Table(
    "commands",
    metadata,
    text_column("organisation"),
    text_column("key_id"),
    text_column("route"),
    text_column("idempotency_key"),
    text_column("fingerprint"),
    number("status"),
    text_column("subject"),
    number("first_sequence"),
    number("last_sequence"),
    PrimaryKeyConstraint("organisation", "key_id", "route", "idempotency_key"),
)
