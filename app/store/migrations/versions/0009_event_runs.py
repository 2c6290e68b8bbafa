"""Runs of events of the phone client."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "event_runs",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("request_id", TEXT, nullable=False),
        sa.Column("credential", TEXT, nullable=False),
        sa.Column("call_id", TEXT),
        sa.Column("phone_raw", TEXT),
        sa.Column("phone_e164", TEXT),
        sa.Column("user_id", TEXT),
        sa.Column("customer", sa.JSON()),
        sa.Column("trace", sa.JSON(), nullable=False),
        sa.Column("ms", sa.Double(), nullable=False),
        sa.Column("erased", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_runs"),
    )
    op.create_index("ix_event_runs_at", "event_runs", ["at"])
    op.create_index("ix_event_runs_phone_e164", "event_runs", ["phone_e164"])
    op.create_index("ix_event_runs_event_id", "event_runs", ["event", "id"])
