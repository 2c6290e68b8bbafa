"""Decisions that wait for their export."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "report_exports",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("batch", TEXT),
        sa.PrimaryKeyConstraint("id", name="pk_report_exports"),
    )
    op.create_index("ix_report_exports_batch", "report_exports", ["batch"])
