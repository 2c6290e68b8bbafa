"""`/admin/credentials`: which of the webhook's credentials are in use."""

from datetime import UTC, date, datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.auth.access import StatusReaderDep
from app.operations.credentials import CredentialKind
from app.operations.deps import OperationsDep
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/credentials", tags=["Operations"])


class CredentialBody(BaseModel):
    """One key or Basic user, without its secret."""

    label: str
    kind: CredentialKind
    last_used: datetime | None = Field(description="Null: never, as far as is remembered.")
    retiring: date | None = Field(description="The day it is to be removed (SMARTROUTING_WEBHOOK__RETIRING).")


@router.get("", summary="List the webhook's credentials", responses=problems(503))
async def list_credentials(_reader: StatusReaderDep, operations: OperationsDep) -> list[CredentialBody]:
    """List labels with their last use, so that a key can be removed once nobody uses it any more."""
    return [
        CredentialBody(
            label=credential.label,
            kind=credential.kind,
            last_used=None if credential.last_used is None else datetime.fromtimestamp(credential.last_used, UTC),
            retiring=credential.retiring,
        )
        for credential in await operations.credentials.list_all()
    ]
