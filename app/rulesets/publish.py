"""Makes a draft the live ruleset, brings an old one back, and publishes the file of a deployment at the start."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import structlog

from app.errors import AppError, ConflictError, Finding, InvalidInputError
from app.routing.lint import lint_ruleset
from app.routing.ruleset import Ruleset, read_ruleset, ruleset_document
from app.routing.wire import ResponseProfile
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.publish_checks import PublishChecks, PublishReport
from app.rulesets.repository import RulesetRepository
from app.rulesets.store import Document, Revision, RulesetStore, compute_checksum
from app.store.audit import AuditNote
from app.web.limits import HeavyWork

__all__ = ["Publish", "PublishRefusedError", "Published", "publish_at_start", "read_ruleset_file", "require_sound"]

log = structlog.get_logger()

_DEPLOYMENT = "deployment"


class PublishRefusedError(InvalidInputError):
    """Something keeps the draft from being published; nothing was written."""

    code = "publish-refused"
    title: ClassVar[str] = "Not published"


@dataclass(frozen=True, slots=True)
class Published:
    """A new revision and what the publish checks said about it."""

    revision: Revision
    report: PublishReport


class Publish:
    """The only way from a draft to calls. A revision is written whole or not at all."""

    def __init__(
        self,
        *,
        rulesets: RulesetStore,
        repository: RulesetRepository,
        checks: PublishChecks,
        live_ruleset: LiveRuleset,
        heavy_work: HeavyWork,
        clock: Callable[[], float],
    ) -> None:
        self._rulesets = rulesets
        self._repository = repository
        self._checks = checks
        self._live_ruleset = live_ruleset
        self._heavy_work = heavy_work
        self._clock = clock

    async def rehearse(self, draft_id: str, *, version: str, expected: int | None) -> PublishReport:
        """Tell what `publish` would say, and write nothing; a revision published meanwhile is a finding."""
        draft = await self._repository.take_draft(draft_id, version)
        report = await self._checks.inspect(draft.document)
        current = await self._rulesets.current_number()
        if current == expected:
            return report
        return replace(report, findings=(_find_conflict(current), *report.findings))

    async def publish(
        self, draft_id: str, *, version: str, expected: int | None, comment: str, author: str
    ) -> Published:
        """Publish exactly the version of the draft that the author saw, over the revision that the author saw.

        Raises NotFoundError, PreconditionFailedError for another version of the draft, ConflictError for another
        revision, PublishRefusedError with every finding of the publish checks, and StoreError.
        """
        draft = await self._repository.take_draft(draft_id, version)
        current = await self._rulesets.current_number()
        if current != expected:
            raise ConflictError(_find_conflict(current).message)
        report = await self._checks.inspect(draft.document)
        if not report.publishable:
            errors = sum(finding.severity == "error" for finding in report.findings)
            detail = f"{errors} thing{'' if errors == 1 else 's'} must be put right before this draft can be published"
            raise PublishRefusedError(detail, findings=report.findings)
        now = self._clock()
        details = {"comment": comment, **await self._list_changes(draft.document)}
        note = _note_revision("ruleset.published", expected, author, now, details)
        revision = await self._rulesets.publish(
            draft_id,
            version=version,
            expected=expected,
            columns=report.columns,
            comment=comment,
            author=author,
            now=now,
            notes=[note],
        )
        await self._announce(revision, note.what)
        return Published(revision, report)

    async def roll_back(self, ref: str, *, expected: int | None, comment: str, author: str) -> Published:
        """Publish an old revision again, as a new one.

        What the publish checks find is told and refuses nothing, since the old rules were live before and somebody
        needs them now. Raises NotFoundError, ConflictError, StoreError, and InvalidInputError for a revision that this
        version of the program cannot load.
        """
        old = await self._repository.find_revision(ref)
        await self._repository.load(old.document)
        report = await self._checks.inspect(old.document)
        now, number = self._clock(), old.head.number
        details = {"comment": comment, "rollback_of": number, **await self._list_changes(old.document)}
        note = _note_revision("ruleset.rolled_back", expected, author, now, details)
        revision = await self._rulesets.roll_back(
            number, expected=expected, comment=comment, author=author, now=now, notes=[note]
        )
        await self._announce(revision, note.what)
        return Published(revision, report)

    async def _announce(self, revision: Revision, what: str) -> None:
        """Make the revision live here at once; other processes notice by themselves."""
        try:
            await self._live_ruleset.refresh()
        except AppError as error:
            log.warning("ruleset.live_later", revision=revision.head.number, error=error.code)
        log.info(what, revision=revision.head.number, author=revision.head.author)

    async def _list_changes(self, document: Document) -> dict[str, object]:
        """List what is different from the current revision, if this version of the program can read that."""
        current = await self._rulesets.current()
        try:
            ruleset = await self._heavy_work.run(read_ruleset, document)
            return await self._repository.describe_changes({} if current is None else current.document, ruleset)
        except InvalidInputError:
            return {"changes": None}


def read_ruleset_file(path: Path) -> object:
    """Read a ruleset file as JSON; raises InvalidInputError with one line for a file that is missing or broken."""
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"cannot read the ruleset file {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        place = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidInputError(f"the ruleset file {path} is not JSON{place}") from error
    return document


def require_sound(document: object, profile: ResponseProfile, *, region: str) -> Ruleset:
    """Read and lint a ruleset; raises InvalidInputError with every error found."""
    ruleset = read_ruleset(document)
    findings = [f for f in lint_ruleset(ruleset, profile, region=region) if f.severity == "error"]
    if findings:
        raise InvalidInputError("the ruleset cannot be published", findings=findings)
    return ruleset


async def publish_at_start(
    document: object,
    *,
    store: RulesetStore,
    profile: ResponseProfile,
    region: str,
    comment: str,
    now: float,
    replace: bool,
) -> None:
    """Publish the document when it differs from the current revision, or only when there is none (`replace=False`).

    Of several processes that start together one publishes. Raises InvalidInputError and StoreError.
    """
    ruleset = ruleset_document(require_sound(document, profile, region=region))
    current = await store.current()
    if current is not None and (not replace or current.head.checksum == compute_checksum(ruleset)):
        return
    expected = None if current is None else current.head.number
    note = _note_revision("ruleset.published", expected, _DEPLOYMENT, now, {"comment": comment})
    try:
        revision = await store.publish_document(
            ruleset, expected=expected, comment=comment, author=_DEPLOYMENT, now=now, notes=[note]
        )
    except ConflictError:
        log.info("ruleset.published_by_another_process")
        return
    log.info("ruleset.published", revision=revision.head.number, author=_DEPLOYMENT)


def _note_revision(what: str, before: int | None, author: str, at: float, details: Mapping[str, object]) -> AuditNote:
    """Note the revision that follows `before`, the current one; the store writes no other after it."""
    number = (before or 0) + 1
    return AuditNote(
        at=at,
        who=author,
        what=what,
        target=f"ruleset/{number}",
        before={"revision": before},
        after={"revision": number, **details},
    )


def _find_conflict(current: int | None) -> Finding:
    message = f"another revision was published meanwhile: {current}" if current else "nothing is published yet"
    return Finding(
        code="another-revision", pointer="", message=message, hint="look at the difference, then publish again"
    )
