"""The tables. Times are seconds since the epoch; JSON keeps the order of its members, so never JSONB."""

from sqlalchemy import (
    JSON,
    TEXT,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine
from typing_extensions import override

from app.store.json_text import replace_odd_characters

__all__ = [
    "PlainText",
    "agent_ids",
    "alerts",
    "api_keys",
    "audit",
    "caller_snapshots",
    "confirmations",
    "decisions",
    "drafts",
    "enterprise_call_state",
    "enterprise_calls",
    "event_runs",
    "jobs",
    "key_uses",
    "metadata",
    "mirror_generations",
    "mirror_numbers",
    "mirror_positions",
    "mirror_records",
    "revisions",
    "rule_table_parts",
    "rule_table_versions",
    "rule_tables",
    "settings_versions",
    "shadow_diffs",
    "shadow_results",
    "switches",
]


class PlainText(TypeDecorator[str]):
    """Text of any length that both databases can hold and sort the same way: by code point, without NUL."""

    impl = Text
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return TEXT(collation="C") if dialect.name == "postgresql" else TEXT()

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else replace_odd_characters(value)


class Document(TypeDecorator[object]):
    """A JSON document; `None` is NULL."""

    impl = JSON(none_as_null=True)
    cache_ok = True


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", PlainText, primary_key=True),
    Column("at", Double, nullable=False),
    Column("request_id", PlainText, nullable=False),
    Column("credential", PlainText, nullable=False),
    Column("call_id", PlainText, index=True),
    Column("caller_raw", PlainText),
    Column("caller_e164", PlainText, index=True),
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
    Index(None, "queue_id", "id"),
)

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

key_uses = Table(
    "key_uses",
    metadata,
    Column("label", PlainText, primary_key=True),
    Column("last_used", Double, nullable=False),
)

caller_snapshots = Table(
    "caller_snapshots",
    metadata,
    Column("e164", PlainText, primary_key=True),
    Column("caller", Document, nullable=False),
    Column("as_of", Double, nullable=False, index=True),
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

agent_ids = Table(
    "agent_ids",
    metadata,
    Column("user_id", PlainText, primary_key=True),
    Column("enreach_id", PlainText),
    Column("email", PlainText),
    Column("updated_at", Double, nullable=False),
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

confirmations = Table(
    "confirmations",
    metadata,
    Column("subject", PlainText, primary_key=True),
    Column("item", PlainText, primary_key=True),
    Column("who", PlainText, nullable=False),
    Column("at", Double, nullable=False),
    Column("note", PlainText, nullable=False),
)

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
    sqlite_with_rowid=False,
)

mirror_numbers = Table(
    "mirror_numbers",
    metadata,
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("e164", PlainText, primary_key=True),
    Column("kind", PlainText, primary_key=True),
    Column("id", PlainText, primary_key=True),
    sqlite_with_rowid=False,
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
