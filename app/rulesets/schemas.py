"""What the endpoints of rulesets say and understand."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from app.errors import Finding, format_message
from app.routing.diff import Change
from app.rulesets.coverage import CoverageReport
from app.rulesets.publish_checks import PublishReport
from app.rulesets.publishing import Published
from app.rulesets.repository import FoundRuleset
from app.rulesets.values import Draft, RevisionHead
from app.web.parameters import show_time
from app.web.problems import ProblemItem

__all__ = [
    "ChangeBody",
    "CoverageBody",
    "DraftHead",
    "NewDraft",
    "PublishBody",
    "PublishCheckBody",
    "PublishedBody",
    "RevisionItem",
    "RevisionPage",
    "RulesetBody",
    "write_diff",
]

_LARGEST = 2**31 - 1


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
        ge=1, le=_LARGEST, description="The revision you saw as current; null when nothing was published yet."
    )


class DraftHead(BaseModel):
    """What a list says about a draft."""

    id: str
    name: str
    etag: str = Field(description="Send it in If-Match to change the draft.")
    based_on: int | None = Field(description="The revision it started from.")
    author: str = Field(description="Who changed it last.")
    updated_at: datetime

    @classmethod
    def of(cls, draft: Draft) -> Self:
        """Take the head of a draft."""
        return cls(
            id=draft.id,
            name=draft.name,
            etag=f'"{draft.version}"',
            based_on=draft.based_on,
            author=draft.author,
            updated_at=show_time(draft.updated_at),
        )


class RevisionItem(BaseModel):
    """What a list says about a revision."""

    revision: int
    comment: str
    author: str
    at: datetime
    checksum: str
    rollback_of: int | None = Field(description="The revision whose rules it brought back.")

    @classmethod
    def of(cls, head: RevisionHead) -> Self:
        """Take the head of a revision."""
        return cls(
            revision=head.number,
            comment=head.comment,
            author=head.author,
            at=show_time(head.at),
            checksum=head.checksum,
            rollback_of=head.rollback_of,
        )


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
            draft=None if found.draft is None else DraftHead.of(found.draft),
            revision=None if found.head is None else RevisionItem.of(found.head),
            document=dict(found.document),
        )


class ChangeBody(BaseModel):
    """One difference between two rulesets."""

    kind: Literal["added", "removed", "changed", "moved"]
    part: str = Field(description="`rule`, `destination`, `calendar`, `default_calendar` or `test`.")
    id: str
    pointer: str = Field(description="JSON pointer: in the old ruleset for what was removed, else in the new one.")
    before: Any = None
    after: Any = None

    @classmethod
    def of(cls, change: Change) -> Self:
        """Take a change."""
        return cls(
            kind=change.kind,
            part=change.part,
            id=change.id,
            pointer=change.pointer,
            before=change.before,
            after=change.after,
        )


class PublishCheckBody(BaseModel):
    """What the gates say about a ruleset."""

    publishable: bool = Field(description="Whether none of the findings is an error.")
    findings: list[ProblemItem]
    replay: dict[str, Any] | None = Field(description="Of recorded calls, when a limit is set.")

    @classmethod
    def of(cls, report: PublishReport) -> Self:
        """Take a report."""
        findings = [_present(finding) for finding in report.findings]
        return cls(publishable=report.publishable, findings=findings, replay=_copy(report.replay))


class PublishedBody(BaseModel):
    """A revision that went live, or the rehearsal of one."""

    published: bool = Field(description="False for a dry run.")
    revision: RevisionItem | None
    gates: PublishCheckBody

    @classmethod
    def of(cls, published: Published) -> Self:
        """Take what was published."""
        return cls(
            published=True,
            revision=RevisionItem.of(published.revision.head),
            gates=PublishCheckBody.of(published.report),
        )

    @classmethod
    def rehearse(cls, report: PublishReport) -> Self:
        """Take what the gates would say."""
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


def write_diff(diff: Mapping[str, Any]) -> dict[str, Any]:
    """Show one call that would be decided otherwise."""
    return {**diff, "at": show_time(diff["at"])}


def _present(finding: Finding) -> ProblemItem:
    return ProblemItem(
        code=finding.code,
        pointer=finding.pointer,
        detail=format_message(finding.message),
        hint=format_message(finding.hint) or None,
        rule=finding.rule,
        severity=finding.severity,
    )


def _copy(replay: Any) -> dict[str, Any] | None:
    return None if replay is None else dict(replay)
