"""What a draft in the shadow would have decided otherwise, out of the settings documents."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON()
_DOCUMENTS = sa.table("settings_documents", sa.column("name", sa.Text()), sa.column("document", JSON))
_COUNTS = ("calls", "changed", "other_rule", "skipped", "dropped")


def upgrade() -> None:
    """Create both tables and move what was found so far."""
    results = op.create_table(
        "shadow_results",
        sa.Column("draft", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.Column("groups", JSON, nullable=False),
        sa.Column("missing_facts", JSON, nullable=False),
        sa.PrimaryKeyConstraint("draft", name="pk_shadow_results"),
    )
    diffs = op.create_table(
        "shadow_diffs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("draft", TEXT, nullable=False),
        sa.Column("decision", TEXT, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("diff", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shadow_diffs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shadow_diffs_draft_id", "shadow_diffs", ["draft", "id"])
    op.create_index("ix_shadow_diffs_decision", "shadow_diffs", ["decision"])
    connection = op.get_bind()
    ours = _DOCUMENTS.c.name == "shadow_results"
    for found in connection.execute(sa.select(_DOCUMENTS.c.document).where(ours)).scalars().all():
        _move(connection, results, diffs, found)
    connection.execute(sa.delete(_DOCUMENTS).where(ours))


def _move(connection: sa.Connection, results: sa.Table, diffs: sa.Table, found: Mapping[str, Any]) -> None:
    names = ("draft", "version", "since", *_COUNTS, "groups", "missing_facts")
    row = {name: found[name] for name in names}
    connection.execute(sa.insert(results).values(row | {"updated_at": found["since"]}))
    for diff in found["diffs"]:
        row = {"draft": found["draft"], "decision": diff["decision"], "at": diff["at"], "diff": diff}
        connection.execute(sa.insert(diffs).values(row))
