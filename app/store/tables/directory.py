"""The mirror of the numbers of the CRM, and what is known about their notations."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Table, text

from app.store.json_text import Document, PlainText
from app.store.tables.base import metadata

mirror_generations = Table(
    "mirror_generations",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", PlainText, nullable=False),
    Column("plan", Document, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("changes", BigInteger, nullable=False),
)

mirror_positions = Table(
    "mirror_positions",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("kind", PlainText, primary_key=True),
    Column("link", PlainText),
    Column("loaded", Boolean, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("reading_since", Double),
    Column("synced_at", Double),
)

mirror_records = Table(
    "mirror_records",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("kind", PlainText, primary_key=True),
    Column("id", PlainText, primary_key=True),
    Column("active", Boolean, nullable=False),
    Column("parent", PlainText),
    Column("owner", PlainText),
    Column("numbers", Document, nullable=False),
    Column("data", Document, nullable=False),
    Column("faults", Integer, nullable=False, server_default=text("0")),
    Index(
        "ix_mirror_records_faults",
        "generation",
        "faults",
        "kind",
        "id",
        sqlite_where=text("faults > 0"),
        postgresql_where=text("faults > 0"),
    ),
    sqlite_with_rowid=False,
)

mirror_numbers = Table(
    "mirror_numbers",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("e164", PlainText, primary_key=True),
    Column("kind", PlainText, primary_key=True),
    Column("id", PlainText, primary_key=True),
    Column("spelling", PlainText),
    sqlite_with_rowid=False,
)

search_finds = Table(
    "search_finds",
    metadata,
    Column("kind", PlainText, primary_key=True),
    Column("id", PlainText, primary_key=True),
    Column("e164", PlainText, nullable=False, index=True),
    Column("at", Double, nullable=False),
)

number_counts = Table(
    "number_counts",
    metadata,
    Column("day", PlainText, primary_key=True),
    Column("counts", Document, nullable=False),
)

number_corrections = Table(
    "number_corrections",
    metadata,
    Column("job", PlainText, primary_key=True),
    Column("kind", PlainText, primary_key=True),
    Column("id", PlainText, primary_key=True),
    Column("column", PlainText, primary_key=True),
    Column("before", PlainText, nullable=False),
    Column("after", PlainText, nullable=False),
    Column("at", Double, nullable=False),
)
