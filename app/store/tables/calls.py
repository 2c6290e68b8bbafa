"""What calls leave behind: decisions, remembered callers, comparisons with a draft, runs of events."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Table, text

from app.store.json_text import Document, PlainText
from app.store.tables.base import metadata

decisions = Table(
    "decisions",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("at", Double, nullable=False),
    Column("request_id", PlainText, nullable=False),
    Column("credential", PlainText, nullable=False),
    Column("call_id", PlainText, index=True),
    Column("caller_raw", PlainText),
    Column("caller_e164", PlainText),
    Column("called_raw", PlainText),
    Column("called_e164", PlainText),
    Column("target_id", PlainText),
    Column("queue_id", PlainText),
    Column("facts", Document, nullable=False),
    Column("caller_status", PlainText, nullable=False),
    Column("caller_cause", PlainText),
    Column("caller_age_seconds", Double),
    Column("caller_source", PlainText, nullable=False),
    Column("revision", Integer),
    Column("rule", PlainText),
    Column("outcome", PlainText, nullable=False),
    Column("decision", Document, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", PlainText),
    Column("waterfall", Document, nullable=False),
    Column("drill", PlainText),
    Column("hops", Integer, nullable=False),
    Column("erased", Boolean, nullable=False, server_default=text("false")),
    Column("settings_version", Integer),
    Column("deadline_ms", Integer),
    Index(None, "queue_id", "id"),
    Index(None, "caller_e164", "at"),
)

caller_snapshots = Table(
    "caller_snapshots",
    metadata,
    Column("e164", PlainText, primary_key=True),
    Column("caller", Document, nullable=False),
    Column("as_of", Double, nullable=False, index=True),
)

shadow_results = Table(
    "shadow_results",
    metadata,
    Column("draft", PlainText, primary_key=True),
    Column("version", PlainText, nullable=False),
    Column("since", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("other_rule", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("dropped", Integer, nullable=False),
    Column("groups", Document, nullable=False),
    Column("missing_facts", Document, nullable=False),
)

shadow_diffs = Table(
    "shadow_diffs",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("draft", PlainText, nullable=False),
    Column("decision", PlainText, nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("diff", Document, nullable=False),
    Index(None, "draft", "id"),
    sqlite_autoincrement=True,
)

event_runs = Table(
    "event_runs",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("at", Double, nullable=False, index=True),
    Column("event", PlainText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("request_id", PlainText, nullable=False),
    Column("credential", PlainText, nullable=False),
    Column("call_id", PlainText),
    Column("phone_raw", PlainText),
    Column("phone_e164", PlainText, index=True),
    Column("user_id", PlainText),
    Column("customer", Document),
    Column("trace", Document, nullable=False),
    Column("ms", Double, nullable=False),
    Column("erased", Boolean, nullable=False, server_default=text("false")),
    Index(None, "event", "id"),
)
