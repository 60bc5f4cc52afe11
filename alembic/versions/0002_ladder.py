"""Actions as they are followed, which worker asks for which timer, and what people were told.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "actions",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("action_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("review_id", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "action_id", name=op.f("pk_actions")),
    )
    op.create_index(op.f("ix_actions_organisation_sequence"), "actions", ["organisation", "sequence"], unique=True)
    op.create_index(op.f("ix_actions_organisation_review_id"), "actions", ["organisation", "review_id"], unique=False)
    op.create_table(
        "timer_leases",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "kind", "subject", name=op.f("pk_timer_leases")),
    )
    op.create_index(op.f("ix_timer_leases_holder"), "timer_leases", ["holder"], unique=False)
    op.create_table(
        "notices",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("notice_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("addressee", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("escalation_id", TEXT, nullable=True),
        sa.Column("review_id", TEXT, nullable=True),
        sa.Column("service_id", TEXT, nullable=True),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("why", TEXT, nullable=False),
        sa.Column("whys", TEXT, nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=True),
        sa.Column("respond_by", sa.BigInteger(), nullable=True),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=True),
        sa.Column("first_scheduled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "notice_id", name=op.f("pk_notices")),
    )
    op.create_index(
        op.f("ix_notices_organisation_sequence_place"), "notices", ["organisation", "sequence", "place"], unique=True
    )
    op.create_index(
        op.f("ix_notices_organisation_addressee_sequence"),
        "notices",
        ["organisation", "addressee", "sequence"],
        unique=False,
    )
    op.create_index(
        op.f("ix_notices_organisation_escalation_id"), "notices", ["organisation", "escalation_id"], unique=False
    )


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
