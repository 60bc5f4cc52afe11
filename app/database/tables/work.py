"""What is to be done, and who is at it."""

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from app.database.tables.columns import metadata, number, text_column

# A timer only asks; the rule answers. Made and unmade by events alone.
timers = Table(
    "timers",
    metadata,
    text_column("organisation"),
    text_column("kind"),
    text_column("subject"),
    number("due_at"),
    PrimaryKeyConstraint("organisation", "kind", "subject"),
    Index(None, "due_at"),
)

# Which worker asks for a due timer just now, until when in real time; whoever dies gives it back by that.
timer_leases = Table(
    "timer_leases",
    metadata,
    text_column("organisation"),
    text_column("kind"),
    text_column("subject"),
    number("due_at"),
    text_column("holder"),
    number("until"),
    PrimaryKeyConstraint("organisation", "kind", "subject"),
    Index(None, "holder"),
)

# How far each follower of the ledger has come; moved in the transaction that stores its effect.
followers = Table(
    "followers",
    metadata,
    text_column("organisation"),
    text_column("name"),
    number("position"),
    PrimaryKeyConstraint("organisation", "name"),
)
