"""How much there was to do each day, and which sources are expected to speak.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "denominators",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("doses_due", sa.BigInteger(), nullable=True),
        sa.Column("visits_scheduled", sa.BigInteger(), nullable=True),
        sa.Column("resident_days", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "service_id", "day", name=op.f("pk_denominators")),
    )
    op.create_index(
        op.f("ix_denominators_organisation_day_sequence"),
        "denominators",
        ["organisation", "day", "sequence"],
        unique=False,
    )
    op.create_table(
        "heard_sources",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("heard_at", sa.BigInteger(), nullable=True),
        sa.Column("heard_sequence", sa.BigInteger(), nullable=True),
        sa.Column("silent_sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "source", name=op.f("pk_heard_sources")),
    )
    op.create_index(
        op.f("ix_heard_sources_organisation_sequence"), "heard_sources", ["organisation", "sequence"], unique=True
    )
    op.create_index(op.f("ix_heard_sources_silent_sequence"), "heard_sources", ["silent_sequence"], unique=False)


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
