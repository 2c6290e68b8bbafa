"""Administration: audit, settings, keys, jobs, alerts, users, calls of the enterprise."""

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Table, text

from app.store.json_text import Document, PlainText
from app.store.tables.base import metadata

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Double, nullable=False),
    Column("who", PlainText, nullable=False),
    Column("what", PlainText, nullable=False),
    Column("target", PlainText, nullable=False),
    Column("before", Document),
    Column("after", Document),
    Index(None, "target", "id"),
    sqlite_autoincrement=True,
)

settings_versions = Table(
    "settings_versions",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("document", Document, nullable=False),
    Column("author", PlainText, nullable=False),
    Column("at", Double, nullable=False),
)

confirmations = Table(
    "confirmations",
    metadata,
    Column("subject", PlainText, primary_key=True),
    Column("item", PlainText, primary_key=True),
    Column("who", PlainText, nullable=False),
    Column("at", Double, nullable=False),
    Column("note", PlainText, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("label", PlainText, nullable=False, index=True),
    Column("role", PlainText, nullable=False),
    Column("salt", PlainText, nullable=False),
    Column("digest", PlainText, nullable=False),
    Column("created_by", PlainText, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("last_used", Double),
)

key_uses = Table(
    "key_uses",
    metadata,
    Column("label", PlainText, primary_key=True),
    Column("last_used", Double, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("kind", PlainText, nullable=False),
    Column("state", PlainText, nullable=False, index=True),
    Column("author", PlainText, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer),
    Column("cancel_requested", Boolean, nullable=False),
    Column("result", Document),
    Column("error", PlainText),
    Column("created_at", Double, nullable=False, index=True),
    Column("updated_at", Double, nullable=False),
    Column("finished_at", Double),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("key", PlainText, nullable=False),
    Column("kind", PlainText, nullable=False),
    Column("state", PlainText, nullable=False),
    Column("detail", Document, nullable=False),
    Column("opened_at", Double, nullable=False, index=True),
    Column("acknowledged_by", PlainText),
    Column("acknowledged_at", Double),
    Column("cleared_at", Double),
    Index(
        "ix_alerts_open_key",
        "key",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

alert_receivers = Table(
    "alert_receivers",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("since", Double, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("delivered_at", Double),
    Column("failed_at", Double),
    Column("error", PlainText),
)

alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("receiver", PlainText, primary_key=True),
    Column("state", PlainText, nullable=False),
    Column("message", Document, nullable=False),
    Column("at", Double, nullable=False),
    Column("done_at", Double),
    Index(None, "receiver", "state", "at"),
)

registration_readings = Table(
    "registration_readings",
    metadata,
    Column("application_id", PlainText, primary_key=True),
    Column("reading", Document, nullable=False),
)

agent_ids = Table(
    "agent_ids",
    metadata,
    Column("user_id", PlainText, primary_key=True),
    Column("enreach_id", PlainText),
    Column("email", PlainText),
    Column("updated_at", Double, nullable=False),
)

enterprise_calls = Table(
    "enterprise_calls",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("call_id", PlainText, nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("user_id", PlainText),
    Column("number", PlainText, index=True),
    Column("event", Document, nullable=False),
    Column("outcome", PlainText, nullable=False),
    Column("reason", PlainText, nullable=False),
    Column("steps", Document, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("tried_at", Double),
    Index(None, "outcome", "at", "id"),
    Index(None, "at", "id"),
)

enterprise_call_state = Table(
    "enterprise_call_state",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("since", Double, nullable=False),
    Column("position", Double, nullable=False),
    Column("overnight", Double, nullable=False),
    Column("runs", Document, nullable=False),
)
