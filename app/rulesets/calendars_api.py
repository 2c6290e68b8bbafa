"""`/admin/calendars/preview`: is it open, and when does that change?"""

from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.auth.access import RulesReaderDep
from app.routing.calendars import Calendar
from app.rulesets.calendar_preview import choose_calendar, preview
from app.rulesets.deps import RulesetsDep
from app.web.parameters import AnyMoment, show_time
from app.web.problems import problems

__all__ = ["router"]

router = APIRouter(prefix="/admin/calendars", tags=["Rulesets"])

_EXAMPLE: dict[str, JsonValue] = {
    "calendar": {
        "time_zone": "Europe/Helsinki",
        "weekly": {"mon": ["08:00-16:00"], "fri": ["08:00-14:00"]},
        "holidays": {"country": "FI"},
    },
    "at": "2026-12-24T07:30:00Z",
}


class PreviewQuestion(BaseModel):
    """Opening hours and a moment."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    calendar: Calendar = Field(description="As the ruleset file writes it.")
    at: AnyMoment | None = Field(default=None, description="With a time zone; without it now.")


class PreviewAnswer(BaseModel):
    """What the calendar says."""

    calendar: str | None = Field(description="Its name in the ruleset.")
    at: datetime
    local: datetime = Field(description="The same moment in the calendar's time zone.")
    time_zone: str
    open: bool = Field(description="What `time.open` is at that moment.")
    next_change: datetime | None = Field(description="When it opens or closes next; null for not within 400 days.")
    decided_by: str = Field(description="`weekly`, `exception` or `holiday`.")
    label: str = Field(description="The weekday, or the name of the exception or holiday.")
    hours: list[str] = Field(description="The hours that begin on that local day.")
    from_day_before: bool = Field(description="Whether it is still open from the day before.")

    @classmethod
    def of(cls, name: str | None, calendar: Calendar, at: datetime) -> Self:
        """Ask a calendar."""
        found = preview(calendar, at)
        return cls(
            calendar=name,
            at=at.astimezone(UTC),
            local=found.local,
            time_zone=calendar.time_zone,
            open=found.open,
            next_change=found.next_change,
            decided_by=found.decided_by,
            label=found.label,
            hours=list(found.hours),
            from_day_before=found.from_day_before,
        )


@router.get("/preview", summary="Preview a calendar of a ruleset", responses=problems(404, 422, 503))
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


@router.post("/preview", summary="Preview opening hours", responses=problems(422))
async def preview_hours(body: PreviewQuestion, _who: RulesReaderDep, rulesets: RulesetsDep) -> PreviewAnswer:
    """Tell the same of opening hours that are in no ruleset yet."""
    return PreviewAnswer.of(None, body.calendar, body.at or show_time(rulesets.clock()))
