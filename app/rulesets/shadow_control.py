"""Puts drafts into the shadow and takes them out."""

from collections.abc import Callable

from app.errors import ConflictError
from app.rulesets.loading import load_rules
from app.rulesets.repository import RulesetRepository
from app.rulesets.shadow import Shadow
from app.rulesets.shadow_repository import ShadowMark, ShadowRepository, VersionedMark
from app.rulesets.shadow_store import ShadowResults

__all__ = ["ShadowControl"]


class ShadowControl:
    """What administrators do with the shadow."""

    def __init__(
        self, *, results: ShadowRepository, shadow: Shadow, repository: RulesetRepository, clock: Callable[[], float]
    ) -> None:
        self._results = results
        self._shadow = shadow
        self._repository = repository
        self._clock = clock

    async def read(self) -> VersionedMark:
        """Tell which draft is in the shadow; raises StoreError."""
        return await self._results.read()

    async def read_results(self, draft: str) -> ShadowResults | None:
        """Return what was found for a draft; `None` before the first call."""
        await self._shadow.save()
        return await self._results.read_results(draft)

    async def enter(self, draft_id: str, queues: tuple[str, ...], *, version: str, author: str) -> VersionedMark:
        """Put a draft into the shadow, for calls in some queues or all.

        Raises NotFoundError, InvalidInputError for rules that cannot run, PreconditionFailedError, StoreError.
        """
        draft = await self._repository.find_draft(draft_id)
        await load_rules(draft.document)
        mark = ShadowMark(draft=draft_id, queues=queues)
        return await self._set(mark, version=version, author=author)

    async def leave(self, draft_id: str, *, version: str, author: str) -> VersionedMark:
        """Take the draft out; raises ConflictError when it is not in there, PreconditionFailedError, StoreError."""
        if (await self._results.read()).mark.draft != draft_id:
            raise ConflictError("this draft is not in the shadow")
        return await self._set(ShadowMark(), version=version, author=author)

    async def _set(self, mark: ShadowMark, *, version: str, author: str) -> VersionedMark:
        written = await self._results.set(mark, version=version, author=author, now=self._clock())
        await self._shadow.refresh()
        return written
