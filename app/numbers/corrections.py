"""Stored numbers in E.164: what is suggested, and what is written back to Dynamics and can be undone."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final

from app.dataverse.client import DataverseClient
from app.dataverse.errors import DataverseError, PreconditionError, RecordNotFoundError
from app.dataverse.queries import build_path
from app.errors import AppError, ConflictError, NotFoundError
from app.numbers.store import Correction, NumberStore, RecordKey
from app.observability.redaction import redact_number
from app.routing.number_hygiene import NumberFault, judge_number
from app.routing.number_regions import region_of_country
from app.settings import Settings
from app.store.audit import AuditStore

__all__ = ["ColumnChange", "Corrections", "Outcome", "RecordResult", "SuggestedNumber", "Suggestion"]

_ENTITY_SETS: Final[Mapping[str, str]] = {"contact": "contacts", "account": "accounts"}
_SAFE: Final = frozenset({NumberFault.NO_COUNTRY_CODE})
"""Faults that a number in E.164 takes away with nothing else; an extension or a note would be lost."""
OnProgress = Callable[[int], Awaitable[bool]]


class Outcome(StrEnum):
    """What came of one record."""

    CHANGED = "changed"
    PLANNED = "planned"
    """It would be changed, if this were no dry run."""
    UNCHANGED = "unchanged"
    """There is nothing that could safely be rewritten."""
    CHANGED_MEANWHILE = "changed_meanwhile"
    """Somebody else changed it, so it stays as it is."""
    NOT_FOUND = "not_found"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedNumber:
    """One phone column of a record, and how its number should be written."""

    column: str
    stored: str
    faults: tuple[NumberFault, ...]
    suggestion: str | None
    """In E.164; `None` where it is so already, or nothing can be suggested."""

    @property
    def is_safe(self) -> bool:
        """Whether writing the suggestion loses nothing."""
        return self.suggestion is not None and _SAFE.issuperset(self.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """The phone columns of one record, as they stand in Dynamics at this moment."""

    key: RecordKey
    numbers: tuple[SuggestedNumber, ...]
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChange:
    """What was written into one column, or would be."""

    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResult:
    """What came of one record."""

    id: str
    table: str | None
    outcome: Outcome
    changes: tuple[ColumnChange, ...] = ()
    reason: str = ""


class Corrections:
    """Rewrites numbers of chosen records, each only as it was read, and puts back what it wrote."""

    def __init__(
        self,
        *,
        store: NumberStore,
        dataverse: DataverseClient,
        read_settings: Callable[[], Settings],
        audit: AuditStore,
        clock: Callable[[], float],
    ) -> None:
        """`dataverse` must be the client that leaves calls their part of the request budget."""
        self._store = store
        self._dataverse = dataverse
        self._read_settings = read_settings
        self._audit = audit
        self._clock = clock

    def require_enabled(self) -> None:
        """Raise ConflictError unless the settings allow to write numbers."""
        if not self._read_settings().phone.correct_numbers:
            raise ConflictError(
                "numbers in Dynamics are not rewritten: switch correct_numbers on in the settings group smart-routing "
                "first, or make a dry run"
            )

    async def suggest(self, record_id: str) -> Suggestion:
        """Read a contact or an account and say how its numbers should be written.

        Raises NotFoundError and DataverseError.
        """
        phones = self._read_settings().dataverse
        columns = {"contact": phones.contact_phone_columns, "account": phones.account_phone_columns}
        for kind, entity_set in _ENTITY_SETS.items():
            options = {"$select": ",".join((*columns[kind], "address1_country"))}
            try:
                row = await self._dataverse.get_json(build_path(f"{entity_set}({record_id})", options))
            except RecordNotFoundError:
                continue
            country = row.get("address1_country")
            region = region_of_country(country if isinstance(country, str) else None)
            region = region or self._read_settings().phone.default_region
            numbers = [
                _judge(column, text, region)
                for column in columns[kind]
                if isinstance(text := row.get(column), str) and text.strip()
            ]
            return Suggestion(
                key=RecordKey(kind, record_id), numbers=tuple(numbers), etag=str(row.get("@odata.etag", "*"))
            )
        raise NotFoundError("there is no contact or account with this id in Dynamics")

    async def correct(
        self, ids: Sequence[str], *, job: str, who: str, dry_run: bool, on_progress: OnProgress
    ) -> list[RecordResult]:
        """Write the suggestions of these records that lose nothing; stops when `on_progress` says so."""
        results: list[RecordResult] = []
        for record_id in ids:
            if not await on_progress(len(results)):
                return results
            results.append(await self._correct(record_id, job=job, who=who, dry_run=dry_run))
        await on_progress(len(results))
        return results

    async def list_corrected(self, job: str) -> list[tuple[RecordKey, list[Correction]]]:
        """List what a job has rewritten, by record; raises NotFoundError when it was nothing."""
        corrections = await self._store.list_corrections(job)
        if not corrections:
            raise NotFoundError("this job has rewritten nothing that could be undone")
        return [(key, list(each)) for key, each in groupby(corrections, lambda each: RecordKey(each.kind, each.id))]

    async def undo(
        self, corrected: Sequence[tuple[RecordKey, list[Correction]]], *, who: str, on_progress: OnProgress
    ) -> list[RecordResult]:
        """Put back what stood in the columns, where nobody has changed them since."""
        results: list[RecordResult] = []
        for key, corrections in corrected:
            if not await on_progress(len(results)):
                return results
            results.append(await self._undo(key, corrections, who=who))
        await on_progress(len(results))
        return results

    async def _correct(self, record_id: str, *, job: str, who: str, dry_run: bool) -> RecordResult:
        try:
            found = await self.suggest(record_id)
            changes = [
                ColumnChange(column=number.column, before=number.stored, after=number.suggestion or "")
                for number in found.numbers
                if number.is_safe
            ]
            outcome = Outcome.PLANNED if changes else Outcome.UNCHANGED
            if changes and not dry_run:
                for change in changes:
                    await self._note(job, found.key, change)
                outcome = await self._write(found, changes, what="number.corrected", who=who)
        except AppError as error:
            return _describe_failure(record_id, error)
        reason = "" if changes or not found.numbers else _explain_rest(found.numbers)
        return RecordResult(id=record_id, table=found.key.kind, outcome=outcome, changes=tuple(changes), reason=reason)

    async def _undo(self, key: RecordKey, corrections: Sequence[Correction], *, who: str) -> RecordResult:
        try:
            found = await self.suggest(key.id)
            present = {number.column: number.stored for number in found.numbers}
            changes = [
                ColumnChange(column=each.column, before=each.after, after=each.before)
                for each in corrections
                if present.get(each.column) == each.after
            ]
            outcome = Outcome.CHANGED_MEANWHILE
            if changes:
                outcome = await self._write(found, changes, what="number.restored", who=who)
        except AppError as error:
            return _describe_failure(key.id, error)
        return RecordResult(id=key.id, table=key.kind, outcome=outcome, changes=tuple(changes))

    async def _note(self, job: str, key: RecordKey, change: ColumnChange) -> None:
        """Keep what stands there before it is overwritten: a process that dies in between leaves nothing behind."""
        correction = Correction(
            job=job,
            kind=key.kind,
            id=key.id,
            column=change.column,
            before=change.before,
            after=change.after,
            at=self._clock(),
        )
        await self._store.add_correction(correction)

    async def _write(self, found: Suggestion, changes: Sequence[ColumnChange], *, what: str, who: str) -> Outcome:
        path = f"{_ENTITY_SETS[found.key.kind]}({found.key.id})"
        try:
            await self._dataverse.update(path, {each.column: each.after for each in changes}, etag=found.etag)
        except PreconditionError:
            return Outcome.CHANGED_MEANWHILE
        await self._audit.add(
            at=self._clock(),
            who=who,
            what=what,
            target=f"{found.key.kind}/{found.key.id}",
            before={each.column: redact_number(each.before) for each in changes},
            after={each.column: redact_number(each.after) for each in changes},
        )
        return Outcome.CHANGED


def _judge(column: str, text: str, region: str) -> SuggestedNumber:
    verdict = judge_number(text, region)
    return SuggestedNumber(column=column, stored=text, faults=verdict.faults, suggestion=verdict.suggestion)


def _explain_rest(numbers: Sequence[SuggestedNumber]) -> str:
    faults = sorted({fault.value for number in numbers for fault in number.faults})
    return f"what is left cannot be rewritten without loss: {', '.join(faults)}" if faults else ""


def _describe_failure(record_id: str, error: AppError) -> RecordResult:
    if isinstance(error, NotFoundError | RecordNotFoundError):
        return RecordResult(id=record_id, table=None, outcome=Outcome.NOT_FOUND, reason=error.detail)
    reason = error.summary if isinstance(error, DataverseError) else error.detail
    return RecordResult(id=record_id, table=None, outcome=Outcome.FAILED, reason=reason)
