"""Works on drafts: every change is checked for form, made from a known version, and audited."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.errors import Finding, InvalidInputError
from app.routing.diff import Change, diff_rulesets
from app.routing.ruleset import Ruleset, read_ruleset, ruleset_document
from app.rulesets.audited_changes import write_changes
from app.rulesets.draft_store import DraftStore
from app.rulesets.edits import Edit
from app.rulesets.repository import RulesetRepository
from app.rulesets.values import Draft
from app.store.audit import AuditNote

__all__ = ["Drafting"]


class Drafting:
    """Creates, changes and throws away drafts. A draft can always be read; whether it makes sense the gates say."""

    def __init__(self, *, drafts: DraftStore, repository: RulesetRepository, clock: Callable[[], float]) -> None:
        self._drafts = drafts
        self._repository = repository
        self._clock = clock

    async def create(self, *, name: str, source: str | None, document: object | None, author: str) -> Draft:
        """Start a draft from a document, from another ruleset (see `RulesetLibrary.find`), or empty.

        Raises NotFoundError for an unknown source and InvalidInputError for an unusable document.
        """
        based_on = await self._repository.current_number()
        ruleset = Ruleset()
        if document is not None:
            ruleset = await _read_member(document, "/document")
        elif source is not None:
            ruleset = await self._repository.read(source)
            based_on = int(source) if source.isdecimal() else based_on
        now, draft_id = self._clock(), str(uuid.uuid4())
        note = _note(draft_id, "draft.created", author, now, after={"name": name, "source": source})
        return await self._drafts.create(
            draft_id,
            name=name,
            document=ruleset_document(ruleset),
            based_on=based_on,
            author=author,
            now=now,
            notes=[note],
        )

    async def replace(self, draft_id: str, *, version: str, name: str | None, document: object, author: str) -> Draft:
        """Write the whole draft anew; raises NotFoundError, PreconditionFailedError, InvalidInputError."""
        draft = await self._repository.take_draft(draft_id, version)
        ruleset = await asyncio.to_thread(read_ruleset, document)
        return await self._write(draft, ruleset, name=name, author=author)

    async def edit(
        self, draft_id: str, edit: Edit, *, version: str, author: str, notes: Sequence[AuditNote] = ()
    ) -> Draft:
        """Change one part of a draft; findings about the part that was sent point into that part.

        `notes` are kept in the audit besides that of the change itself. Raises NotFoundError, PreconditionFailedError,
        ConflictError, InvalidInputError.
        """
        draft = await self._repository.take_draft(draft_id, version)
        document, place = edit(draft.document)
        try:
            ruleset = await asyncio.to_thread(read_ruleset, document)
        except InvalidInputError as error:
            findings = [_point_into(finding, place) for finding in error.findings]
            raise InvalidInputError(error.detail, findings=findings) from error
        return await self._write(draft, ruleset, name=None, author=author, notes=notes)

    async def delete(self, draft_id: str, *, version: str, author: str) -> None:
        """Throw a draft away; raises NotFoundError and PreconditionFailedError."""
        draft = await self._repository.take_draft(draft_id, version)
        before = {"name": draft.name, "document": draft.document}
        note = _note(draft_id, "draft.deleted", author, self._clock(), before=before)
        await self._drafts.delete(draft_id, version=version, notes=[note])

    async def _write(
        self, draft: Draft, ruleset: Ruleset, *, name: str | None, author: str, notes: Sequence[AuditNote] = ()
    ) -> Draft:
        now = self._clock()
        after = {"name": name or draft.name, **write_changes(await asyncio.to_thread(_compare, draft, ruleset))}
        note = _note(draft.id, "draft.changed", author, now, before={"version": draft.version}, after=after)
        return await self._drafts.update(
            draft.id,
            version=draft.version,
            name=name or draft.name,
            document=ruleset_document(ruleset),
            author=author,
            now=now,
            notes=[*notes, note],
        )


def _note(draft_id: str, what: str, who: str, at: float, *, before: object = None, after: object = None) -> AuditNote:
    return AuditNote(at=at, who=who, what=what, target=f"draft/{draft_id}", before=before, after=after)


def _compare(draft: Draft, ruleset: Ruleset) -> tuple[Change, ...]:
    return diff_rulesets(read_ruleset(draft.document), ruleset)


async def _read_member(document: object, place: str) -> Ruleset:
    """Read a ruleset that is a member of what was sent."""
    try:
        return await asyncio.to_thread(read_ruleset, document)
    except InvalidInputError as error:
        findings = [replace(finding, pointer=place + finding.pointer) for finding in error.findings]
        raise InvalidInputError(error.detail, findings=findings) from error


def _point_into(finding: Finding, place: str) -> Finding:
    """Turn a pointer into the whole draft into one into the part that was sent, where it lies there."""
    if place and (finding.pointer == place or finding.pointer.startswith(f"{place}/")):
        return replace(finding, pointer=finding.pointer.removeprefix(place))
    return finding
