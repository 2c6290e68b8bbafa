"""The first schema: decisions, rulesets, audit, settings, callers, agents, jobs and alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON()


def upgrade() -> None:
    """Create every table."""
    _create_decisions()
    _create_rulesets()
    _create_records()
    _create_work()


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("request_id", TEXT, nullable=False),
        sa.Column("credential", TEXT, nullable=False),
        sa.Column("call_id", TEXT),
        sa.Column("caller_raw", TEXT),
        sa.Column("caller_e164", TEXT),
        sa.Column("called_raw", TEXT),
        sa.Column("called_e164", TEXT),
        sa.Column("target_id", TEXT),
        sa.Column("queue_id", TEXT),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("caller_status", TEXT, nullable=False),
        sa.Column("caller_cause", TEXT),
        sa.Column("caller_age_seconds", sa.Double()),
        sa.Column("caller_source", TEXT, nullable=False),
        sa.Column("revision", sa.Integer()),
        sa.Column("rule", TEXT),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("decision", JSON, nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", TEXT),
        sa.Column("waterfall", JSON, nullable=False),
        sa.Column("drill", TEXT),
        sa.Column("hops", sa.Integer(), nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )
    for columns in (["call_id"], ["caller_e164"], ["queue_id", "id"]):
        op.create_index(f"ix_decisions_{'_'.join(columns)}", "decisions", columns)


def _create_rulesets() -> None:
    op.create_table(
        "revisions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("comment", TEXT, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("checksum", TEXT, nullable=False),
        sa.Column("rollback_of", sa.Integer()),
        sa.PrimaryKeyConstraint("number", name="pk_revisions"),
        sa.ForeignKeyConstraint(["rollback_of"], ["revisions.number"], name="fk_revisions_rollback_of"),
    )
    op.create_table(
        "drafts",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("based_on", sa.Integer()),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drafts"),
        sa.ForeignKeyConstraint(["based_on"], ["revisions.number"], name="fk_drafts_based_on"),
    )


def _create_records() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("who", TEXT, nullable=False),
        sa.Column("what", TEXT, nullable=False),
        sa.Column("target", TEXT, nullable=False),
        sa.Column("before", JSON),
        sa.Column("after", JSON),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_target_id", "audit", ["target", "id"])
    op.create_table(
        "key_uses",
        sa.Column("label", TEXT, nullable=False),
        sa.Column("last_used", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("label", name="pk_key_uses"),
    )
    op.create_table(
        "caller_snapshots",
        sa.Column("e164", TEXT, nullable=False),
        sa.Column("caller", JSON, nullable=False),
        sa.Column("as_of", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("e164", name="pk_caller_snapshots"),
    )
    op.create_index("ix_caller_snapshots_as_of", "caller_snapshots", ["as_of"])
    op.create_table(
        "settings_documents",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings_documents"),
    )
    op.create_table(
        "agent_ids",
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("enreach_id", TEXT),
        sa.Column("email", TEXT),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_agent_ids"),
    )


def _create_work() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer()),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("result", JSON),
        sa.Column("error", TEXT),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"])
    op.create_table(
        "alerts",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("acknowledged_by", TEXT),
        sa.Column("acknowledged_at", sa.Double()),
        sa.Column("cleared_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_opened_at", "alerts", ["opened_at"])
    is_open = sa.text("state = 'open'")
    op.create_index(
        "ix_alerts_open_key", "alerts", ["key"], unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
