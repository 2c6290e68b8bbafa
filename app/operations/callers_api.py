"""`/admin/callers/purge`: let callers be looked up anew."""

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.auth.access import OperatorDep
from app.operations.deps import OperationsDep
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/callers", tags=["Operations"])


class PurgeBody(BaseModel):
    """Whom to look up anew. The number is in the body, since paths end up in logs."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"number": "+358501234567"}]})

    number: str | None = Field(default=None, max_length=50, description="One caller's full number.")
    all: bool = Field(default=False, description="Every caller; Dataverse will be asked for each of them again.")

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if self.all == (self.number is not None):
            raise ValueError("say either a number or all")
        return self


class Purged(BaseModel):
    """What is gone."""

    callers: int = Field(description="Entries removed from memory and from the last known callers of the store.")


@router.post("/purge", summary="Look callers up anew", responses=problems(422, 503))
async def purge_callers(body: PurgeBody, who: OperatorDep, operations: OperationsDep) -> Purged:
    """Forget what is remembered about one caller or all of them in this process, and the last known callers.

    The decision log stays; `/admin/erasures` is for persons who want to be forgotten.
    """
    return Purged(callers=await operations.erasure.purge(body.number, who=who.name))
