"""Every version of the settings documents, and the one a decision was made with."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_COLUMNS = ("name", "document", "author", "at")


def upgrade() -> None:
    """Create the table, make what is set its first version, and note versions with decisions."""
    op.create_table(
        "settings_versions",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("author", TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="pk_settings_versions"),
    )
    names = ", ".join(_COLUMNS)
    op.execute(f"INSERT INTO settings_versions (version, {names}) SELECT 1, {names} FROM settings_documents")  # noqa: S608 - our own names
    op.drop_table("settings_documents")
    op.add_column("decisions", sa.Column("settings_version", sa.Integer()))
