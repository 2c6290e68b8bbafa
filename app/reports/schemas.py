"""JSON bodies of reports, and how they are asked for."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from typing_extensions import override

from app.errors import InvalidInputError
from app.observability.redaction import redact_identifier
from app.reports.periods import Grain, Period, list_periods, read_zone
from app.reports.store import ReportFilter

__all__ = ["Form", "Report", "ReportList", "ReportQuery", "ReportRange", "ReportSummary", "choose_form"]

RowT = TypeVar("RowT")
_USUAL_RANGE = timedelta(days=30)
_YEARS = range(1971, 3000)


class Form(StrEnum):
    """How a report is answered."""

    JSON = "json"
    CSV = "csv"
    SVG = "svg"


_MEDIA_TYPES = {"application/json": Form.JSON, "text/csv": Form.CSV, "image/svg+xml": Form.SVG}


def choose_form(accept: str) -> Form:
    """Return the first form that a header `Accept` names, JSON when it names none."""
    named = (item.partition(";")[0].strip().lower() for item in accept.split(","))
    return next((form for name in named if (form := _MEDIA_TYPES.get(name))), Form.JSON)


class ReportRange(BaseModel):
    """When what a report tells happened, and how it is put together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: AwareDatetime | date | None = Field(
        default=None,
        alias="from",
        description="From when calls count: a time, or a day of the zone. Without it 30 days before the end.",
    )
    until: AwareDatetime | date | None = Field(
        default=None, description="Until when, exclusive: a time, or a day of the zone. Without it now."
    )
    by: Grain = Field(default=Grain.DAY, description="How long one row is; weeks begin on Monday.")
    time_zone: str | None = Field(
        default=None,
        description="Whose days and hours: a name of the IANA database. Without it that of the settings `general`.",
        examples=["Europe/Helsinki"],
    )
    format: Form | None = Field(default=None, description="Wins over the header `Accept`.")

    def list_periods(self, now: float, usual: ZoneInfo) -> Sequence[Period]:
        """Cut the range into rows of its zone, or of the `usual` one where it names none.

        Its usual end is the present, `now` in seconds since the epoch. Raises InvalidInputError.
        """
        zone = usual if self.time_zone is None else read_zone(self.time_zone)
        end = datetime.fromtimestamp(now, UTC) if self.until is None else _place("until", self.until, zone)
        begin = end - _USUAL_RANGE if self.begin is None else _place("from", self.begin, zone)
        return list_periods(begin, end, self.by, zone)

    def make_filter(self) -> ReportFilter:
        """Say which calls: all of them."""
        return ReportFilter()


class ReportQuery(ReportRange):
    """Which calls a report is about besides."""

    queue_id: str | None = Field(default=None, description="Calls of one queue only, by its id or target id.")
    rule: str | None = Field(default=None, description="Calls that one rule decided only.")

    @override
    def make_filter(self) -> ReportFilter:
        """Say which calls; a number in place of a queue's id is masked as it is in the figures."""
        return ReportFilter(queue=None if self.queue_id is None else redact_identifier(self.queue_id), rule=self.rule)


class Report(BaseModel, Generic[RowT]):
    """A report as figures."""

    model_config = ConfigDict(populate_by_name=True)

    report: str
    begin: datetime = Field(alias="from", description="From when calls counted.")
    until: datetime
    by: Grain
    time_zone: str
    rows: Sequence[RowT]


class ReportSummary(BaseModel):
    """One report there is."""

    report: str = Field(description="Its name, the last part of its path.")
    question: str = Field(description="What it answers.")


class ReportList(BaseModel):
    """The reports there are."""

    items: list[ReportSummary]
    next: None = None
    links: dict[str, str] = Field(
        description="`enreach_reports` and `dynamics_dashboard`, where the settings `reports` name them."
    )


def _place(name: str, moment: datetime | date, zone: ZoneInfo) -> datetime:
    """Give a day its beginning in the zone."""
    if moment.year not in _YEARS:
        raise InvalidInputError(f"the year of `{name}` is none of {_YEARS[0]} to {_YEARS[-1]}")
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), zone)
