"""Faults of stored numbers, who was found by a search only, and what was corrected."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add two columns of the mirror, and create three tables."""
    op.add_column("mirror_records", sa.Column("faults", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_index(
        "ix_mirror_records_faults",
        "mirror_records",
        ["generation", "faults", "kind", "id"],
        sqlite_where=sa.text("faults > 0"),
        postgresql_where=sa.text("faults > 0"),
    )
    op.add_column("mirror_numbers", sa.Column("spelling", TEXT))
    op.create_table(
        "search_finds",
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("e164", TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name="pk_search_finds"),
    )
    op.create_index("ix_search_finds_e164", "search_finds", ["e164"])
    op.create_table(
        "number_counts",
        sa.Column("day", TEXT, nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("day", name="pk_number_counts"),
    )
    op.create_table(
        "number_corrections",
        sa.Column("job", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("column", TEXT, nullable=False),
        sa.Column("before", TEXT, nullable=False),
        sa.Column("after", TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("job", "kind", "id", "column", name="pk_number_corrections"),
    )
