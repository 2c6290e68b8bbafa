"""JSON bodies of `/admin/numbers`."""

import csv
import io
import re
from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.numbers.corrections import RecordResult, SuggestedNumber, Suggestion
from app.numbers.hygiene import Fault, FaultyNumbers, Overview, SharedCaller, Source
from app.numbers.store import RecordKey
from app.observability.redaction import redact_number
from app.routing.callers import CallerStatus
from app.routing.number_hygiene import NumberFault
from app.web.parameters import show_time

__all__ = [
    "CORRECTIONS_SHOWN",
    "CorrectionBody",
    "NumbersBody",
    "NumbersForm",
    "NumbersQuery",
    "SharedPage",
    "SharedQuery",
    "Show",
    "SuggestionBody",
    "show_result",
    "write_csv",
]

CORRECTIONS_SHOWN: Final = 1000
"""Records of one job."""
_CELL: Final = re.compile(r"\+[\d ()./-]*|[^=+\-@\t\r].*|", re.DOTALL)
"""What no spreadsheet takes for a formula: a number, or what begins with another sign than `=`, `+`, `-` and `@`."""
_CSV_COLUMNS: Final = ("table", "id", "column", "faults", "stored", "link")


class NumbersForm(StrEnum):
    """How the list is written."""

    JSON = "json"
    CSV = "csv"


class Show:
    """Shows numbers and records to one reader."""

    def __init__(self, *, revealed: bool, organisation: str | None) -> None:
        """`organisation` is the URL of the organisation, if there is one to link to."""
        self.revealed = revealed
        self._organisation = organisation

    def number(self, e164: str) -> str:
        """Show a number in E.164."""
        return e164 if self.revealed else redact_number(e164)

    def text(self, stored: str) -> str:
        """Show a stored text; to others its shape, `+### ## ####### xxxx`, which tells how it is written."""
        return stored if self.revealed else re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "#", stored))

    def link(self, key: RecordKey) -> str | None:
        """Return where Dynamics shows the record."""
        if self._organisation is None:
            return None
        return f"{self._organisation.rstrip('/')}/main.aspx?etn={key.kind}&pagetype=entityrecord&id={key.id}"


class NumbersQuery(BaseModel, extra="forbid"):
    """What to list."""

    fault: Fault | None = Field(default=None, description="Only records with this; all of them unless said.")
    format: NumbersForm = Field(default=NumbersForm.JSON, description="`csv` brings the whole list as a file.")
    limit: int = Field(default=50, ge=1, le=200)
    after: str | None = Field(default=None, max_length=200, description="The `next` of the page before.")


class SharedQuery(BaseModel, extra="forbid"):
    """What to list."""

    limit: int = Field(default=50, ge=1, le=200)
    after: str | None = Field(default=None, max_length=200, description="The `next` of the page before.")


class StoredNumberBody(BaseModel):
    """What stands in a record."""

    column: str | None = Field(description="Null where only the number is known.")
    stored: str = Field(description="Its shape only, for roles that may not see numbers.")
    faults: tuple[Fault, ...]


class RecordBody(BaseModel):
    """A record to look at."""

    table: str
    id: str
    link: str | None = Field(description="The record in Dynamics.")
    faults: tuple[Fault, ...]
    numbers: tuple[StoredNumberBody, ...]

    @classmethod
    def of(cls, item: FaultyNumbers, show: Show) -> "RecordBody":
        """Describe one record."""
        numbers = [
            StoredNumberBody(column=each.column, stored=show.text(each.stored), faults=each.faults)
            for each in item.numbers
        ]
        return cls(
            table=item.key.kind, id=item.key.id, link=show.link(item.key), faults=item.faults, numbers=tuple(numbers)
        )


class DayCounts(BaseModel):
    """The counts of one day."""

    day: date
    counts: dict[str, int]


class NumbersBody(BaseModel):
    """How the numbers in Dynamics are, and a page of records to look at."""

    source: Source
    detail: str = Field(description="What is missing in the answer, and what helps; empty when nothing is.")
    as_of: datetime | None = Field(description="Until when every change is counted.")
    records: int | None = Field(description="Contacts with a number, and accounts, in the mirror.")
    counts: dict[str, int] = Field(description="Records by fault; of `shared` and `colliding` the numbers.")
    trend: list[DayCounts] = Field(description="The same by day, today last.")
    items: list[RecordBody]
    next: str | None

    @classmethod
    def of(cls, overview: Overview, items: Iterable[FaultyNumbers], following: str | None, show: Show) -> "NumbersBody":
        """Put an overview and a page together."""
        return cls(
            source=overview.source,
            detail=overview.detail,
            as_of=show_time(overview.as_of),
            records=overview.records,
            counts=dict(overview.counts),
            trend=[DayCounts(day=date.fromisoformat(day), counts=dict(counts)) for day, counts in overview.trend],
            items=[RecordBody.of(item, show) for item in items],
            next=following,
        )


