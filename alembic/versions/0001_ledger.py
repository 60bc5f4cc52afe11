"""The ledger, its projections and its keys."""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The ledger is append-only: the database itself refuses every other statement. No batch mode may ever touch these
# tables on SQLite, for it drops triggers. There INSERT OR REPLACE deletes without asking a trigger for DELETE.
SQLITE_APPEND_ONLY = (
    *(
        f"CREATE TRIGGER events_no_{what.lower()} BEFORE {what} ON events "
        "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        for what in ("UPDATE", "DELETE")
    ),
    """
    CREATE TRIGGER events_no_replace BEFORE INSERT ON events WHEN
    EXISTS (SELECT 1 FROM events WHERE organisation = NEW.organisation AND sequence = NEW.sequence)
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
    """,
)
POSTGRESQL_APPEND_ONLY = (
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'events are append-only'; END $$
    """,
    """
    CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    "REVOKE UPDATE, DELETE, TRUNCATE ON events FROM PUBLIC",
)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("hash", TEXT, nullable=False),
        sa.Column("prefix", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=True),
        sa.Column("actor", TEXT, nullable=True),
        sa.Column("acts_for_people", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "key_id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )
    op.create_table(
        "commands",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("route", TEXT, nullable=False),
        sa.Column("idempotency_key", TEXT, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("first_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "key_id", "route", "idempotency_key", name=op.f("pk_commands")),
    )
    op.create_table(
        "data_keys",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "key_id", name=op.f("pk_data_keys")),
    )
    op.create_table(
        "escalation_members",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("escalation_id", TEXT, nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.PrimaryKeyConstraint(
            "organisation", "escalation_id", "near_miss_id", "valid_to", name=op.f("pk_escalation_members")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_escalation_members_organisation_near_miss_id"),
        "escalation_members",
        ["organisation", "near_miss_id"],
        unique=False,
    )
    op.create_table(
        "escalations",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("escalation_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("rule_id", TEXT, nullable=False),
        sa.Column("key_text", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=True),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("supported", sa.Boolean(), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("review_id", TEXT, nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "escalation_id", name=op.f("pk_escalations")),
    )
    op.create_index(
        op.f("ix_escalations_organisation_rule_id_key_text_sequence"),
        "escalations",
        ["organisation", "rule_id", "key_text", "sequence"],
        unique=False,
    )
    op.create_index(
        op.f("ix_escalations_organisation_sequence"), "escalations", ["organisation", "sequence"], unique=True
    )
    op.create_index(
        "uq_escalations_one_open_episode",
        "escalations",
        ["organisation", "rule_id", "key_text"],
        unique=True,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_table(
        "events",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_id", TEXT, nullable=False),
        sa.Column("stream", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("schema_version", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("correlation_id", TEXT, nullable=False),
        sa.Column("causation_id", TEXT, nullable=True),
        sa.Column("payload", TEXT, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "sequence", name=op.f("pk_events")),
        sa.UniqueConstraint("organisation", "event_id", name=op.f("uq_events_organisation_event_id")),
        sa.UniqueConstraint("organisation", "stream", "version", name=op.f("uq_events_organisation_stream_version")),
    )
    op.create_table(
        "followers",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "name", name=op.f("pk_followers")),
    )
    op.create_table(
        "heatmap_facts",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("classification", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=True),
        sa.Column("incident_type", TEXT, nullable=False),
        sa.Column("deviation", TEXT, nullable=True),
        sa.Column("stage_allowed", TEXT, nullable=True),
        sa.Column("stage_affected", TEXT, nullable=True),
        sa.Column("shift_bracket", TEXT, nullable=True),
        sa.Column("weekday", TEXT, nullable=False),
        sa.Column("hour", TEXT, nullable=True),
        sa.Column("week", TEXT, nullable=False),
        sa.Column("month", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "near_miss_id", "valid_to", name=op.f("pk_heatmap_facts")),
    )
    op.create_index(
        op.f("ix_heatmap_facts_organisation_valid_to_occurred_at"),
        "heatmap_facts",
        ["organisation", "valid_to", "occurred_at"],
        unique=False,
    )
    op.create_table(
        "installation",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.create_table(
        "ledgers",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("configured_at", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", name=op.f("pk_ledgers")),
    )
    op.create_table(
        "near_misses",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=True),
        sa.Column("incident_type", TEXT, nullable=False),
        sa.Column("deviation", TEXT, nullable=True),
        sa.Column("classification", TEXT, nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "near_miss_id", name=op.f("pk_near_misses")),
    )
    op.create_index(
        op.f("ix_near_misses_organisation_sequence"), "near_misses", ["organisation", "sequence"], unique=True
    )
    op.create_index(
        op.f("ix_near_misses_organisation_service_id_sequence"),
        "near_misses",
        ["organisation", "service_id", "sequence"],
        unique=False,
    )
    op.create_table(
        "organisations",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("pepper", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", name=op.f("pk_organisations")),
    )
    op.create_table(
        "reviews",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("review_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("escalation_id", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "review_id", name=op.f("pk_reviews")),
    )
    op.create_index(op.f("ix_reviews_organisation_sequence"), "reviews", ["organisation", "sequence"], unique=True)
    op.create_table(
        "services",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "service_id", name=op.f("pk_services")),
    )
    op.create_table(
        "sources",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("source_event_id", TEXT, nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "source", "source_event_id", name=op.f("pk_sources")),
    )
    op.create_table(
        "subjects",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("token", TEXT, nullable=False),
        sa.Column("key_id", TEXT, nullable=False),
        sa.Column("sealed", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "token", name=op.f("pk_subjects")),
    )
    op.create_table(
        "timers",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "kind", "subject", name=op.f("pk_timers")),
    )
    op.create_index(op.f("ix_timers_due_at"), "timers", ["due_at"], unique=False)
    op.create_table(
        "window_entries",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("rule_id", TEXT, nullable=False),
        sa.Column("key_text", TEXT, nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("date_only", sa.Boolean(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("distinct_value", TEXT, nullable=True),
        sa.Column("incident_type", TEXT, nullable=False),
        sa.PrimaryKeyConstraint(
            "organisation", "rule_id", "key_text", "valid_to", "at", "near_miss_id", name=op.f("pk_window_entries")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_window_entries_organisation_near_miss_id"),
        "window_entries",
        ["organisation", "near_miss_id"],
        unique=False,
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in POSTGRESQL_APPEND_ONLY:
            op.execute(statement)
    else:
        for statement in SQLITE_APPEND_ONLY:
            op.execute(statement)


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
