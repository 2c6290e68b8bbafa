"""Figures for reports, the deadline of each decision, and one index for the calls of a number by time."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables; decisions from before are added up by `smartrouting reports rebuild`."""
    op.add_column("decisions", sa.Column("deadline_ms", sa.Integer()))
    op.create_index("ix_decisions_caller_e164_at", "decisions", ["caller_e164", "at"])
    op.drop_index("ix_decisions_caller_e164", "decisions")
    op.create_table(
        "report_cells",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("queue", TEXT, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("destination", TEXT, nullable=False),
        sa.Column("caller_status", TEXT, nullable=False),
        sa.Column("caller_cause", TEXT, nullable=False),
        sa.Column("caller_source", TEXT, nullable=False),
        sa.Column("vip", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("in_time", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_report_cells"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_calls",
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cell", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("slot", "cell", name="pk_report_calls"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_latencies",
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("cell", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("slot", "cell", "bucket", name="pk_report_latencies"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_requests",
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("purpose", TEXT, nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("slot", "purpose", name="pk_report_requests"),
        sqlite_with_rowid=False,
    )
