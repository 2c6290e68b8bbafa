"""What the endpoints of rulesets say and understand."""

from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.errors import Finding, format_message
from app.routing.calendars import Calendar
from app.routing.rotas import Rota, find_turn, list_turns
from app.rulesets.calendar_preview import preview
from app.rulesets.coverage import CoverageReport
from app.rulesets.publish import Published
from app.rulesets.publish_checks import PublishReport
from app.rulesets.repository import FoundRuleset
from app.web.parameters import AnyMoment, ShownTime
from app.web.problems import ProblemItem

__all__ = [
    "ChangeBody",
    "CoverageBody",
    "DraftHead",
    "NewDraft",
    "PreviewAnswer",
    "PreviewQuestion",
    "PublishBody",
    "PublishCheckBody",
    "PublishedBody",
    "RevisionItem",
    "RevisionPage",
    "RulesetBody",
]

_MAX_NUMBER = 2**31 - 1
_PREVIEW: dict[str, JsonValue] = {
    "calendar": {
        "time_zone": "Europe/Helsinki",
        "weekly": {"mon": ["08:00-16:00"], "fri": ["08:00-14:00"]},
        "holidays": {"country": "FI"},
    },
    "at": "2026-12-24T07:30:00Z",
}


class NewDraft(BaseModel):
    """What a draft starts from."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Summer", "source": "current"}]})

    name: str = Field(min_length=1, max_length=200)
    source: str | None = Field(
        default=None, max_length=64, description="`current`, a revision's number or a draft's id; null starts empty."
    )
    document: dict[str, Any] | None = Field(default=None, description="A whole ruleset file instead of a source.")


class PublishBody(BaseModel):
    """Why, and over what."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"comment": "Summer hours", "expected_revision": 1}]}
    )

    comment: str = Field(min_length=1, max_length=500, description="Why; kept with the revision.")
    expected_revision: int | None = Field(
        ge=1, le=_MAX_NUMBER, description="The revision you saw as current; null when nothing was published yet."
    )


class DraftHead(BaseModel):
    """What a list says about a draft."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    etag: str = Field(description="Send it in If-Match to change the draft.")
    based_on: int | None = Field(description="The revision it started from.")
    author: str = Field(description="Who changed it last.")
    updated_at: ShownTime


class RevisionItem(BaseModel):
    """What a list says about a revision."""

    model_config = ConfigDict(from_attributes=True)

    revision: int = Field(validation_alias="number")
    comment: str
    author: str
    at: ShownTime
    checksum: str
    rollback_of: int | None = Field(description="The revision whose rules it brought back.")


class RevisionPage(BaseModel):
    """Some revisions, newest first."""

    items: list[RevisionItem]
    next: str | None = Field(description="Pass as `after` for the next page; null on the last one.")


class RulesetBody(BaseModel):
    """A draft or a revision."""

    ref: str = Field(description="What to put into paths: the draft's id or the revision's number.")
    kind: Literal["draft", "revision"]
    draft: DraftHead | None = None
    revision: RevisionItem | None = None
    document: dict[str, Any] = Field(description="The ruleset file.")

    @classmethod
    def of(cls, found: FoundRuleset) -> Self:
        """Take a ruleset that was found."""
        return cls(
            ref=found.ref,
            kind="revision" if found.draft is None else "draft",
            draft=None if found.draft is None else DraftHead.model_validate(found.draft),
            revision=None if found.head is None else RevisionItem.model_validate(found.head),
            document=dict(found.document),
        )


class ChangeBody(BaseModel):
    """One difference between two rulesets."""

    model_config = ConfigDict(from_attributes=True)

    kind: Literal["added", "removed", "changed", "moved"]
    part: str = Field(
        description="`rule`, `destination`, `condition`, `calendar`, `rota`, `test`, or a key of the ruleset."
    )
    id: str
    pointer: str = Field(description="JSON pointer: in the old ruleset for what was removed, else in the new one.")
    before: Any = None
    after: Any = None


class PublishCheckBody(BaseModel):
    """What the publish checks say about a ruleset."""

    publishable: bool = Field(description="Whether none of the findings is an error.")
    findings: list[ProblemItem]
    replay: dict[str, Any] | None = Field(description="Of recorded calls, when a limit is set.")

    @classmethod
    def of(cls, report: PublishReport) -> Self:
        """Take a report."""
        return cls(
            publishable=report.publishable,
            findings=[_present(finding) for finding in report.findings],
            replay=None if report.replay is None else dict(report.replay),
        )


class PublishedBody(BaseModel):
    """A revision that went live, or the rehearsal of one."""

    published: bool = Field(description="False for a dry run.")
    revision: RevisionItem | None
    gates: PublishCheckBody

    @classmethod
    def of(cls, published: Published) -> Self:
        """Take what was published."""
        head = RevisionItem.model_validate(published.revision.head)
        return cls(published=True, revision=head, gates=PublishCheckBody.of(published.report))

    @classmethod
    def rehearse(cls, report: PublishReport) -> Self:
        """Take what the publish checks would say."""
        return cls(published=False, revision=None, gates=PublishCheckBody.of(report))


class RuleCoverageBody(BaseModel):
    """One rule and how often it decided."""

    rule: str
    name: str
    enabled: bool
    calls: int
    percent: float = Field(description="Of all calls in these days.")


class CoverageBody(BaseModel):
    """Who decided the calls of some days, by the id of the rule, whatever the revision."""

    days: int
    calls: int
    rules: list[RuleCoverageBody]
    unmatched: int = Field(description="Calls no rule matched.")
    other_rules: dict[str, int] = Field(description="Calls by rules this ruleset does not have.")

    @classmethod
    def of(cls, report: CoverageReport) -> Self:
        """Take a report."""
        rules = [
            RuleCoverageBody(
                rule=rule.id,
                name=rule.name,
                enabled=rule.enabled,
                calls=rule.calls,
                percent=round(rule.calls / report.calls * 100, 2) if report.calls else 0.0,
            )
            for rule in report.rules
        ]
        return cls(
            days=report.days,
            calls=report.calls,
            rules=rules,
            unmatched=report.unmatched,
            other_rules=dict(report.others),
        )


class PreviewQuestion(BaseModel):
    """Opening hours and a moment."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_PREVIEW]})

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


class TurnBody(BaseModel):
    """A turn."""

    model_config = ConfigDict(from_attributes=True)

    member: str = Field(description="The name of a destination.")
    since: datetime
    until: datetime = Field(description="The next hand-over, or the next begin or end of a swap.")
    swapped: bool = Field(description="Whether a swap says so.")


class RotaAnswer(BaseModel):
    """Who is on call, and who comes next."""

    rota: str
    at: datetime
    time_zone: str
    on_call: TurnBody | None = Field(description="Null before the start.")
    turns: list[TurnBody] = Field(description="From then on, or from the start; swaps are turns of their own.")

    @classmethod
    def of(cls, name: str, rota: Rota, at: datetime, count: int) -> Self:
        """Ask a rota."""
        return cls(
            rota=name,
            at=at.astimezone(UTC),
            time_zone=rota.time_zone,
            on_call=None if (now := find_turn(rota, at)) is None else TurnBody.model_validate(now),
            turns=[TurnBody.model_validate(turn) for turn in list_turns(rota, at, count)],
        )


def _present(finding: Finding) -> ProblemItem:
    return ProblemItem(
        code=finding.code,
        pointer=finding.pointer,
        detail=format_message(finding.message),
        hint=format_message(finding.hint) or None,
        rule=finding.rule,
        severity=finding.severity,
    )
