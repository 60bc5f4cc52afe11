"""Every table, once, for both databases. Every primary key begins with the organisation.

Instants are whole microseconds since 1970-01-01T00:00:00Z: they sort, compare and index alike everywhere.
Rows that time travel needs carry `valid_from` and `valid_to`, ledger sequences: a row is what was known at
sequence s when valid_from <= s < valid_to; the current one has `valid_to` = FOR_EVER.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

FOR_EVER = 2**63 - 1

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte on both databases: no locale decides an order."""


def _text(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, _TEXT, nullable=optional)


def _number(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


# Facts about the database as a whole, such as the check value of the master key.
installation = Table(
    "installation",
    metadata,
    _text("name"),
    _text("value"),
    PrimaryKeyConstraint("name"),
)

# pepper: 32 bytes wrapped by the master key; every token and fingerprint hangs on it.
organisations = Table(
    "organisations",
    metadata,
    _text("organisation"),
    _text("name"),
    _bytes("pepper"),
    _number("created_at"),
    PrimaryKeyConstraint("organisation"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _text("organisation"),
    _text("key_id"),
    _text("hash"),
    _text("prefix"),
    _text("scopes"),
    _text("role", optional=True),
    _text("actor", optional=True),
    Column("acts_for_people", Boolean, nullable=False),
    _number("created_at"),
    _number("expires_at", optional=True),
    _number("revoked_at", optional=True),
    _number("last_used_at", optional=True),
    PrimaryKeyConstraint("organisation", "key_id"),
    UniqueConstraint("hash"),
)

# The head of each organisation's ledger, whose lock orders everything. recorded_at: of the last event;
# configured_at: the sequence of the last event that changed policy, taxonomy or services.
ledgers = Table(
    "ledgers",
    metadata,
    _text("organisation"),
    _number("position"),
    _number("recorded_at"),
    _number("configured_at"),
    _bytes("root"),
    _bytes("frontier"),
    PrimaryKeyConstraint("organisation"),
)

# Append-only: a trigger refuses every change. payload: canonical JSON, as first stored, for ever.
events = Table(
    "events",
    metadata,
    _text("organisation"),
    _number("sequence"),
    _text("event_id"),
    _text("stream"),
    _number("version"),
    _text("type"),
    _number("schema_version"),
    _number("occurred_at"),
    _number("recorded_at"),
    _text("actor"),
    _text("correlation_id"),
    _text("causation_id", optional=True),
    _text("payload"),
    _bytes("leaf"),
    PrimaryKeyConstraint("organisation", "sequence"),
    UniqueConstraint("organisation", "event_id"),
    UniqueConstraint("organisation", "stream", "version"),
)

# Wrapped keys of personal data. Deleting one erases what it sealed; the ledger stays whole.
data_keys = Table(
    "data_keys",
    metadata,
    _text("organisation"),
    _text("key_id"),
    _bytes("wrapped"),
    PrimaryKeyConstraint("organisation", "key_id"),
)

# Who a token stands for, sealed under the person's own key.
subjects = Table(
    "subjects",
    metadata,
    _text("organisation"),
    _text("token"),
    _text("key_id"),
    _text("sealed"),
    PrimaryKeyConstraint("organisation", "token"),
)

# What an Idempotency-Key was answered: enough to rebuild the answer from the events it made.
commands = Table(
    "commands",
    metadata,
    _text("organisation"),
    _text("key_id"),
    _text("route"),
    _text("idempotency_key"),
    _text("fingerprint"),
    _number("status"),
    _text("subject"),
    _number("first_sequence"),
    _number("last_sequence"),
    PrimaryKeyConstraint("organisation", "key_id", "route", "idempotency_key"),
)

near_misses = Table(
    "near_misses",
    metadata,
    _text("organisation"),
    _text("near_miss_id"),
    _number("sequence"),
    _text("state"),
    _text("service_id", optional=True),
    _text("incident_type"),
    _text("deviation", optional=True),
    _text("classification"),
    _number("occurred_at"),
    _number("recorded_at"),
    PrimaryKeyConstraint("organisation", "near_miss_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "organisation", "service_id", "sequence"),
)

# fingerprint: keyed hash of the original submission, so that a resend is told from a conflict.
sources = Table(
    "sources",
    metadata,
    _text("organisation"),
    _text("source"),
    _text("source_event_id"),
    _text("near_miss_id"),
    _text("fingerprint"),
    PrimaryKeyConstraint("organisation", "source", "source_event_id"),
)

# One row for each record and rule that counts it; a consumed one is no longer current. key_text: canonical JSON of
# the key's values.
window_entries = Table(
    "window_entries",
    metadata,
    _text("organisation"),
    _text("rule_id"),
    _text("key_text"),
    _number("valid_to"),
    _number("at"),
    _text("near_miss_id"),
    _number("valid_from"),
    _number("sequence"),
    _number("day"),
    Column("date_only", Boolean, nullable=False),
    Column("weight", Double, nullable=False),
    _text("distinct_value", optional=True),
    _text("incident_type"),
    PrimaryKeyConstraint("organisation", "rule_id", "key_text", "valid_to", "at", "near_miss_id"),
    Index(None, "organisation", "near_miss_id"),
    sqlite_with_rowid=False,
)

escalations = Table(
    "escalations",
    metadata,
    _text("organisation"),
    _text("escalation_id"),
    _number("sequence"),
    _text("rule_id"),
    _text("key_text"),
    _text("service_id", optional=True),
    _text("status"),
    Column("is_open", Boolean, nullable=False),
    Column("supported", Boolean, nullable=False),
    Column("overdue", Boolean, nullable=False),
    _text("review_id", optional=True),
    _number("closed_at", optional=True),
    _number("closed_sequence", optional=True),
    PrimaryKeyConstraint("organisation", "escalation_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "organisation", "rule_id", "key_text", "sequence"),
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
    _text("organisation"),
    _text("escalation_id"),
    _text("near_miss_id"),
    _number("valid_to"),
    _number("valid_from"),
    _text("kind"),
    PrimaryKeyConstraint("organisation", "escalation_id", "near_miss_id", "valid_to"),
    Index(None, "organisation", "near_miss_id"),
    sqlite_with_rowid=False,
)

reviews = Table(
    "reviews",
    metadata,
    _text("organisation"),
    _text("review_id"),
    _number("sequence"),
    _text("escalation_id"),
    _text("status"),
    PrimaryKeyConstraint("organisation", "review_id"),
    Index(None, "organisation", "sequence", unique=True),
)

# What a review agreed on. due_at: the deadline as it was agreed.
actions = Table(
    "actions",
    metadata,
    _text("organisation"),
    _text("action_id"),
    _number("sequence"),
    _text("review_id"),
    _text("status"),
    _number("due_at"),
    PrimaryKeyConstraint("organisation", "action_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "organisation", "review_id"),
)

# Which services are registered; what they are stands in their streams.
services = Table(
    "services",
    metadata,
    _text("organisation"),
    _text("service_id"),
    _number("sequence"),
    PrimaryKeyConstraint("organisation", "service_id"),
)

# A timer only asks; the rule answers. Made and unmade by events alone.
timers = Table(
    "timers",
    metadata,
    _text("organisation"),
    _text("kind"),
    _text("subject"),
    _number("due_at"),
    PrimaryKeyConstraint("organisation", "kind", "subject"),
    Index(None, "due_at"),
)

# Which worker asks for a due timer just now, until when in real time; whoever dies gives it back by that.
timer_leases = Table(
    "timer_leases",
    metadata,
    _text("organisation"),
    _text("kind"),
    _text("subject"),
    _number("due_at"),
    _text("holder"),
    _number("until"),
    PrimaryKeyConstraint("organisation", "kind", "subject"),
    Index(None, "holder"),
)

heatmap_facts = Table(
    "heatmap_facts",
    metadata,
    _text("organisation"),
    _text("near_miss_id"),
    _number("valid_to"),
    _number("valid_from"),
    _number("occurred_at"),
    _text("classification"),
    _text("service_id", optional=True),
    _text("incident_type"),
    _text("deviation", optional=True),
    _text("stage_allowed", optional=True),
    _text("stage_affected", optional=True),
    _text("shift_bracket", optional=True),
    _text("weekday"),
    _text("hour", optional=True),
    _text("week"),
    _text("month"),
    PrimaryKeyConstraint("organisation", "near_miss_id", "valid_to"),
    Index(None, "organisation", "valid_to", "occurred_at"),
)

# What one command told an addressee (role, staff/<token> or key/<id>) about a stream. sequence, recorded_at: of the
# first event that did, place: among those whom it addressed. whys: codes, with a space in between.
notices = Table(
    "notices",
    metadata,
    _text("organisation"),
    _text("notice_id"),
    _number("sequence"),
    _number("place"),
    _number("last_sequence"),
    _number("recorded_at"),
    _text("addressee"),
    _text("subject"),
    _text("escalation_id", optional=True),
    _text("review_id", optional=True),
    _text("service_id", optional=True),
    _text("status"),
    _text("why"),
    _text("whys"),
    _number("events"),
    _number("level", optional=True),
    _number("respond_by", optional=True),
    _number("scheduled_at", optional=True),
    _number("first_scheduled_at", optional=True),
    PrimaryKeyConstraint("organisation", "notice_id"),
    Index(None, "organisation", "sequence", "place", unique=True),
    Index(None, "organisation", "addressee", "sequence"),
    Index(None, "organisation", "escalation_id"),
)

# How far each follower of the ledger has come; moved in the transaction that stores its effect.
followers = Table(
    "followers",
    metadata,
    _text("organisation"),
    _text("name"),
    _number("position"),
    PrimaryKeyConstraint("organisation", "name"),
)
