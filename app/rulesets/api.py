"""`/admin/rulesets`: look at rulesets, judge them, publish them, go back."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.auth.access import RulesPublisherDep, RulesReaderDep, SettingsManagerDep
from app.routing.ruleset import read_ruleset
from app.rulesets.deps import RulesetsDep
from app.rulesets.publish_limits import PublishLimits
from app.rulesets.publishing import Published
from app.rulesets.schemas import (
    ChangeBody,
    CoverageBody,
    DraftHead,
    PublishBody,
    PublishCheckBody,
    PublishedBody,
    RevisionItem,
    RevisionPage,
    RulesetBody,
)
from app.web.parameters import IfMatchDep, RulesetRef, tag
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/rulesets", tags=["Rulesets"])


@router.get("/drafts", summary="List drafts", responses=problems(503))
async def list_drafts(_who: RulesReaderDep, rulesets: RulesetsDep) -> list[DraftHead]:
    """List the drafts, the last changed first."""
    return [DraftHead.of(draft) for draft in await rulesets.repository.list_drafts()]


@router.get("/revisions", summary="List revisions", responses=problems(422, 503))
async def list_revisions(
    _who: RulesReaderDep,
    rulesets: RulesetsDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=20, description="`next` of the page before.")] = None,
) -> RevisionPage:
    """List what was published, newest first; the first one is live."""
    page = await rulesets.repository.list_revisions(limit=limit, after=after)
    return RevisionPage(items=[RevisionItem.of(head) for head in page.items], next=page.next)


@router.get("/diff", summary="Compare two rulesets", responses=problems(404, 422, 503))
async def diff_rulesets(
    _who: RulesReaderDep,
    rulesets: RulesetsDep,
    new: Annotated[str, Query(max_length=64, description="`current`, a revision's number or a draft's id.")],
    old: Annotated[str, Query(max_length=64, description="The same.")] = "current",
) -> list[ChangeBody]:
    """List what the second ruleset adds, removes, changes and moves."""
    return [ChangeBody.of(change) for change in await rulesets.repository.diff(old, new)]


@router.get("/publish-limits", summary="Show the limits of publishing", responses=problems(503))
async def show_limits(_who: RulesReaderDep, rulesets: RulesetsDep, response: Response) -> PublishLimits:
    """Show how much a new ruleset may change."""
    found = await rulesets.limits.read()
    tag(response, found.version)
    return found.limits


@router.put("/publish-limits", summary="Set the limits of publishing", responses=problems(412, 422, 428, 503))
async def set_limits(
    *,
    body: PublishLimits,
    who: SettingsManagerDep,
    version: IfMatchDep,
    rulesets: RulesetsDep,
    response: Response,
) -> PublishLimits:
    """Set how many recorded calls a new ruleset may decide otherwise before it is refused."""
    written = await rulesets.limits.change(body, version=version, author=who.name, now=rulesets.clock())
    tag(response, written.version)
    return written.limits


@router.get("/{ref}", summary="Show a ruleset", responses=problems(404, 422, 503))
async def show_ruleset(ref: RulesetRef, _who: RulesReaderDep, rulesets: RulesetsDep, response: Response) -> RulesetBody:
    """Show a draft by its id, a revision by its number, or the live one as `current`."""
    found = await rulesets.repository.find(ref)
    tag(response, found.version)
    return RulesetBody.of(found)


@router.post("/{ref}/validate", summary="Judge a ruleset", responses=problems(404, 503))
async def validate_ruleset(ref: RulesetRef, _who: RulesReaderDep, rulesets: RulesetsDep) -> PublishCheckBody:
    """Ask every gate and change nothing."""
    return PublishCheckBody.of(await rulesets.publish_checks.inspect((await rulesets.repository.find(ref)).document))


@router.post("/{ref}/publish", summary="Publish a draft", responses=problems(404, 409, 412, 422, 428, 503))
async def publish_draft(
    *,
    ref: RulesetRef,
    body: PublishBody,
    who: RulesPublisherDep,
    version: IfMatchDep,
    rulesets: RulesetsDep,
    response: Response,
    dry_run: Annotated[bool, Query(description="Only report what the gates say.")] = False,
) -> PublishedBody:
    """Make the draft the next revision; the next call is decided by it.

    422 lists everything that stands against it at once. 412: the draft is not as you saw it. 409: another revision
    was published meanwhile.
    """
    if dry_run:
        rehearsed = await rulesets.publishing.rehearse(ref, version=version, expected=body.expected_revision)
        return PublishedBody.rehearse(rehearsed)
    published = await rulesets.publishing.publish(
        ref, version=version, expected=body.expected_revision, comment=body.comment, author=who.name
    )
    return _answer(published, response)


@router.post("/{ref}/rollback", summary="Bring a revision back", responses=problems(404, 409, 422, 503))
async def roll_back(
    ref: RulesetRef, body: PublishBody, who: RulesPublisherDep, rulesets: RulesetsDep, response: Response
) -> PublishedBody:
    """Publish the rules of an old revision as a new one. What the gates find is reported and refuses nothing."""
    published = await rulesets.publishing.roll_back(
        ref, expected=body.expected_revision, comment=body.comment, author=who.name
    )
    return _answer(published, response)


@router.get("/{ref}/coverage", summary="Count calls by rule", responses=problems(404, 422, 503))
async def show_coverage(
    ref: RulesetRef,
    _who: RulesReaderDep,
    rulesets: RulesetsDep,
    days: Annotated[int, Query(ge=1, le=3650)] = 30,
) -> CoverageBody:
    """Tell how often each rule decided a real call in the last days."""
    ruleset = await asyncio.to_thread(read_ruleset, (await rulesets.repository.find(ref)).document)
    return CoverageBody.of(await rulesets.coverage.count(ruleset, days=days, now=rulesets.clock()))


def _answer(published: Published, response: Response) -> PublishedBody:
    tag(response, f"revision-{published.revision.head.number}")
    return PublishedBody.of(published)
