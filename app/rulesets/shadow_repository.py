"""Which draft is in the shadow, and what was found: kept in the store, shared by all processes."""

from dataclasses import asdict, dataclass

from pydantic import BaseModel, ConfigDict, Field

from app.errors import PreconditionFailedError
from app.routing.ruleset import Ruleset
from app.rulesets.difference_counts import DifferenceCounts
from app.rulesets.effects import Names
from app.rulesets.publish_limits import UNSET
from app.rulesets.shadow_store import ShadowCounts, ShadowResults, ShadowResultStore
from app.store.audit import AuditNote
from app.store.settings_documents import SettingsDocumentStore

__all__ = ["ShadowMark", "ShadowRepository", "VersionedMark"]

_MARK = "shadow"
_ADDED_UP = ("calls", "changed", "other_rule", "skipped", "groups", "missing_facts")


class ShadowMark(BaseModel):
    """The draft in the shadow; one for the whole installation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    draft: str | None = None
    queues: tuple[str, ...] = Field(default=(), max_length=200)
    """Only calls in these queues; empty for all."""


@dataclass(frozen=True, slots=True)
class VersionedMark:
    """The mark and the version to change it from."""

    mark: ShadowMark
    version: str


class ShadowRepository:
    """Reads and changes the mark, and collects results of all processes."""

    def __init__(self, *, settings: SettingsDocumentStore, results: ShadowResultStore) -> None:
        self._settings = settings
        self._results = results

    async def read(self) -> VersionedMark:
        """Tell which draft is in the shadow; raises StoreError."""
        found = await self._settings.get(_MARK)
        if found is None:
            return VersionedMark(ShadowMark(), UNSET)
        return VersionedMark(ShadowMark.model_validate(found.document), found.version)

    async def set(self, mark: ShadowMark, *, version: str, author: str, now: float) -> VersionedMark:
        """Put a draft into the shadow, or none; raises PreconditionFailedError when the mark is at another version."""
        before = await self.read()
        if before.version != version:
            raise PreconditionFailedError("somebody else changed what is in the shadow; read it again")
        document, expected = mark.model_dump(mode="json"), None if version == UNSET else version
        note = AuditNote(
            at=now,
            who=author,
            what="shadow.changed",
            target="shadow",
            before=before.mark.model_dump(mode="json"),
            after=document,
        )
        written = await self._settings.put(_MARK, document, expected=expected, author=author, now=now, notes=[note])
        return VersionedMark(mark, written.version)

    async def read_results(self, draft: str) -> ShadowResults | None:
        """Return what was found for the draft in the version that ran last; `None` before the first call."""
        return await self._results.get(draft)

    async def add_results(self, draft: str, version: str, tally: DifferenceCounts, dropped: int, *, now: float) -> None:
        """Add results to those of the same version of the draft, or begin anew; raises StoreError."""
        found = tally.document()

        def count(before: ShadowCounts) -> ShadowCounts:
            whole = DifferenceCounts(Names(Ruleset()))
            for part in (asdict(before), found):
                whole.load({**part, "diffs": []})
            total = whole.document()
            return ShadowCounts(dropped=before.dropped + dropped, **{name: total[name] for name in _ADDED_UP})

        await self._results.add(draft, version, count=count, diffs=found["diffs"], now=now)
