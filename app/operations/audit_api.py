"""`/admin/audit`: who did what to what, and how it was before and after."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.auth.access import AuditReaderDep
from app.operations.deps import OperationsDep
from app.store.audit import AuditEntry
from app.store.pages import Page
from app.web.parameters import show_time
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/audit", tags=["Access"])


class AuditQuery(BaseModel):
    """Which records to list; all given conditions hold together."""

    model_config = ConfigDict(extra="forbid")

    who: str | None = Field(default=None, max_length=200)
    what: str | None = Field(default=None, max_length=100, examples=["role.assigned"])
    target: str | None = Field(default=None, max_length=200, examples=["user/50000000-0000-4000-8000-000000000001"])
    limit: int = Field(default=50, ge=1, le=200)
    after: str | None = Field(default=None, max_length=64, description="`next` of the page before.")


class AuditRecord(BaseModel):
    """One thing somebody did."""

    id: int
    at: datetime
    who: str = Field(description="The label of a key, or the subject of a token.")
    what: str
    target: str
    before: JsonValue
    after: JsonValue

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        """Take an entry."""
        return cls.model_validate(
            {
                "id": entry.id,
                "at": show_time(entry.at),
                "who": entry.who,
                "what": entry.what,
                "target": entry.target,
                "before": entry.before,
                "after": entry.after,
            }
        )


class AuditPage(BaseModel):
    """Some records, newest first."""

    items: list[AuditRecord]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")

    @classmethod
    def of(cls, page: Page[AuditEntry]) -> Self:
        """Take a page."""
        return cls(items=[AuditRecord.of(entry) for entry in page.items], next=page.next)


@router.get("", summary="List the audit", responses=problems(422, 503))
async def list_audit(
    query: Annotated[AuditQuery, Query()], _reader: AuditReaderDep, operations: OperationsDep
) -> AuditPage:
    """List what was done, newest first, by person, action or target."""
    return AuditPage.of(
        await operations.audit.page(
            limit=query.limit, after=query.after, who=query.who, what=query.what, target=query.target
        )
    )
