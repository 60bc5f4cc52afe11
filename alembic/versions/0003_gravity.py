"""How grave each near miss is stands beside its window entries; a notice no longer keeps its subject's status.

Entries made before have gravity 0 until `forewarn rebuild windows`: until then they do not ask people again.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("window_entries", sa.Column("gravity", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.drop_column("notices", "status")


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
