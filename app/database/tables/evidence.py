"""Evidence packs: which there are, who builds one just now, and the bytes of those that are built."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from app.database.tables.columns import blob, metadata, number, text_column

# Which packs were asked for, and how far each has come. as_of_sequence: of the ledger that it is made of.
evidence_packs = Table(
    "evidence_packs",
    metadata,
    text_column("organisation"),
    text_column("pack_id"),
    number("sequence"),
    text_column("status"),
    number("as_of_sequence"),
    number("ready_sequence", optional=True),
    PrimaryKeyConstraint("organisation", "pack_id"),
    Index(None, "organisation", "sequence", unique=True),
    Index(None, "status"),
)

# Who builds a pack, until when in real time, how far it has come, and when it is tried again. No projection: whoever
# dies gives it back by `until`, and a pack that has no row waits for its first worker.
evidence_pack_jobs = Table(
    "evidence_pack_jobs",
    metadata,
    text_column("organisation"),
    text_column("pack_id"),
    text_column("holder"),
    number("until"),
    number("tries"),
    text_column("what"),
    number("done"),
    number("total"),
    PrimaryKeyConstraint("organisation", "pack_id"),
    Index(None, "holder"),
)

# The bytes of a pack, a piece a row, in order. No projection: they are in no event, only their hash is.
evidence_pack_pieces = Table(
    "evidence_pack_pieces",
    metadata,
    text_column("organisation"),
    text_column("pack_id"),
    number("number"),
    blob("data"),
    PrimaryKeyConstraint("organisation", "pack_id", "number"),
)
