"""Work calls and what became of them, and how far Enreach was read."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON()


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "enterprise_calls",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("call_id", TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("user_id", TEXT),
        sa.Column("number", TEXT),
        sa.Column("event", JSON, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("steps", JSON, nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("tried_at", sa.Double()),
        sa.PrimaryKeyConstraint("id", name="pk_enterprise_calls"),
    )
    op.create_index("ix_enterprise_calls_call_id", "enterprise_calls", ["call_id"])
    op.create_index("ix_enterprise_calls_number", "enterprise_calls", ["number"])
    op.create_index("ix_enterprise_calls_outcome_at_id", "enterprise_calls", ["outcome", "at", "id"])
    op.create_index("ix_enterprise_calls_at_id", "enterprise_calls", ["at", "id"])
    op.create_table(
        "enterprise_call_state",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("position", sa.Double(), nullable=False),
        sa.Column("overnight", sa.Double(), nullable=False),
        sa.Column("runs", JSON, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_enterprise_call_state"),
    )
