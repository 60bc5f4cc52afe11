"""Evidence packs, as they are made and kept.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evidence_packs",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("pack_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("as_of_sequence", sa.BigInteger(), nullable=False),
        sa.Column("ready_sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "pack_id", name=op.f("pk_evidence_packs")),
    )
    op.create_index(
        op.f("ix_evidence_packs_organisation_sequence"), "evidence_packs", ["organisation", "sequence"], unique=True
    )
    op.create_index(op.f("ix_evidence_packs_status"), "evidence_packs", ["status"], unique=False)
    op.create_table(
        "evidence_pack_jobs",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("pack_id", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("what", TEXT, nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "pack_id", name=op.f("pk_evidence_pack_jobs")),
    )
    op.create_index(op.f("ix_evidence_pack_jobs_holder"), "evidence_pack_jobs", ["holder"], unique=False)
    op.create_table(
        "evidence_pack_pieces",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("pack_id", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("organisation", "pack_id", "number", name=op.f("pk_evidence_pack_pieces")),
    )


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
