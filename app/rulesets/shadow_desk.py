"""Which draft is in the shadow, and what was found: kept in the store, shared by all processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.errors import ConflictError, PreconditionFailedError
from app.routing.ruleset import Ruleset
from app.rulesets.effects import Names
from app.rulesets.publish_limits import UNSET
from app.rulesets.tally import Tally
from app.store.audit import AuditStore
from app.store.settings_documents import SettingsDocument, SettingsDocumentStore

__all__ = ["ShadowDesk", "ShadowMark", "VersionedMark"]

_MARK, _RESULTS = "shadow", "shadow_results"
_TRIES = 8
_CALLS_KEPT = 500


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


class ShadowDesk:
    """Reads and changes the mark, and collects results of all processes."""

    def __init__(self, *, settings: SettingsDocumentStore, audit: AuditStore) -> None:
        self._settings = settings
        self._audit = audit

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
        written = await self._settings.put(_MARK, document, expected=expected, author=author, now=now)
        await self._audit.add(
            at=now,
            who=author,
            what="shadow.changed",
            target="shadow",
            before=before.mark.model_dump(mode="json"),
            after=document,
        )
        return VersionedMark(mark, written.version)

    async def read_results(self, draft: str) -> Mapping[str, Any] | None:
        """Return what was found for the draft in the version that ran last; `None` before the first call."""
        found = await self._settings.get(_RESULTS)
        return found.document if found is not None and found.document.get("draft") == draft else None

    async def add_results(self, draft: str, version: str, tally: Tally, dropped: int, *, now: float) -> None:
        """Add results to those of the same version of the draft, or begin anew.

        Raises StoreError, and ConflictError when other processes got in between too often.
        """
        for _ in range(_TRIES):
            found = await self._settings.get(_RESULTS)
            document = _merge(found, draft, version, tally, dropped=dropped, now=now)
            expected = None if found is None else found.version
            try:
                await self._settings.put(_RESULTS, document, expected=expected, author="shadow", now=now)
            except PreconditionFailedError:
                continue
            return
        raise ConflictError("the results of the shadow could not be added")


def _merge(
    found: SettingsDocument | None, draft: str, version: str, tally: Tally, *, dropped: int, now: float
) -> dict[str, Any]:
    whole, since = Tally(Names(Ruleset()), most_calls=_CALLS_KEPT), now
    if found is not None and (found.document.get("draft"), found.document.get("version")) == (draft, version):
        old: Mapping[str, Any] = found.document
        whole.load(old)
        since, dropped = old["since"], dropped + old["dropped"]
    whole.load(tally.document())
    return {"draft": draft, "version": version, "since": since, "dropped": dropped, **whole.document()}