class SharerBody(BaseModel):
    """A record that carries a shared number."""

    table: str
    id: str
    link: str | None


class SharedBody(BaseModel):
    """A number of several records, and what the policy makes of a call from it."""

    number: str
    records: int
    colliding: bool | None = Field(description="Whether it is written in several ways; null where nobody knows.")
    status: CallerStatus | None
    vip: bool | None
    vip_reason: str | None
    explanation: str | None
    sharers: list[SharerBody] = Field(description="The first twenty.")

    @classmethod
    def of(cls, item: SharedCaller, show: Show) -> "SharedBody":
        """Describe one number."""
        caller, number = item.caller, item.number
        return cls(
            number=show.number(number.e164),
            records=number.records,
            colliding=number.spellings > 1 if number.spellings else None,
            status=None if caller is None else caller.status,
            vip=None if caller is None else caller.vip,
            vip_reason=caller.vip_reason if caller is not None and show.revealed else None,
            explanation=None if caller is None else caller.detail,
            sharers=[SharerBody(table=key.kind, id=key.id, link=show.link(key)) for key in item.records],
        )


class SharedPage(BaseModel):
    """A page of shared numbers."""

    items: list[SharedBody]
    next: str | None


class SuggestedNumberBody(BaseModel):
    """One phone column."""

    column: str
    stored: str
    faults: tuple[NumberFault, ...]
    suggestion: str | None = Field(description="In E.164; null where it is so already or nothing can be suggested.")
    is_safe: bool = Field(description="Whether a correction would write it: it takes no extension or note away.")

    @classmethod
    def of(cls, number: SuggestedNumber, show: Show) -> "SuggestedNumberBody":
        """Describe one column."""
        return cls(
            column=number.column,
            stored=show.text(number.stored),
            faults=number.faults,
            suggestion=None if number.suggestion is None else show.number(number.suggestion),
            is_safe=number.is_safe,
        )


class SuggestionBody(BaseModel):
    """How the numbers of a record should be written."""

    table: str
    id: str
    link: str | None
    numbers: list[SuggestedNumberBody]

    @classmethod
    def of(cls, found: Suggestion, show: Show) -> "SuggestionBody":
        """Describe one record."""
        numbers = [SuggestedNumberBody.of(number, show) for number in found.numbers]
        return cls(table=found.key.kind, id=found.key.id, link=show.link(found.key), numbers=numbers)


class CorrectionBody(BaseModel):
    """Which records to correct."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"records": ["aaaa0000-0000-4000-8000-000000000001"], "dry_run": True}]},
    )

    records: Annotated[list[UUID], Field(min_length=1, max_length=CORRECTIONS_SHOWN)]
    dry_run: bool = Field(default=False, description="Change nothing, tell what would be.")

    def list_ids(self) -> list[str]:
        """List them, each once."""
        return list(dict.fromkeys(map(str, self.records)))


def show_result(result: RecordResult) -> dict[str, Any]:
    """Describe what came of one record, in the result of a job; numbers are masked."""
    show = Show(revealed=False, organisation=None)
    changes = [
        {"column": each.column, "before": show.text(each.before), "after": show.text(each.after)}
        for each in result.changes
    ]
    described = {"id": result.id, "table": result.table, "outcome": result.outcome.value, "changes": changes}
    return described | ({"reason": result.reason} if result.reason else {})


def write_csv(items: Iterable[FaultyNumbers], show: Show, *, header: bool) -> str:
    """Write records as lines, one for each number, safe to open in a spreadsheet."""
    text = io.StringIO()
    writer = csv.writer(text)
    if header:
        writer.writerow(_CSV_COLUMNS)
    for item in items:
        for number in item.numbers:
            cells = (item.key.kind, item.key.id, number.column or "", " ".join(number.faults))
            stored = show.text(number.stored)
            safe = stored if _CELL.fullmatch(stored) else f"'{stored}"
            writer.writerow((*cells, safe, show.link(item.key) or ""))
    return text.getvalue()
