"""What every table is made of: one collection of tables, one kind of text, instants as numbers."""

from sqlalchemy import BigInteger, Column, ColumnElement, LargeBinary, MetaData, Table, Text

FOR_EVER = 2**63 - 1

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared byte by byte on both databases: no locale decides an order."""


def text_column(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, _TEXT, nullable=optional)


def number(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


def blob(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def standing(table: Table, as_of: int | None) -> tuple[ColumnElement[bool], ...]:
    """Which rows of a table with `valid_from` and `valid_to` stand: as of a ledger sequence, or now."""
    if as_of is None:
        return (table.c.valid_to == FOR_EVER,)
    return table.c.valid_from <= as_of, table.c.valid_to > as_of
