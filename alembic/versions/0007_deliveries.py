"""Who is told, and what they are owed.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("endpoint_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "endpoint_id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_index(
        op.f("ix_webhook_endpoints_organisation_sequence"),
        "webhook_endpoints",
        ["organisation", "sequence"],
        unique=True,
    )
    op.create_table(
        "deliveries",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("delivery_id", TEXT, nullable=False),
        sa.Column("endpoint_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("begun_after", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("first_tried_at", sa.BigInteger(), nullable=True),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("superseded_by", TEXT, nullable=True),
        sa.Column("last_status", sa.BigInteger(), nullable=True),
        sa.Column("last_error", TEXT, nullable=True),
        sa.Column("holder", TEXT, nullable=True),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "delivery_id", name=op.f("pk_deliveries")),
    )
    op.create_index(
        op.f("ix_deliveries_organisation_endpoint_id_subject_sequence"),
        "deliveries",
        ["organisation", "endpoint_id", "subject", "sequence"],
        unique=False,
    )
    op.create_index(
        op.f("ix_deliveries_organisation_endpoint_id_sequence"),
        "deliveries",
        ["organisation", "endpoint_id", "sequence"],
        unique=True,
    )
    op.create_index(
        op.f("ix_deliveries_organisation_endpoint_id_status_due_at"),
        "deliveries",
        ["organisation", "endpoint_id", "status", "due_at"],
        unique=False,
    )
    op.create_index(op.f("ix_deliveries_status_due_at"), "deliveries", ["status", "due_at"], unique=False)
    op.create_table(
        "delivery_attempts",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("delivery_id", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("latency", sa.BigInteger(), nullable=False),
        sa.Column("status_code", sa.BigInteger(), nullable=True),
        sa.Column("error", TEXT, nullable=True),
        sa.Column("response", TEXT, nullable=True),
        sa.PrimaryKeyConstraint("organisation", "delivery_id", "number", name=op.f("pk_delivery_attempts")),
    )


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
