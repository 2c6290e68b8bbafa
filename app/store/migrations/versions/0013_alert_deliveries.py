"""Who is told of alerts, and what each of them was told."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create two tables."""
    op.create_table(
        "alert_receivers",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("delivered_at", sa.Double()),
        sa.Column("failed_at", sa.Double()),
        sa.Column("error", TEXT),
        sa.PrimaryKeyConstraint("name", name="pk_alert_receivers"),
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("receiver", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("done_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", "receiver", name="pk_alert_deliveries"),
    )
    op.create_index("ix_alert_deliveries_receiver_state_at", "alert_deliveries", ["receiver", "state", "at"])
