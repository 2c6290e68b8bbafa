"""`/admin/rulesets`: drafts as a whole and part by part; `/admin/decisions/{decision_id}/test`: recorded calls."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field

from app.auth.access import RulesEditorDep
from app.auth.principals import Principal
from app.calls.api import RevealDep
from app.errors import InvalidInputError
from app.routing.calendars import Calendar
from app.routing.rotas import Rota
from app.routing.rule import Rule
from app.routing.ruleset import DestinationSpec, Ruleset
from app.routing.stored_tests import StoredTest
from app.rulesets.api import RulesetsDep
from app.rulesets.components import RulesetComponents
from app.rulesets.drafts import drafts
from app.rulesets.drafts.drafts import Edit
from app.rulesets.repository import show_draft
from app.rulesets.schemas import NewDraft, RulesetBody
from app.rulesets.store import Draft
from app.web.limits import HeavyRoute
from app.web.parameters import DecisionId, IfMatchDep, JsonBodyDep, RulesetRef, StrictBody, describe_body, tag
from app.web.problems import problems

__all__ = ["decision_tests_router", "parts_router", "router"]

router = APIRouter(prefix="/admin/rulesets", tags=["Rulesets"], route_class=HeavyRoute)
parts_router = APIRouter(prefix="/admin/rulesets/{ref}", tags=["Rulesets"], route_class=HeavyRoute)
decision_tests_router = APIRouter(prefix="/admin/decisions", tags=["Decisions"], route_class=HeavyRoute)

_RULESET = {
    "destinations": {"vip-queue": {"kind": "queue", "id": "1a89fc22-517a-e611-80c9-00505689257e"}},
    "rules": [
        {"id": "vip", "when": {"fact": "caller.vip", "op": "is", "value": True}, "then": {"redirect": "vip-queue"}}
    ],
}
_PROBLEMS = problems(404, 412, 422, 428, 503)
_RULE = {"id": "hidden", "when": {"fact": "call.withheld", "op": "is", "value": True}, "then": {"no_change": True}}
_DESTINATION = {"kind": "queue", "id": "1a89fc22-517a-e611-80c9-00505689257e", "label": "VIP service"}
_ROTA = {
    "time_zone": "Europe/Helsinki",
    "members": ["aino", "mikko"],
    "period": "week",
    "start": "2026-03-02T08:00",
    "swaps": [{"from": "2026-03-09T08:00", "to": "2026-03-10T08:00", "member": "aino"}],
}
_CALENDAR = {"time_zone": "Europe/Helsinki", "weekly": {"mon": ["08:00-16:00"]}, "holidays": {"country": "FI"}}
_TEST = {"name": "a VIP calls", "call": {"anum": "+358501234567"}, "caller": {"vip": True}, "expect": {"rule": "vip"}}
Name = Annotated[str, Path(min_length=1, max_length=100, description="Its name in the ruleset; a rule goes by its id.")]


class Place(BaseModel):
    """Where a rule goes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"position": 0}]})

    position: int = Field(ge=0, le=5_000, description="From 0; the first rule that matches decides.")


class Change:
    """One change to one draft, by whoever asks, from the version they saw."""

    def __init__(self, ref: str, who: Principal, version: str, rulesets: RulesetComponents, response: Response) -> None:
        self._ref = ref
        self._who = who
        self._version = version
        self._drafts = rulesets.drafts
        self._response = response

    async def make(self, edit: Edit) -> RulesetBody:
        """Make the change and show the draft."""
        draft = await self._drafts.edit(self._ref, edit, version=self._version, author=self._who.name)
        return _answer(draft, self._response)


async def _begin_change(
    ref: RulesetRef, who: RulesEditorDep, version: IfMatchDep, rulesets: RulesetsDep, response: Response
) -> Change:
    return Change(ref, who, version, rulesets, response)


ChangeDep = Annotated[Change, Depends(_begin_change)]


