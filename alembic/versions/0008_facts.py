"""What is counted: also by locality, source, recovery barrier and day, with how far it was off the plan.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nothing but what the ledger tells: the follower makes it anew, from its beginning.
    op.drop_table("heatmap_facts")
    op.execute(sa.text("DELETE FROM followers WHERE name = 'heatmap'"))
    op.create_table(
        "heatmap_facts",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("classification", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=True),
        sa.Column("locality", TEXT, nullable=True),
        sa.Column("source", TEXT, nullable=True),
        sa.Column("incident_type", TEXT, nullable=False),
        sa.Column("deviation", TEXT, nullable=True),
        sa.Column("stage_allowed", TEXT, nullable=True),
        sa.Column("stage_affected", TEXT, nullable=True),
        sa.Column("recovery_barrier", TEXT, nullable=True),
        sa.Column("contributing_factors", TEXT, nullable=True),
        sa.Column("shift_bracket", TEXT, nullable=True),
        sa.Column("weekday", TEXT, nullable=False),
        sa.Column("hour", TEXT, nullable=True),
        sa.Column("week", TEXT, nullable=False),
        sa.Column("month", TEXT, nullable=False),
        sa.Column("scheduling_minutes", sa.Double(), nullable=True),
        sa.Column("staff_deviation", sa.Double(), nullable=True),
        sa.Column("travel_minutes", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "near_miss_id", "valid_to", name=op.f("pk_heatmap_facts")),
    )
    op.create_index(
        op.f("ix_heatmap_facts_organisation_valid_to_occurred_at"),
        "heatmap_facts",
        ["organisation", "valid_to", "occurred_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_heatmap_facts_organisation_valid_to_service_id_occurred_at"),
        "heatmap_facts",
        ["organisation", "valid_to", "service_id", "occurred_at"],
        unique=False,
    )


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
