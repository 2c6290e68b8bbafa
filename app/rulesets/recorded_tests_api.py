"""`/admin/decisions/{decision}/test`: a recorded call becomes a stored test."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field

from app.auth.requirements import RulesEditorDep
from app.calls.api import RevealDep
from app.rulesets.deps import RulesetsDep
from app.rulesets.drafts_api import answer
from app.rulesets.schemas import RulesetBody
from app.web.paths import DecisionId
from app.web.preconditions import IfMatchDep
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/decisions", tags=["Decisions"])


class RecordedTest(BaseModel):
    """How to call the test."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "as it was decided"}]})

    name: str | None = Field(default=None, min_length=1, max_length=200, description="Without it: when and where.")


class AddedTest(RulesetBody):
    """The draft, and the test it has now."""

    test: str = Field(description="The name of the new test.")


@router.post(
    "/{decision_id}/test",
    summary="Make a test of a decision",
    status_code=status.HTTP_201_CREATED,
    responses=problems(404, 409, 412, 422, 428, 503),
)
async def add_recorded_test(
    *,
    decision_id: DecisionId,
    draft: Annotated[str, Query(max_length=64, description="The draft that gets the test.")],
    who: RulesEditorDep,
    reveal_to: RevealDep,
    version: IfMatchDep,
    rulesets: RulesetsDep,
    response: Response,
    body: RecordedTest | None = None,
) -> AddedTest:
    """Add a test to a draft that expects what was decided then, with the facts that the draft's rules read.

    The caller's number is replaced. When rules read who is calling, the test can only keep that with `reveal=true`.
    """
    changed, name = await rulesets.recorded_tests.add(
        decision_id,
        draft,
        version=version,
        name=body.name if body else None,
        author=who.name,
        reveal=reveal_to is not None,
    )
    return AddedTest(**answer(changed, response).model_dump(), test=name)