class RecordedTest(BaseModel):
    """How to call the test."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "as it was decided"}]})

    name: str | None = Field(default=None, min_length=1, max_length=200, description="Without it: when and where.")


class AddedTest(RulesetBody):
    """The draft, and the test it has now."""

    test: str = Field(description="The name of the new test.")


@router.post(
    "/drafts", summary="Start a draft", status_code=status.HTTP_201_CREATED, responses=problems(404, 409, 422, 503)
)
async def create_draft(
    body: StrictBody[NewDraft], who: RulesEditorDep, rulesets: RulesetsDep, response: Response
) -> RulesetBody:
    """Start a draft: empty, from the current revision, from an older one, from another draft, or from a file."""
    if body.source is not None and body.document is not None:
        raise InvalidInputError("Give a source or a document, not both.")
    draft = await rulesets.drafts.create(name=body.name, source=body.source, document=body.document, author=who.name)
    response.headers["Location"] = f"/admin/rulesets/{draft.id}"
    return _answer(draft, response)


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
    written = await rulesets.drafts.replace(ref, version=version, name=name, document=document, author=who.name)
    return _answer(written, response)


@router.delete(
    "/{ref}",
    summary="Throw a draft away",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(404, 412, 428, 503),
)
async def delete_draft(ref: RulesetRef, who: RulesEditorDep, version: IfMatchDep, rulesets: RulesetsDep) -> None:
    """Throw a draft away; the audit keeps what it was."""
    await rulesets.drafts.delete(ref, version=version, author=who.name)


@parts_router.post(
    "/rules", summary="Add a rule", responses=_PROBLEMS, openapi_extra=describe_body(Rule, "A rule.", _RULE)
)
async def add_rule(
    change: ChangeDep,
    rule: JsonBodyDep,
    position: Annotated[int | None, Query(ge=0, le=5_000, description="From 0; without it at the end.")] = None,
) -> RulesetBody:
    """Add a rule; pointers of a refusal lead into the rule that was sent."""
    return await change.make(drafts.add_rule(rule, position))


@parts_router.put(
    "/rules/{rule_id}",
    summary="Replace a rule",
    responses=_PROBLEMS,
    openapi_extra=describe_body(Rule, "A rule; its id may be left out.", _RULE),
)
async def put_rule(rule_id: Name, change: ChangeDep, rule: JsonBodyDep) -> RulesetBody:
    """Write a rule over another; it keeps its place, and its id unless another is given."""
    return await change.make(drafts.put_rule(rule_id, rule))


@parts_router.post("/rules/{rule_id}/move", summary="Move a rule", responses=_PROBLEMS)
async def move_rule(rule_id: Name, body: StrictBody[Place], change: ChangeDep) -> RulesetBody:
    """Give a rule another place in the order."""
    return await change.make(drafts.move_rule(rule_id, body.position))


@parts_router.delete("/rules/{rule_id}", summary="Remove a rule", responses=_PROBLEMS)
async def remove_rule(rule_id: Name, change: ChangeDep) -> RulesetBody:
    """Take a rule out."""
    return await change.make(drafts.remove_rule(rule_id))


@parts_router.put(
    "/destinations/{name}",
    summary="Set a destination",
    responses=_PROBLEMS,
    openapi_extra=describe_body(DestinationSpec, "A destination.", _DESTINATION),
)
async def put_destination(name: Name, change: ChangeDep, destination: JsonBodyDep) -> RulesetBody:
    """Add a destination, or change it."""
    return await change.make(drafts.put_member("destinations", name, destination))


@parts_router.delete("/destinations/{name}", summary="Remove a destination", responses=_PROBLEMS)
async def remove_destination(name: Name, change: ChangeDep) -> RulesetBody:
    """Take a destination out; rules that still name it keep the draft from being published."""
    return await change.make(drafts.remove_member("destinations", name))


@parts_router.put(
    "/calendars/{name}",
    summary="Set a calendar",
    responses=_PROBLEMS,
    openapi_extra=describe_body(Calendar, "Opening hours.", _CALENDAR),
)
async def put_calendar(name: Name, change: ChangeDep, calendar: JsonBodyDep) -> RulesetBody:
    """Add opening hours, or change them."""
    return await change.make(drafts.put_member("calendars", name, calendar))


@parts_router.delete("/calendars/{name}", summary="Remove a calendar", responses=_PROBLEMS)
async def remove_calendar(name: Name, change: ChangeDep) -> RulesetBody:
    """Take opening hours out."""
    return await change.make(drafts.remove_member("calendars", name))


@parts_router.put(
    "/rotas/{name}",
    summary="Set a rota",
    responses=_PROBLEMS,
    openapi_extra=describe_body(Rota, "Who is on call when.", _ROTA),
)
async def put_rota(name: Name, change: ChangeDep, rota: JsonBodyDep) -> RulesetBody:
    """Add a rota, or change it: its members, its swaps."""
    return await change.make(drafts.put_member("rotas", name, rota))


@parts_router.delete("/rotas/{name}", summary="Remove a rota", responses=_PROBLEMS)
async def remove_rota(name: Name, change: ChangeDep) -> RulesetBody:
    """Take a rota out; rules that still name it keep the draft from being published."""
    return await change.make(drafts.remove_member("rotas", name))


@parts_router.put(
    "/tests/{name:path}",
    summary="Set a test",
    responses=_PROBLEMS,
    openapi_extra=describe_body(StoredTest, "A test; its name may be left out.", _TEST),
)
async def put_test(name: str, change: ChangeDep, test: JsonBodyDep) -> RulesetBody:
    """Add a test, or change it; its name is the one in the path."""
    return await change.make(drafts.put_test(name, test))


@parts_router.delete("/tests/{name:path}", summary="Remove a test", responses=_PROBLEMS)
async def remove_test(name: str, change: ChangeDep) -> RulesetBody:
    """Take a test out."""
    return await change.make(drafts.remove_test(name))


@decision_tests_router.post(
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
    body: Annotated[StrictBody[RecordedTest | None], Body(examples=[{"name": "as it was decided"}])] = None,
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
    return AddedTest(**dict(_answer(changed, response)), test=name)


def _answer(draft: Draft, response: Response) -> RulesetBody:
    """Show a draft after a change, with its new version."""
    tag(response, draft.version)
    return RulesetBody.of(show_draft(draft))
