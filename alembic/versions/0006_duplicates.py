"""Which occurrences may be told of twice.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "occurrences",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("changed_sequence", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("date_only", sa.Boolean(), nullable=False),
        sa.Column("incident_type", TEXT, nullable=False),
        sa.Column("deviation", TEXT, nullable=True),
        sa.Column("persons", TEXT, nullable=False),
        sa.Column("staff", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "near_miss_id", name=op.f("pk_occurrences")),
    )
    op.create_table(
        "occurrence_refs",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("ref", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "ref", "at", "near_miss_id", name=op.f("pk_occurrence_refs")),
    )
    op.create_index(
        op.f("ix_occurrence_refs_organisation_near_miss_id"),
        "occurrence_refs",
        ["organisation", "near_miss_id"],
        unique=False,
    )
    op.create_table(
        "duplicate_proposals",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("proposal_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("later_sequence", sa.BigInteger(), nullable=False),
        sa.Column("earlier_sequence", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", TEXT, nullable=True),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("near_miss_id", TEXT, nullable=False),
        sa.Column("other_id", TEXT, nullable=False),
        sa.Column("service_id", TEXT, nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("reasons", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "proposal_id", name=op.f("pk_duplicate_proposals")),
    )
    op.create_index(
        "ix_duplicate_proposals_in_order",
        "duplicate_proposals",
        ["organisation", "sequence", "later_sequence", "earlier_sequence"],
        unique=True,
    )
    op.create_index(
        op.f("ix_duplicate_proposals_organisation_near_miss_id"),
        "duplicate_proposals",
        ["organisation", "near_miss_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_duplicate_proposals_organisation_other_id"),
        "duplicate_proposals",
        ["organisation", "other_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_duplicate_proposals_organisation_status_sequence"),
        "duplicate_proposals",
        ["organisation", "status", "sequence"],
        unique=False,
    )


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
