"""The components of reports, and what is counted for them beside calls."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

from app.dataverse.errors import DataverseError
from app.reports.figures import ReportKind
from app.reports.periods import Period, choose_zone
from app.reports.rollup import find_slot
from app.reports.store import ReportFilter, ReportStore
from app.settings import Settings
from app.users.readiness import ItemGroup, ItemState
from app.users.user import VoiceUser
from app.users.users import AssessedUser
from app.web.limits import HeavyWork

__all__ = ["ReportComponents", "ReportsState", "UserCounts", "save_requests"]

_COUNTED_SECONDS = 300.0
_LACKING = {ItemState.MISSING, ItemState.UNKNOWN}


class UserCounts:
    """Counts how many users are ready. Everything raises StoreError."""

    def __init__(
        self,
        *,
        store: ReportStore,
        assess_users: Callable[[], Awaitable[Sequence[AssessedUser]]],
        clock: Callable[[], float],
    ) -> None:
        """`assess_users` reads all users with their checklists, and raises DataverseError."""
        self._store = store
        self._assess_users = assess_users
        self._clock = clock
        self._counted_at = -_COUNTED_SECONDS

    async def count(self) -> None:
        """Count now, and keep it. Raises DataverseError."""
        self._counted_at = now = self._clock()
        users = [each for each in await self._assess_users() if _can_use_voice(each.voice)]
        ready = [sum(user.readiness.is_ready(group) for user in users) for group in ItemGroup]
        lacking = Counter(item.id for user in users for item in user.readiness.items if item.state in _LACKING)
        counts = {
            "users": len(users),
            "ready": ready[0],
            "not_ready": len(users) - ready[0],
            "ready_for_enterprise_calls": ready[1],
            "missing": dict(lacking.most_common()),
        }
        await self._store.save_user_counts(find_slot(now), counts)

    async def count_when_old(self) -> None:
        """Count when nobody did within five minutes; what was counted last stands while Dataverse is away."""
        if self._clock() - self._counted_at >= _COUNTED_SECONDS:
            with suppress(DataverseError):
                await self.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportComponents:
    """What the routes of this capability use."""

    store: ReportStore
    heavy_work: HeavyWork
    users: UserCounts
    read_settings: Callable[[], Settings]
    """Tells those of now."""
    clock: Callable[[], float]

    @property
    def usual_zone(self) -> ZoneInfo:
        """The zone of the organisation, for reports that name none."""
        return choose_zone(self.read_settings().general.time_zone)

    async def make(self, kind: ReportKind, periods: Sequence[Period], wanted: ReportFilter) -> Sequence[Any]:
        """Make a report, with the present number of users where it is wanted. Raises StoreError."""
        if kind.name == "users" and periods[-1].begin <= self.clock() <= periods[-1].end:
            await self.users.count_when_old()
        return await kind.make(self.store, periods, wanted, self.heavy_work)


def _can_use_voice(voice: VoiceUser) -> bool:
    return voice.user.active and not voice.user.is_application and bool(voice.list_carriers())


class ReportsState(TypedDict):
    """Its place in the lifespan state."""

    reports: ReportComponents


async def save_requests(
    store: ReportStore, take_counts: Callable[[], tuple[int, int]], *, clock: Callable[[], float]
) -> None:
    """Save how many requests Dataverse got since the last time. Raises StoreError."""
    for_calls, for_others = take_counts()
    counts = {"calls": for_calls, "other": for_others}
    if any(counts.values()):
        await store.add_requests(find_slot(clock()), {purpose: count for purpose, count in counts.items() if count})
