"""`/admin/rulesets`: look at rulesets, judge them, publish them, go back; `/admin/calendars`: who is there when."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.auth.access import RulesPublisherDep, RulesReaderDep, SettingsManagerDep
from app.auth.principals import Permission
from app.rulesets.calendar_preview import choose_calendar, choose_rota
from app.rulesets.components import RulesetComponents, RulesetsState
from app.rulesets.publish import Published
from app.rulesets.publish_checks import PublishLimits
from app.rulesets.redaction import redact_change, redact_finding, redact_found, redact_head, redact_texts
from app.rulesets.schemas import (
    ChangeBody,
    CoverageBody,
    DraftHead,
    PreviewAnswer,
    PreviewQuestion,
    PublishBody,
    PublishCheckBody,
    PublishedBody,
    RevisionItem,
    RevisionPage,
    RotaAnswer,
    RulesetBody,
)
from app.web.limits import HeavyRoute
from app.web.parameters import AnyMoment, IfMatchDep, RulesetRef, StrictBody, WholeList, show_time, tag
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["RulesetsDep", "calendars_router", "router"]

router = APIRouter(prefix="/admin/rulesets", tags=["Rulesets"], route_class=HeavyRoute)
calendars_router = APIRouter(prefix="/admin/calendars", tags=["Rulesets"], route_class=HeavyRoute)


async def _read_components(request: Request) -> RulesetComponents:
    return read_state(request.scope, RulesetsState)["rulesets"]


RulesetsDep = Annotated[RulesetComponents, Depends(_read_components)]


@router.get("/drafts", summary="List drafts", responses=problems(503))
async def list_drafts(who: RulesReaderDep, rulesets: RulesetsDep) -> WholeList[DraftHead]:
    """List the drafts, the last changed first."""
    drafts = await rulesets.store.drafts.list_heads()
    shown = drafts if who.may(Permission.REVEAL_NUMBERS) else [redact_head(draft) for draft in drafts]
    return WholeList(items=[DraftHead.model_validate(draft) for draft in shown])


@router.get("/revisions", summary="List revisions", responses=problems(422, 503))
async def list_revisions(
    who: RulesReaderDep,
    rulesets: RulesetsDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=20, description="`next` of the page before.")] = None,
) -> RevisionPage:
    """List what was published, newest first; the first one is live."""
    page = await rulesets.store.list_revisions(limit=limit, after=after)
    heads = page.items if who.may(Permission.REVEAL_NUMBERS) else [redact_head(head) for head in page.items]
    return RevisionPage(items=[RevisionItem.model_validate(head) for head in heads], next=page.next)


@router.get("/diff", summary="Compare two rulesets", responses=problems(404, 422, 503))
async def diff_rulesets(
    who: RulesReaderDep,
    rulesets: RulesetsDep,
    new: Annotated[str, Query(max_length=64, description="`current`, a revision's number or a draft's id.")],
    old: Annotated[str, Query(max_length=64, description="The same.")] = "current",
) -> WholeList[ChangeBody]:
    """List what the second ruleset adds, removes, changes and moves."""
    changes = await rulesets.repository.diff(old, new)
    reveal = who.may(Permission.REVEAL_NUMBERS)
    items = await rulesets.heavy_work.run(
        lambda: [ChangeBody.model_validate(change if reveal else redact_change(change)) for change in changes]
    )
    return WholeList(items=items)


@router.get("/publish-limits", summary="Show the limits of publishing", responses=problems(503))
async def show_limits(_who: RulesReaderDep, rulesets: RulesetsDep, response: Response) -> PublishLimits:
    """Show how much a new ruleset may change."""
    found = await rulesets.limits.read()
    tag(response, found.version)
    return found.value


@router.put("/publish-limits", summary="Set the limits of publishing", responses=problems(412, 422, 428, 503))
async def set_limits(
    *,
    body: StrictBody[PublishLimits],
    who: SettingsManagerDep,
    version: IfMatchDep,
    rulesets: RulesetsDep,
    response: Response,
) -> PublishLimits:
    """Set how many recorded calls a new ruleset may decide otherwise before it is refused."""
    written = await rulesets.limits.write(body, version=version, author=who.name, now=rulesets.clock())
    tag(response, written.version)
    return written.value


@router.get("/{ref}", summary="Show a ruleset", responses=problems(404, 422, 503))
async def show_ruleset(ref: RulesetRef, who: RulesReaderDep, rulesets: RulesetsDep, response: Response) -> RulesetBody:
    """Show a draft by its id, a revision by its number, or the live one as `current`.

    Whom its conditions and tests name is hidden from whoever may not see numbers.
    """
    found = await rulesets.repository.find(ref)
    tag(response, found.version)
    if who.may(Permission.REVEAL_NUMBERS):
        return RulesetBody.of(found)
    return RulesetBody.of(await rulesets.heavy_work.run(redact_found, found))


@router.post("/{ref}/validate", summary="Judge a ruleset", responses=problems(404, 503))
async def validate_ruleset(ref: RulesetRef, who: RulesReaderDep, rulesets: RulesetsDep) -> PublishCheckBody:
    """Ask every publish check and change nothing."""
    report = await rulesets.publish_checks.inspect((await rulesets.repository.find(ref)).document)
    if not who.may(Permission.REVEAL_NUMBERS):
        report = replace(report, findings=tuple(redact_finding(finding) for finding in report.findings))
    return PublishCheckBody.of(report)


@router.post("/{ref}/publish", summary="Publish a draft", responses=problems(404, 409, 412, 422, 428, 503))
async def publish_draft(
    *,
    ref: RulesetRef,
    body: StrictBody[PublishBody],
    who: RulesPublisherDep,
    version: IfMatchDep,
    rulesets: RulesetsDep,
    response: Response,
    dry_run: Annotated[bool, Query(description="Only report what the publish checks say.")] = False,
) -> PublishedBody:
    """Make the draft the next revision; the next call is decided by it.

    422 lists everything that stands against it at once. 412: the draft is not as you saw it. 409: another revision
    was published meanwhile.
    """
    if dry_run:
        rehearsed = await rulesets.publish.rehearse(ref, version=version, expected=body.expected_revision)
        return PublishedBody.rehearse(rehearsed)
    published = await rulesets.publish.publish(
        ref, version=version, expected=body.expected_revision, comment=body.comment, author=who.name
    )
    return _answer(published, response)


@router.post("/{ref}/rollback", summary="Bring a revision back", responses=problems(404, 409, 422, 503))
async def roll_back(
    ref: RulesetRef, body: StrictBody[PublishBody], who: RulesPublisherDep, rulesets: RulesetsDep, response: Response
) -> PublishedBody:
    """Publish the rules of an old revision as a new one. The publish checks are reported and refuse nothing."""
    published = await rulesets.publish.roll_back(
        ref, expected=body.expected_revision, comment=body.comment, author=who.name
    )
    return _answer(published, response)


@router.get("/{ref}/coverage", summary="Count calls by rule", responses=problems(404, 422, 503))
async def show_coverage(
    ref: RulesetRef,
    who: RulesReaderDep,
    rulesets: RulesetsDep,
    days: Annotated[int, Query(ge=1, le=3650)] = 30,
) -> CoverageBody:
    """Tell how often each rule decided a real call in the last days."""
    await rulesets.repository.find(ref)
    ruleset = await rulesets.repository.read(ref)
    counted = CoverageBody.of(await rulesets.coverage.count(ruleset, days=days, now=rulesets.clock()))
    if who.may(Permission.REVEAL_NUMBERS):
        return counted
    return CoverageBody.model_validate(redact_texts(counted.model_dump()))


@calendars_router.get("/preview", summary="Preview a calendar of a ruleset", responses=problems(404, 422, 503))
async def preview_calendar(
    _who: RulesReaderDep,
    rulesets: RulesetsDep,
    calendar: Annotated[str | None, Query(max_length=100, description="Its name; without it the default one.")] = None,
    ruleset: Annotated[str, Query(max_length=64, description="`current`, a revision or a draft.")] = "current",
    at: Annotated[AnyMoment | None, Query(description="With a time zone; without it now.")] = None,
) -> PreviewAnswer:
    """Tell whether a calendar is open at a moment, why, and when that changes next."""
    name, found = choose_calendar(await rulesets.repository.read(ruleset), calendar)
    return PreviewAnswer.of(name, found, at or show_time(rulesets.clock()))


@calendars_router.get("/rotas/{rota}", summary="Preview a rota", responses=problems(404, 422, 503))
async def preview_rota(
    rota: Annotated[str, Path(max_length=100)],
    _who: RulesReaderDep,
    rulesets: RulesetsDep,
    ruleset: Annotated[str, Query(max_length=64, description="`current`, a revision or a draft.")] = "current",
    at: Annotated[AnyMoment | None, Query(description="With a time zone; without it now.")] = None,
    turns: Annotated[int, Query(ge=1, le=100, description="How many turns to list.")] = 10,
) -> RotaAnswer:
    """Tell who is on call at a moment, and who comes next."""
    found = choose_rota(await rulesets.repository.read(ruleset), rota)
    return RotaAnswer.of(rota, found, at or show_time(rulesets.clock()), turns)


@calendars_router.post("/preview", summary="Preview opening hours", responses=problems(422))
async def preview_hours(
    body: StrictBody[PreviewQuestion], _who: RulesReaderDep, rulesets: RulesetsDep
) -> PreviewAnswer:
    """Tell the same of opening hours that are in no ruleset yet."""
    return PreviewAnswer.of(None, body.calendar, body.at or show_time(rulesets.clock()))


def _answer(published: Published, response: Response) -> PublishedBody:
    tag(response, f"revision-{published.revision.head.number}")
    return PublishedBody.of(published)
