"""Finds rulesets by what administrators call them: `current`, the number of a revision, the id of a draft."""

from dataclasses import asdict, dataclass
from typing import Any

from app.dataverse.column_types import ColumnTypes
from app.errors import InvalidInputError, NotFoundError, PreconditionFailedError
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.diff import Change, diff_rulesets
from app.routing.ruleset import Ruleset, read_ruleset
from app.rulesets.store import Document, Draft, Revision, RevisionHead, RulesetStore
from app.rulesets.upstream_checks import describe_columns
from app.web.limits import HeavyWork

__all__ = ["CURRENT", "FoundRuleset", "RulesetRepository", "load_rules", "show_draft"]

CURRENT = "current"
_MAX_NUMBER = 2**31 - 1
_MAX_CHANGES = 100


@dataclass(frozen=True, slots=True)
class FoundRuleset:
    """A draft or a revision."""

    ref: str
    """The id of the draft, or the number of the revision."""
    document: Document
    version: str
    """What its ETag says."""
    head: RevisionHead | None = None
    draft: Draft | None = None

    @property
    def label(self) -> str:
        """What administrators call it."""
        if self.draft is not None:
            return f'draft "{self.draft.name}"'
        return f"revision {self.ref}"


class RulesetRepository:
    """Reads rulesets; changes nothing. Everything raises StoreError."""

    def __init__(
        self, *, rulesets: RulesetStore, heavy_work: HeavyWork, column_types: ColumnTypes | None = None
    ) -> None:
        """Without `column_types` columns stay as rulesets describe them."""
        self._rulesets = rulesets
        self._column_types = column_types
        self._heavy_work = heavy_work

    async def find(self, ref: str) -> FoundRuleset:
        """Find a ruleset; raises NotFoundError."""
        if ref == CURRENT:
            revision = await self._rulesets.current()
            if revision is None:
                raise NotFoundError("no ruleset was ever published")
            return _show_revision(revision)
        if ref.isascii() and ref.isdecimal():
            return _show_revision(await self._rulesets.revision(_read_number(ref)))
        return show_draft(await self._rulesets.drafts.get(ref))

    async def find_draft(self, ref: str) -> Draft:
        """Find a draft; raises NotFoundError, also for a revision."""
        if ref == CURRENT or ref.isdecimal():
            raise NotFoundError(f"{ref!r} is a published revision; make a draft from it to change it")
        return await self._rulesets.drafts.get(ref)

    async def take_draft(self, ref: str, version: str) -> Draft:
        """Find a draft in exactly this version; raises NotFoundError and PreconditionFailedError."""
        draft = await self.find_draft(ref)
        if draft.version != version:
            raise PreconditionFailedError("somebody else changed this draft since you read it; read it again")
        return draft

    async def find_revision(self, ref: str) -> Revision:
        """Find a revision; raises NotFoundError, also for a draft."""
        if not (ref.isascii() and ref.isdecimal()):
            raise NotFoundError("only a revision has a number to go back to")
        return await self._rulesets.revision(_read_number(ref))

    async def diff(self, old: str, new: str) -> tuple[Change, ...]:
        """List what is different in the second ruleset; raises NotFoundError, and InvalidInputError if unreadable."""
        return await self._heavy_work.run(diff_rulesets, await self.read(old), await self.read(new))

    async def read(self, ref: str) -> Ruleset:
        """Find and read a ruleset; before the first publishing `current` is empty."""
        if ref == CURRENT and await self._rulesets.current_number() is None:
            return Ruleset()
        return await self._heavy_work.run(read_ruleset, (await self.find(ref)).document)

    async def load(self, document: object) -> CompiledRuleset:
        """Read and compile a document, with the columns it compares described as far as Dataverse answers.

        Raises InvalidInputError for what is unreadable, or cannot run.
        """
        ruleset = await self._heavy_work.run(read_ruleset, document)
        if self._column_types is not None:
            ruleset = await describe_columns(ruleset, self._column_types)
        return await self._heavy_work.run(compile_ruleset, ruleset, revision=None)

    async def describe_changes(self, old: Document, new: Ruleset) -> dict[str, Any]:
        """Spell the first hundred changes as the audit keeps them, and count the others.

        Raises InvalidInputError when the old document was written by another version of the program.
        """
        changes = await self._heavy_work.run(lambda: diff_rulesets(read_ruleset(old), new))
        return {
            "changes": [asdict(change) for change in changes[:_MAX_CHANGES]],
            "more_changes": max(0, len(changes) - _MAX_CHANGES),
        }


def load_rules(document: object, *, revision: int | None = None) -> CompiledRuleset:
    """Read and compile a document, which takes a second for thousands of rules; raises InvalidInputError.

    `revision` is `None` for what is not published.
    """
    return compile_ruleset(read_ruleset(document), revision=revision)


def show_draft(draft: Draft) -> FoundRuleset:
    """Show a draft as a ruleset."""
    return FoundRuleset(ref=draft.id, document=draft.document, version=draft.version, draft=draft)


def _show_revision(revision: Revision) -> FoundRuleset:
    number = revision.head.number
    return FoundRuleset(ref=str(number), document=revision.document, version=f"revision-{number}", head=revision.head)


def _read_number(ref: str) -> int:
    number = int(ref[:11])
    if number > _MAX_NUMBER:
        raise InvalidInputError("no revision has a number that large")
    return number
