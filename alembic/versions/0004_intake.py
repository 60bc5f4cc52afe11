"""What strangers sent, what became of it, and the rounds that belong together.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "intake_records",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("intake_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("source_event_id", TEXT, nullable=False),
        sa.Column("event_type", TEXT, nullable=False),
        sa.Column("via", TEXT, nullable=False),
        sa.Column("occurrence", TEXT, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("organisation", "intake_id", name=op.f("pk_intake_records")),
    )
    for columns, unique in (
        (["organisation", "sequence"], True),
        (["organisation", "source", "occurrence", "at"], False),
        (["organisation", "near_miss_id"], False),
    ):
        op.create_index(op.f(f"ix_intake_records_{'_'.join(columns)}"), "intake_records", columns, unique=unique)
    pair = ["organisation", "source", "source_event_id"]
    op.create_index("uq_intake_records_source_event", "intake_records", pair, unique=True)
    op.create_table(
        "intake_rounds",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("round_key", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "near_miss_id", name=op.f("pk_intake_rounds")),
    )
    key = ["organisation", "source", "round_key", "at"]
    op.create_index(op.f(f"ix_intake_rounds_{'_'.join(key)}"), "intake_rounds", key, unique=False)


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
