"""How much a new ruleset may change before it is refused: set by administrators, kept in the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.errors import PreconditionFailedError
from app.store.audit import AuditNote
from app.store.settings_documents import SettingsDocumentStore

__all__ = ["UNSET", "PublishLimits", "PublishLimitsRepository", "VersionedLimits"]

UNSET = "unset"
"""The version of a document that nobody has set yet."""
_NAME = "publish_limits"


class PublishLimits(BaseModel):
    """What a publish is measured against. Without any of the two limits nothing is replayed."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [{"max_changed_percent": 5, "days": 7}]}
    )

    max_changed_calls: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="So many replayed calls may be decided otherwise; null for any number."
    )
    max_changed_percent: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="So many percent of the replayed calls may be decided otherwise; null for any share."
    )
    days: int = Field(default=7, ge=1, le=90, description="Calls of the last so many days are replayed.")
    calls: int = Field(default=2000, ge=1, le=20000, description="Of these, a sample of at most so many.")
    refuse_when_enreach_silent: bool = Field(
        default=False, description="Refuse to publish when the destinations cannot be checked; false only warns."
    )

    @property
    def wants_replay(self) -> bool:
        """Whether there is something to measure."""
        return self.max_changed_calls is not None or self.max_changed_percent is not None

    def find_excess(self, calls: int, changed: int) -> str:
        """Say which limit so many changes exceed; empty for none."""
        if self.max_changed_calls is not None and changed > self.max_changed_calls:
            return f"the limit is {self.max_changed_calls:,}"
        if self.max_changed_percent is not None and calls and changed / calls * 100 > self.max_changed_percent:
            return f"these are {changed / calls:.1%}, the limit is {self.max_changed_percent:g} %"
        return ""


@dataclass(frozen=True, slots=True)
class VersionedLimits:
    """The limits and the version to change them from."""

    limits: PublishLimits
    version: str


class PublishLimitsRepository:
    """Reads and changes the limits."""

    def __init__(self, *, settings: SettingsDocumentStore) -> None:
        self._settings = settings

    async def read(self) -> VersionedLimits:
        """Return the limits; those of the program when nobody has set any. Raises StoreError."""
        found = await self._settings.get(_NAME)
        if found is None:
            return VersionedLimits(PublishLimits(), UNSET)
        return VersionedLimits(_read(found.document), found.version)

    async def change(self, limits: PublishLimits, *, version: str, author: str, now: float) -> VersionedLimits:
        """Set the limits; raises PreconditionFailedError when they are at another version."""
        before = await self.read()
        if before.version != version:
            raise PreconditionFailedError("somebody else changed the limits since you read them; read them again")
        document = limits.model_dump(mode="json")
        expected = None if version == UNSET else version
        note = AuditNote(
            at=now,
            who=author,
            what="publish_limits.changed",
            target=f"settings/{_NAME}",
            before=before.limits.model_dump(mode="json"),
            after=document,
        )
        written = await self._settings.put(_NAME, document, expected=expected, author=author, now=now, notes=[note])
        return VersionedLimits(limits, written.version)


def _read(document: Mapping[str, object]) -> PublishLimits:
    known = {name: value for name, value in document.items() if name in PublishLimits.model_fields}
    return PublishLimits.model_validate(known)
