"""What came of what was agreed.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outcomes",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("review_id", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("assessed_sequence", sa.BigInteger(), nullable=True),
        sa.Column("touched_sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "review_id", name=op.f("pk_outcomes")),
    )
    op.create_index(op.f("ix_outcomes_touched_sequence"), "outcomes", ["touched_sequence"], unique=False)


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
