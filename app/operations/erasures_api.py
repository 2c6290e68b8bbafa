"""`/admin/erasures`: a person wants to be forgotten."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.auth.access import EraserDep
from app.operations.deps import OperationsDep
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/erasures", tags=["Operations"])


class ErasureBody(BaseModel):
    """Whom to forget."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"number": "+358501234567"}]})

    number: str = Field(max_length=50, description="The full number.")


class Erased(BaseModel):
    """What is gone."""

    number: str = Field(description="Masked.", examples=["+35850*****67"])
    erased: dict[str, int] = Field(
        description="Entries by place: calls of the shadow, decisions, rejected journal lines, callers."
    )


@router.post("", summary="Forget a caller", responses=problems(422, 503))
async def erase_number(body: ErasureBody, who: EraserDep, operations: OperationsDep) -> Erased:
    """Erase a number from the journal, the decision log, the memory and the last known callers.

    Decisions stay as numbers in reports, without anything that says who called. The audit record names the number
    masked. Doing it again is harmless.
    """
    number, erased = await operations.erasure.erase(body.number, who=who.name)
    return Erased(number=number, erased=erased)
