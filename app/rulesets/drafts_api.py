"""`/admin/rulesets`: drafts as a whole."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from app.auth.access import RulesEditorDep
from app.errors import InvalidInputError
from app.routing.ruleset import Ruleset
from app.rulesets.deps import RulesetsDep
from app.rulesets.repository import show_draft
from app.rulesets.schemas import NewDraft, RulesetBody
from app.rulesets.values import Draft
from app.web.bodies import JsonBodyDep, describe_body
from app.web.parameters import IfMatchDep, RulesetRef, tag
from app.web.problems import problems

__all__ = ["answer", "router"]

router = APIRouter(prefix="/admin/rulesets", tags=["Rulesets"])

_RULESET = {
    "destinations": {"vip-queue": {"kind": "queue", "id": "1a89fc22-517a-e611-80c9-00505689257e"}},
    "rules": [
        {"id": "vip", "when": {"fact": "caller.vip", "op": "is", "value": True}, "then": {"redirect": "vip-queue"}}
    ],
}


def answer(draft: Draft, response: Response) -> RulesetBody:
    """Show a draft after a change, with its new version."""
    tag(response, draft.version)
    return RulesetBody.of(show_draft(draft))


@router.post("/drafts", summary="Start a draft", status_code=status.HTTP_201_CREATED, responses=problems(404, 422, 503))
async def create_draft(body: NewDraft, who: RulesEditorDep, rulesets: RulesetsDep, response: Response) -> RulesetBody:
    """Start a draft: empty, from the current revision, from an older one, from another draft, or from a file."""
    if body.source is not None and body.document is not None:
        raise InvalidInputError("Give a source or a document, not both.")
    draft = await rulesets.drafting.create(name=body.name, source=body.source, document=body.document, author=who.name)
    response.headers["Location"] = f"/admin/rulesets/{draft.id}"
    return answer(draft, response)


@router.put(
    "/{ref}",
    summary="Rewrite a draft",
    responses=problems(404, 412, 422, 428, 503),
    openapi_extra=describe_body(Ruleset, "A ruleset file.", _RULESET),
)
async def replace_draft(
    *,
    ref: RulesetRef,
    who: RulesEditorDep,
    version: IfMatchDep,
    document: JsonBodyDep,
    rulesets: RulesetsDep,
    response: Response,
    name: Annotated[str | None, Query(min_length=1, max_length=200, description="A new name for the draft.")] = None,
) -> RulesetBody:
    """Replace the whole draft by a ruleset file."""
    written = await rulesets.drafting.replace(ref, version=version, name=name, document=document, author=who.name)
    return answer(written, response)


@router.delete(
    "/{ref}",
    summary="Throw a draft away",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 412, 428, 503),
)
async def delete_draft(ref: RulesetRef, who: RulesEditorDep, version: IfMatchDep, rulesets: RulesetsDep) -> None:
    """Throw a draft away; the audit keeps what it was."""
    await rulesets.drafting.delete(ref, version=version, author=who.name)
