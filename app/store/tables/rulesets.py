"""Rulesets and what their rules read: revisions, drafts, switches, named tables."""

from sqlalchemy import Boolean, Column, Double, ForeignKey, Integer, Table

from app.store.json_text import Document, PlainText
from app.store.tables.base import metadata

revisions = Table(
    "revisions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("document", Document, nullable=False),
    Column("comment", PlainText, nullable=False),
    Column("author", PlainText, nullable=False),
    Column("at", Double, nullable=False),
    Column("checksum", PlainText, nullable=False),
    Column("rollback_of", Integer, ForeignKey("revisions.number")),
)

drafts = Table(
    "drafts",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("name", PlainText, nullable=False),
    Column("document", Document, nullable=False),
    Column("version", PlainText, nullable=False),
    Column("based_on", Integer, ForeignKey("revisions.number")),
    Column("author", PlainText, nullable=False),
    Column("updated_at", Double, nullable=False),
)

switches = Table(
    "switches",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("on", Boolean, nullable=False),
    Column("reason", PlainText, nullable=False),
    Column("off_at", Double),
    Column("author", PlainText, nullable=False),
    Column("at", Double, nullable=False),
)

rule_tables = Table(
    "rule_tables",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("key", PlainText, nullable=False),
    Column("region", PlainText),
    Column("columns", Document, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("author", PlainText, nullable=False),
    Column("at", Double, nullable=False),
)

rule_table_parts = Table(
    "rule_table_parts",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("rows", PlainText, nullable=False),
)

rule_table_versions = Table(
    "rule_table_versions",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("what", PlainText, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("removed", Integer, nullable=False),
    Column("author", PlainText, nullable=False),
    Column("at", Double, nullable=False),
)
