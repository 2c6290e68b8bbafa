"""Makes a draft the live ruleset, and brings an old one back."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import structlog

from app.errors import AppError, ConflictError, Finding, InvalidInputError
from app.routing.diff import Change, diff_rulesets
from app.routing.ruleset import read_ruleset
from app.rulesets.audited_changes import note_revision, write_changes
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.loading import load_rules
from app.rulesets.publish_checks import PublishChecks, PublishReport
from app.rulesets.repository import RulesetRepository
from app.rulesets.store import RulesetStore
from app.rulesets.values import Document, Revision

__all__ = ["PublishRefusedError", "Published", "Publishing"]

log = structlog.get_logger()


class PublishRefusedError(InvalidInputError):
    """Something keeps the draft from being published; nothing was written."""

    code = "publish-refused"
    title: ClassVar[str] = "Not published"


@dataclass(frozen=True, slots=True)
class Published:
    """A new revision and what the gates said about it."""

    revision: Revision
    report: PublishReport


class Publishing:
    """The only way from a draft to calls. A revision is written whole or not at all."""

    def __init__(
        self,
        *,
        rulesets: RulesetStore,
        repository: RulesetRepository,
        checks: PublishChecks,
        live_ruleset: LiveRuleset,
        clock: Callable[[], float],
    ) -> None:
        self._rulesets = rulesets
        self._repository = repository
        self._checks = checks
        self._live_ruleset = live_ruleset
        self._clock = clock

    async def rehearse(self, draft_id: str, *, version: str, expected: int | None) -> PublishReport:
        """Tell what `publish` would say, and write nothing; a revision published meanwhile is a finding."""
        draft = await self._repository.take_draft(draft_id, version)
        report = await self._checks.inspect(draft.document)
        current = await self._repository.current_number()
        if current == expected:
            return report
        return replace(report, findings=(_find_conflict(current), *report.findings))

    async def publish(
        self, draft_id: str, *, version: str, expected: int | None, comment: str, author: str
    ) -> Published:
        """Publish exactly the version of the draft that the author saw, over the revision that the author saw.

        Raises NotFoundError, PreconditionFailedError for another version of the draft, ConflictError for another
        revision, PublishRefusedError with every finding of the gates, and StoreError.
        """
        draft = await self._repository.take_draft(draft_id, version)
        await self._require_current(expected)
        report = await self._checks.inspect(draft.document)
        if not report.publishable:
            errors = sum(finding.severity == "error" for finding in report.findings)
            detail = f"{errors} thing{'' if errors == 1 else 's'} must be put right before this draft can be published"
            raise PublishRefusedError(detail, findings=report.findings)
        now = self._clock()
        note = note_revision(
            "ruleset.published",
            before=expected,
            author=author,
            at=now,
            details={"comment": comment, **await self._list_changes(draft.document)},
        )
        revision = await self._rulesets.publish(
            draft_id, version=version, expected=expected, comment=comment, author=author, now=now, notes=[note]
        )
        await self._announce(revision, note.what)
        return Published(revision, report)

    async def roll_back(self, ref: str, *, expected: int | None, comment: str, author: str) -> Published:
        """Publish an old revision again, as a new one.

        What the gates find is told and refuses nothing, since the old rules were live before and somebody needs them
        now. Raises NotFoundError, ConflictError, StoreError, and InvalidInputError for a revision that this version of
        the program cannot load.
        """
        old = await self._repository.find_revision(ref)
        await load_rules(old.document)
        report = await self._checks.inspect(old.document)
        now, number = self._clock(), old.head.number
        note = note_revision(
            "ruleset.rolled_back",
            before=expected,
            author=author,
            at=now,
            details={"comment": comment, "rollback_of": number, **await self._list_changes(old.document)},
        )
        revision = await self._rulesets.roll_back(
            number, expected=expected, comment=comment, author=author, now=now, notes=[note]
        )
        await self._announce(revision, note.what)
        return Published(revision, report)

    async def _require_current(self, expected: int | None) -> None:
        current = await self._repository.current_number()
        if current != expected:
            raise ConflictError(_find_conflict(current).message)

    async def _announce(self, revision: Revision, what: str) -> None:
        """Make the revision live here at once; other processes notice by themselves."""
        try:
            await self._live_ruleset.refresh()
        except AppError as error:
            log.warning("ruleset.live_later", revision=revision.head.number, error=error.code)
        log.info(what, revision=revision.head.number, author=revision.head.author)

    async def _list_changes(self, document: Document) -> dict[str, Any]:
        """List what is different from the current revision."""
        try:
            current = await self._rulesets.current()
            changes = await asyncio.to_thread(_compare, {} if current is None else current.document, document)
        except InvalidInputError:  # the current revision was written by another version of the program
            return {"changes": None}
        return write_changes(changes)


def _compare(old: Document, new: Document) -> tuple[Change, ...]:
    return diff_rulesets(read_ruleset(old), read_ruleset(new))


def _find_conflict(current: int | None) -> Finding:
    message = f"another revision was published meanwhile: {current}" if current else "nothing is published yet"
    return Finding(
        code="another-revision", pointer="", message=message, hint="look at the difference, then publish again"
    )
