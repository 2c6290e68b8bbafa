"""The weekly summary: what became of the calls, what changed, and what somebody should look at."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from html import escape
from typing import Any, Final
from zoneinfo import ZoneInfo

from app.operations.signed_hooks import HookMessage
from app.reports.charts import draw
from app.reports.figures import REPORTS
from app.reports.periods import Grain, choose_zone, list_periods
from app.reports.store import ReportFilter, ReportStore
from app.settings import Settings
from app.web.limits import HeavyWork

__all__ = ["DigestSources", "WeeklyDigest"]

_HOUR: Final = 6
"""Of Monday, in the zone of the organisation: before the week begins for whoever reads it."""
_SENT_WITHIN: Final = timedelta(days=1)
"""A process that starts later does not send it any more: what was delivered is forgotten after a day at the least."""
_SECRETS_DAYS: Final = 30
_PICTURES: Final = ("calls", "recognition")
_FIGURES: Final = {
    "Calls": ("calls", "calls"),
    "Redirected": ("calls", "redirected"),
    "Answered in time": ("calls", "in_time"),
    "Callers recognised": ("recognition", "identified"),
    "VIP callers": ("recognition", "vip"),
    "Callers unknown": ("recognition", "unknown"),
    "Dataverse did not answer": ("recognition", "unavailable"),
}
"""What a figure is called, and where it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSources:
    """What the summary tells besides figures."""

    list_rules: Callable[[], Iterable[str]]
    """Ids of the enabled rules of the live ruleset."""
    count_unreadable: Callable[[], Awaitable[int]]
    """How many stored numbers cannot be read; raises StoreError."""
    read_settings: Callable[[], Settings]
    announce: Callable[[HookMessage], Awaitable[None]]
    """Tells the receivers that want it, each once; raises StoreError."""


class WeeklyDigest:
    """Writes the summary of the last whole week on Monday morning and has it sent. Everything raises StoreError."""

    def __init__(
        self, *, store: ReportStore, sources: DigestSources, heavy_work: HeavyWork, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._sources = sources
        self._heavy_work = heavy_work
        self._clock = clock
        self._sent = ""

    async def send_when_due(self) -> None:
        """Send the summary, once, in the day after six o'clock on Monday."""
        settings = self._sources.read_settings()
        if not any(receiver.digest for receiver in settings.alerts.receivers.values()):
            return
        zone = ZoneInfo(settings.general.time_zone)
        monday = _find_monday(datetime.fromtimestamp(self._clock(), zone).date())
        late = datetime.fromtimestamp(self._clock(), zone) - datetime.combine(monday, time(_HOUR), zone)
        message_id = f"msg_week_{monday:%G_%V}"
        if timedelta() <= late < _SENT_WITHIN and self._sent != message_id:
            await self._sources.announce(await self.write(monday, message_id))
            self._sent = message_id

    async def write(self, monday: date, message_id: str) -> HookMessage:
        """Write the summary of the week before that Monday."""
        settings = self._sources.read_settings()
        zone = choose_zone(settings.general.time_zone)
        end = datetime.combine(monday, time(), zone)
        figures = await self._compare(end)
        hints = await self._list_hints(end, settings)
        first, last = monday - timedelta(days=7), monday - timedelta(days=1)
        title = f"calls of {first:%d %b} to {last:%d %b %Y}"
        lines = [f"{name}: {_tell(*pair)}" for name, pair in figures.items()]
        return HookMessage(
            id=message_id,
            type="report.weekly",
            at=self._clock(),
            data={
                "kind": "weekly_summary",
                "key": f"week:{first:%G-W%V}",
                "title": title,
                "message": "\n".join([*lines, *hints]),
                "html": _write_html(title, figures, hints),
                "figures": {name: {"week": week, "week_before": before} for name, (week, before) in figures.items()},
                "hints": hints,
                "pictures": await self._draw(end),
            },
        )

    async def _compare(self, end: datetime) -> dict[str, tuple[int, int]]:
        """Return each figure of the week, and of the week before."""
        rows = {name: await self._read(name, end, weeks=2, grain=Grain.WEEK) for name in ("calls", "recognition")}
        return {
            name: (getattr(rows[report][1], member), getattr(rows[report][0], member))
            for name, (report, member) in _FIGURES.items()
        }

    async def _list_hints(self, end: datetime, settings: Settings) -> list[str]:
        """Say what somebody should look at."""
        matched = {row.rule for row in await self._read("rules", end, weeks=1, grain=Grain.WEEK)}
        idle = [rule for rule in self._sources.list_rules() if rule not in matched]
        hints = [f"Rules that never matched: {', '.join(idle)}."] if idle else []
        if unreadable := await self._sources.count_unreadable():
            hints.append(f"Numbers in Dynamics that cannot be read: {unreadable:,} (/admin/numbers lists them).")
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        hints += [
            f"The webhook key {label} is to be removed by {day:%d %b %Y}."
            for label, day in sorted(settings.webhook.retiring.items())
            if day <= today + timedelta(days=_SECRETS_DAYS)
        ]
        return hints

    async def _draw(self, end: datetime) -> dict[str, str]:
        pictures = {}
        for report in _PICTURES:
            rows = await self._read(report, end, weeks=1, grain=Grain.DAY)
            pictures[f"{report}.svg"] = await self._heavy_work.run(draw, report, rows, Grain.DAY, str(end.tzinfo))
        return pictures

    async def _read(self, report: str, end: datetime, *, weeks: int, grain: Grain) -> Sequence[Any]:
        zone = end.tzinfo if isinstance(end.tzinfo, ZoneInfo) else ZoneInfo("UTC")
        begin = datetime.combine(end.date() - timedelta(weeks=weeks), time(), zone)
        periods = list_periods(begin, end, grain, zone)
        return await REPORTS[report].make(self._store, periods, ReportFilter(), self._heavy_work)


def _find_monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _tell(week: int, before: int) -> str:
    change = f", {(week - before) / before:+.0%}" if before else ""
    return f"{week:,} ({before:,} the week before{change})"


def _write_html(title: str, figures: Mapping[str, tuple[int, int]], hints: Sequence[str]) -> str:
    rows = "".join(
        f'<tr><th align="left">{escape(name)}</th><td align="right">{week:,}</td><td align="right">{before:,}</td></tr>'
        for name, (week, before) in figures.items()
    )
    head = '<tr><th></th><th align="right">Week</th><th align="right">Week before</th></tr>'
    items = "".join(f"<li>{escape(hint)}</li>" for hint in hints)
    return (
        f"<!doctype html><html><body><h1>{escape(title)}</h1><table>{head}{rows}</table>"
        + (f"<ul>{items}</ul>" if items else "")
        + "</body></html>"
    )
