"""What rises, or falls silent, and who has answered it.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trend_watch",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("first_day", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "service_id", "source", name=op.f("pk_trend_watch")),
    )
    op.create_index(
        op.f("ix_trend_watch_organisation_changed_sequence"),
        "trend_watch",
        ["organisation", "changed_sequence"],
        unique=False,
    )
    op.create_table(
        "trend_checks",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "service_id", name=op.f("pk_trend_checks")),
    )
    op.create_table(
        "signals",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("signal_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=False),
        sa.Column("locality", TEXT, nullable=True),
        sa.Column("series", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "signal_id", name=op.f("pk_signals")),
    )
    op.create_index(op.f("ix_signals_organisation_sequence"), "signals", ["organisation", "sequence"], unique=True)
    op.create_index(
        op.f("ix_signals_organisation_service_id_sequence"),
        "signals",
        ["organisation", "service_id", "sequence"],
        unique=False,
    )
    op.create_index(
        "uq_signals_one_open_signal",
        "signals",
        ["organisation", "series"],
        unique=True,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(
        op.f("ix_escalations_organisation_service_id_sequence"),
        "escalations",
        ["organisation", "service_id", "sequence"],
        unique=False,
    )


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
