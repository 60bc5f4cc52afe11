"""The governance reviews of leadership.

Revision ID: 0011
Revises: 0010
"""

import json

import sqlalchemy as sa
from alembic import op

from app.domain.governance_cadence import Cadence, changed, due_from
from app.domain.moment import Span, from_micros, to_micros

# Compared byte by byte on both databases: no locale decides an order.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

FOR_EVER = 2**63 - 1

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "governance_reviews",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("governance_review_id", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "governance_review_id", name=op.f("pk_governance_reviews")),
    )
    op.create_index(
        op.f("ix_governance_reviews_organisation_sequence"),
        "governance_reviews",
        ["organisation", "sequence"],
        unique=True,
    )
    op.create_index(
        op.f("ix_governance_reviews_organisation_closed_sequence"),
        "governance_reviews",
        ["organisation", "closed_sequence"],
        unique=False,
    )
    op.create_table(
        "governance_review_places",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("governance_review_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("place", TEXT, nullable=False),
        sa.PrimaryKeyConstraint(
            "organisation", "governance_review_id", "kind", "place", name=op.f("pk_governance_review_places")
        ),
    )
    op.create_index(
        op.f("ix_governance_review_places_organisation_kind_place"),
        "governance_review_places",
        ["organisation", "kind", "place"],
        unique=False,
    )
    op.create_table(
        "governance_carried",
        sa.Column("organisation", TEXT, nullable=False),
        sa.Column("review_id", TEXT, nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("escalation_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("organisation", "review_id", "valid_to", name=op.f("pk_governance_carried")),
    )
    op.create_index(
        op.f("ix_governance_carried_organisation_valid_to"),
        "governance_carried",
        ["organisation", "valid_to"],
        unique=False,
    )
    op.create_index(
        op.f("ix_governance_carried_organisation_escalation_id"),
        "governance_carried",
        ["organisation", "escalation_id"],
        unique=False,
    )
    op.add_column("actions", sa.Column("governance_review_id", TEXT, nullable=True))
    op.create_index(
        op.f("ix_actions_organisation_governance_review_id"),
        "actions",
        ["organisation", "governance_review_id"],
        unique=False,
    )
    connection = op.get_bind()
    for organisation in list(connection.execute(sa.text("SELECT organisation FROM ledgers")).scalars()):
        _carry(connection, organisation)
        _expect(connection, organisation)


def _expect(connection: sa.Connection, organisation: str) -> None:
    """Organisations that are there already have their timer as if they had it from their beginning, as the ledger gives
    it: that no review was ever closed is told once, the first time it is asked.
    """
    begun = connection.execute(_of_stream("organisation/current", organisation).limit(1)).first()
    if begun is None:
        return
    since = from_micros(begun.recorded_at)
    span, zone = "P1M", "UTC"
    due_at = due_from(since, Span.parse(span), zone)
    for adopted in connection.execute(_of_stream("policy/current", organisation)):
        policy = json.loads(adopted.payload)["policy"]
        text, zone = policy.get("governance_cadence", "P1M"), policy.get("time_zone", "UTC")
        if text != span:
            span = text
            due_at = changed(Cadence(since, due_at), Span.parse(span), zone, from_micros(adopted.recorded_at))
    row = {"organisation": organisation, "kind": "governance_cadence", "subject": "current"}
    insert = "INSERT INTO timers (organisation, kind, subject, due_at) VALUES (:organisation, :kind, :subject, :due_at)"
    connection.execute(sa.text(insert), {**row, "due_at": to_micros(due_at)})


def _carry(connection: sa.Connection, organisation: str) -> None:
    """Reviews that were determined a system risk wait for a governance review."""
    named = sa.text("SELECT review_id, escalation_id FROM reviews WHERE organisation = :organisation")
    for review_id, escalation_id in list(connection.execute(named, {"organisation": organisation})):
        since = None
        for told in connection.execute(_of_stream(f"review/{review_id}", organisation)):
            if told.type != "review.system_risk_determined":
                continue
            is_risk = json.loads(told.payload)["determination"] == "system_risk"
            if is_risk and since is None:
                since = told.sequence
            elif not is_risk and since is not None:
                _put_carried(connection, organisation, review_id, escalation_id, since, told.sequence)
                since = None
        if since is not None:
            _put_carried(connection, organisation, review_id, escalation_id, since, FOR_EVER)


def _put_carried(
    connection: sa.Connection, organisation: str, review_id: str, escalation_id: str, since: int, until: int
) -> None:
    insert = (
        "INSERT INTO governance_carried (organisation, review_id, valid_to, valid_from, escalation_id) "
        "VALUES (:organisation, :review_id, :valid_to, :valid_from, :escalation_id)"
    )
    row = {"organisation": organisation, "review_id": review_id, "escalation_id": escalation_id}
    connection.execute(sa.text(insert), {**row, "valid_from": since, "valid_to": until})


def _of_stream(stream: str, organisation: str) -> sa.Select[tuple[str, int, int, str]]:
    event = sa.table(
        "events",
        *(sa.column(name) for name in ("organisation", "sequence", "stream", "version", "type", "recorded_at")),
        sa.column("payload"),
    )
    chosen = sa.select(event.c.type, event.c.sequence, event.c.recorded_at, event.c.payload)
    return chosen.where(event.c.organisation == organisation, event.c.stream == stream).order_by(event.c.version)


def downgrade() -> None:
    raise RuntimeError("The ledger is never taken back: restore the copy that was made before the upgrade.")
