"""Who signs for the ledgers, and the nodes of their trees that are kept."""

from sqlalchemy import PrimaryKeyConstraint, Table, UniqueConstraint

from app.database.tables.columns import blob, metadata, number, text_column

# The service's own keys, one for all organisations: the highest generation signs, and none is ever taken away.
# public_key: 32 bytes (Ed25519); wrapped: the private one, by the master key.
signing_keys = Table(
    "signing_keys",
    metadata,
    number("generation"),
    text_column("key_id"),
    blob("public_key"),
    blob("wrapped"),
    number("created_at"),
    number("retired_at", optional=True),
    PrimaryKeyConstraint("generation"),
    UniqueConstraint("key_id"),
)

# Hashes of complete subtrees over the leaves [ordinal * 2^level, (ordinal + 1) * 2^level).
ledger_nodes = Table(
    "ledger_nodes",
    metadata,
    text_column("organisation"),
    number("level"),
    number("ordinal"),
    blob("hash"),
    PrimaryKeyConstraint("organisation", "level", "ordinal"),
)
