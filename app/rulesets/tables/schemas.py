"""JSON bodies of tables."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from app.rulesets.tables.content import MAX_TEXT
from app.rulesets.tables.store import TableHead
from app.web.parameters import ShownTime

__all__ = ["KeyKind", "TableBody", "TableList", "TablePage", "TablePatch", "TableVersionPage"]

KeyKind = Literal["number", "text"]
_Value = str | int | float | bool | None


class TablePatch(BaseModel):
    """Some rows of a table, and keys of rows to remove."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"rows": [{"number": "+358912345677", "queue": "support"}], "remove": ["+358912345678"]}]
        },
    )

    rows: list[dict[str, Any]] = Field(
        default=[],
        max_length=1000,
        description="Each with its key; columns that it does not name stay as they are, null empties one.",
    )
    remove: list[str | int] = Field(
        default=[], max_length=1000, description=f"Keys of at most {MAX_TEXT} characters; one without a row is ignored."
    )


class TableBody(BaseModel):
    """A table without its rows."""

    name: str
    version: int = Field(description="As in the ETag.")
    keyed_by: KeyKind
    key: str = Field(description="What the column of keys is called.")
    columns: list[str] = Field(description="The other columns; rules read them as `table.<name>.<column>`.")
    rows: int
    author: str = Field(description="Who changed it last.")
    at: ShownTime

    @classmethod
    def of(cls, head: TableHead) -> Self:
        """Take a head."""
        return cls(
            name=head.name,
            version=head.version,
            keyed_by="text" if head.region is None else "number",
            key=head.key,
            columns=list(head.columns),
            rows=head.rows,
            author=head.author,
            at=head.at,  # type: ignore[arg-type] # seconds are shown as a time
        )


class TableList(BaseModel):
    """All tables, by name."""

    items: list[TableBody]
    next: None = Field(default=None, description="Always null: there is never more than one page.")


class TablePage(TableBody):
    """A table with some of its rows, in the order of their keys."""

    items: list[dict[str, _Value]]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")


class TableVersionBody(BaseModel):
    """One change of a table."""

    model_config = ConfigDict(from_attributes=True)

    version: int
    what: str = Field(description="`put`, `patched`, `erased` or `deleted`.")
    rows: int = Field(description="So many it had afterwards.")
    added: int
    changed: int
    removed: int
    author: str
    at: ShownTime


class TableVersionPage(BaseModel):
    """Some changes of a table, newest first."""

    model_config = ConfigDict(from_attributes=True)

    items: list[TableVersionBody]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")
