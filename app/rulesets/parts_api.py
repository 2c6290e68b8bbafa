"""`/admin/rulesets/{ref}`: drafts part by part."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app.auth.requirements import RulesEditorDep
from app.routing.calendars import Calendar
from app.routing.rule import Rule
from app.routing.ruleset import DestinationSpec, StoredTest
from app.rulesets import edits
from app.rulesets.deps import RulesetsDep
from app.rulesets.drafts_api import answer
from app.rulesets.edits import Edit
from app.rulesets.schemas import RulesetBody
from app.web.bodies import JsonBodyDep, describe_body
from app.web.paths import RulesetRef
from app.web.preconditions import IfMatchDep
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/rulesets/{ref}", tags=["Rulesets"])

_PROBLEMS = problems(404, 412, 422, 428, 503)
_RULE = {"id": "hidden", "when": {"fact": "call.withheld", "op": "is", "value": True}, "then": {"no_change": True}}
_DESTINATION = {"kind": "queue", "id": "1a89fc22-517a-e611-80c9-00505689257e", "label": "VIP service"}
_CALENDAR = {"time_zone": "Europe/Helsinki", "weekly": {"mon": ["08:00-16:00"]}, "holidays": {"country": "FI"}}
_TEST = {"call": {"anum": "+358501234567"}, "caller": {"vip": True}, "expect": {"rule": "vip"}}
Name = Annotated[str, Path(min_length=1, max_length=100, description="Its name in the ruleset; a rule goes by its id.")]


class Place(BaseModel):
    """Where a rule goes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"position": 0}]})

    position: int = Field(ge=0, le=5_000, description="From 0; the first rule that matches decides.")


class Change:
    """One change to one draft, by whoever asks, from the version they saw."""

    def __init__(
        self, ref: RulesetRef, who: RulesEditorDep, version: IfMatchDep, rulesets: RulesetsDep, response: Response
    ) -> None:
        self._ref = ref
        self._who = who
        self._version = version
        self._drafting = rulesets.drafting
        self._response = response

    async def make(self, edit: Edit) -> RulesetBody:
        """Make the change and show the draft."""
        draft = await self._drafting.edit(self._ref, edit, version=self._version, author=self._who.name)
        return answer(draft, self._response)


ChangeDep = Annotated[Change, Depends()]


@router.post("/rules", summary="Add a rule", responses=_PROBLEMS, openapi_extra=describe_body(Rule, "A rule.", _RULE))
async def add_rule(
    change: ChangeDep,
    rule: JsonBodyDep,
    position: Annotated[int | None, Query(ge=0, le=5_000, description="From 0; without it at the end.")] = None,
) -> RulesetBody:
    """Add a rule; pointers of a refusal lead into the rule that was sent."""
    return await change.make(edits.add_rule(rule, position))


@router.put(
    "/rules/{rule_id}",
    summary="Replace a rule",
    responses=_PROBLEMS,
    openapi_extra=describe_body(Rule, "A rule; its id may be left out.", _RULE),
)
async def put_rule(rule_id: Name, change: ChangeDep, rule: JsonBodyDep) -> RulesetBody:
    """Write a rule over another; it keeps its place, and its id unless another is given."""
    return await change.make(edits.put_rule(rule_id, rule))


@router.post("/rules/{rule_id}/move", summary="Move a rule", responses=_PROBLEMS)
async def move_rule(rule_id: Name, body: Place, change: ChangeDep) -> RulesetBody:
    """Give a rule another place in the order."""
    return await change.make(edits.move_rule(rule_id, body.position))


@router.delete("/rules/{rule_id}", summary="Remove a rule", responses=_PROBLEMS)
async def remove_rule(rule_id: Name, change: ChangeDep) -> RulesetBody:
    """Take a rule out."""
    return await change.make(edits.remove_rule(rule_id))


@router.put(
    "/destinations/{name}",
    summary="Set a destination",
    responses=_PROBLEMS,
    openapi_extra=describe_body(DestinationSpec, "A destination.", _DESTINATION),
)
async def put_destination(name: Name, change: ChangeDep, destination: JsonBodyDep) -> RulesetBody:
    """Add a destination, or change it."""
    return await change.make(edits.put_member("destinations", name, destination))


@router.delete("/destinations/{name}", summary="Remove a destination", responses=_PROBLEMS)
async def remove_destination(name: Name, change: ChangeDep) -> RulesetBody:
    """Take a destination out; rules that still name it keep the draft from being published."""
    return await change.make(edits.remove_member("destinations", name))


@router.put(
    "/calendars/{name}",
    summary="Set a calendar",
    responses=_PROBLEMS,
    openapi_extra=describe_body(Calendar, "Opening hours.", _CALENDAR),
)
async def put_calendar(name: Name, change: ChangeDep, calendar: JsonBodyDep) -> RulesetBody:
    """Add opening hours, or change them."""
    return await change.make(edits.put_member("calendars", name, calendar))


@router.delete("/calendars/{name}", summary="Remove a calendar", responses=_PROBLEMS)
async def remove_calendar(name: Name, change: ChangeDep) -> RulesetBody:
    """Take opening hours out."""
    return await change.make(edits.remove_member("calendars", name))


@router.put(
    "/tests/{name:path}",
    summary="Set a test",
    responses=_PROBLEMS,
    openapi_extra=describe_body(StoredTest, "A test; its name may be left out.", _TEST),
)
async def put_test(name: str, change: ChangeDep, test: JsonBodyDep) -> RulesetBody:
    """Add a test, or change it; its name is the one in the path."""
    return await change.make(edits.put_test(name, test))


@router.delete("/tests/{name:path}", summary="Remove a test", responses=_PROBLEMS)
async def remove_test(name: str, change: ChangeDep) -> RulesetBody:
    """Take a test out."""
    return await change.make(edits.remove_test(name))
