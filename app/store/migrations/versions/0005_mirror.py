"""The index of the mirror: records by number, and how far each table of Dataverse was read."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON()


def upgrade() -> None:
    """Create the four tables."""
    op.create_table(
        "mirror_generations",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("plan", JSON, nullable=False),
        sa.Column("started_at", sa.Double(), nullable=False),
        sa.Column("changes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_mirror_generations"),
    )
    op.create_table(
        "mirror_positions",
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("link", TEXT),
        sa.Column("loaded", sa.Boolean(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("reading_since", sa.Double()),
        sa.Column("synced_at", sa.Double()),
        sa.PrimaryKeyConstraint("generation", "kind", name="pk_mirror_positions"),
    )
    op.create_table(
        "mirror_records",
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("parent", TEXT),
        sa.Column("owner", TEXT),
        sa.Column("numbers", JSON, nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.PrimaryKeyConstraint("generation", "kind", "id", name="pk_mirror_records"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mirror_numbers",
        sa.Column("generation", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("e164", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("generation", "e164", "kind", "id", name="pk_mirror_numbers"),
        sqlite_with_rowid=False,
    )
