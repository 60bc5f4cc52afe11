"""Where a near miss belonged when it happened.

Revision ID: 0009
Revises: 0008
"""

import json

import sqlalchemy as sa
from alembic import op

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


# The last report that each near miss was told with says where it belonged.
TOLD = sa.text("""
SELECT organisation, stream, payload FROM events
WHERE type IN ('near_miss.recorded', 'near_miss.corrected', 'near_miss.details_completed')
ORDER BY organisation, sequence
""")
PLACE = sa.text("""
UPDATE near_misses SET locality = :locality WHERE organisation = :organisation AND near_miss_id = :near_miss_id
""")


def upgrade() -> None:
    op.add_column("near_misses", sa.Column("locality", TEXT, nullable=True))
    connection = op.get_bind()
    told = connection.execute(TOLD, execution_options={"stream_results": True, "yield_per": 1000})
    places = {
        (organisation, stream.partition("/")[2]): json.loads(payload)["report"].get("locality")
        for organisation, stream, payload in told
    }
    placed = [
        {"organisation": organisation, "near_miss_id": near_miss_id, "locality": locality}
        for (organisation, near_miss_id), locality in places.items()
        if locality is not None
    ]
    if placed:
        connection.execute(PLACE, placed)
    op.create_index(
        op.f("ix_near_misses_organisation_locality_sequence"),
        "near_misses",
        ["organisation", "locality", "sequence"],
        unique=False,
    )


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
