"""Figures of reports, which name nobody."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table

from app.store.json_text import Document, PlainText
from app.store.tables.base import metadata

report_cells = Table(
    "report_cells",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("queue", PlainText, nullable=False),
    Column("rule", PlainText, nullable=False),
    Column("outcome", PlainText, nullable=False),
    Column("destination", PlainText, nullable=False),
    Column("caller_status", PlainText, nullable=False),
    Column("caller_cause", PlainText, nullable=False),
    Column("caller_source", PlainText, nullable=False),
    Column("vip", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("in_time", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

report_calls = Table(
    "report_calls",
    metadata,
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("cell", BigInteger, primary_key=True, autoincrement=False),
    Column("calls", Integer, nullable=False),
    Column("repeated", Integer, nullable=False),
    sqlite_with_rowid=False,
)

report_latencies = Table(
    "report_latencies",
    metadata,
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("cell", BigInteger, primary_key=True, autoincrement=False),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("calls", Integer, nullable=False),
    sqlite_with_rowid=False,
)

report_requests = Table(
    "report_requests",
    metadata,
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("purpose", PlainText, primary_key=True),
    Column("requests", Integer, nullable=False),
    sqlite_with_rowid=False,
)

report_users = Table(
    "report_users",
    metadata,
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("counts", Document, nullable=False),
)

report_exports = Table(
    "report_exports",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("batch", PlainText, index=True),
)
