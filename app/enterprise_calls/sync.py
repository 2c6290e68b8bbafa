"""Reads calls from Enreach, asks the rules, writes activities, and keeps what became of each call.

Every step may be interrupted and done again: the position moves only after everything before it is kept, a call whose
activity is being written is kept as such before, and the activity has an id of its own.
"""

import asyncio
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from app.dataverse.client import DataverseClient
from app.dataverse.errors import DataverseError, TimedOutError
from app.dataverse.phone_calls import WriteOutcome, write_phone_calls
from app.enreach.client import EnreachClient
from app.enreach.periods import CallTime, Period
from app.enreach.records import ClassifiedCall
from app.enterprise_calls.activities import make_phone_call, read_activities
from app.enterprise_calls.events import ReadCalls, read_events
from app.enterprise_calls.office_days import OfficeDays
from app.enterprise_calls.rules import (
    CallEvent,
    KnownActivity,
    Outcome,
    Reason,
    Step,
    SyncRules,
    Verdict,
    judge,
    screen,
)
from app.enterprise_calls.store import EnterpriseCallStore, StoredCall
from app.enterprise_calls.users import SyncUsers, index_users
from app.errors import ConflictError
from app.routing.callers import Caller, CallerStatus
from app.settings import Settings
from app.users.user import User

__all__ = ["CallSync", "FindCallers", "ReadUsers", "SyncTally"]

FindCallers = Callable[[Sequence[str]], Awaitable[Mapping[str, Caller]]]
"""Asks the directory's own matching for E.164 numbers, many in few requests; raises DataverseError."""
ReadUsers = Callable[[], Awaitable[Sequence[User]]]
"""Reads all users of Dynamics with their Enreach ids; raises DataverseError."""
OVERLAP_SECONDS: Final = 300.0
"""Rows appear some ten seconds late (Enreach contract, section 4.3), and clocks differ; far more than both."""
_WINDOW: Final = timedelta(hours=6)
"""Read in one go when there is much to catch up, so that little is read again after an interruption."""
_CHUNK: Final = 100
"""Calls that are decided and written together: few requests, and no call of a queue waits long beside them."""
_STEP_SECONDS: Final = 120.0
"""For one step of a chunk; a system that hangs is given up, and asked again by the next run."""
AUTHOR: Final = "enterprise-calls"


@dataclass(slots=True)
class SyncTally:
    """What one run did; holds nothing about a single call but ids of activities it left in Dynamics."""

    rows: int = 0
    not_work: int = 0
    unreadable: int = 0
    """Rows of Enreach that could not be read."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """`outcome/reason` -> calls."""
    left_in_dynamics: list[str] = field(default_factory=list)
    """Activities of calls that are not work any more: what was kept here is gone, the activity is not."""

    def describe(self) -> dict[str, object]:
        """Return it as JSON."""
        return {
            "rows": self.rows,
            "not_work": self.not_work,
            "unreadable": self.unreadable,
            "outcomes": dict(sorted(self.outcomes.items())),
            "left_in_dynamics": self.left_in_dynamics,
        }


@dataclass(frozen=True, slots=True)
class _Round:
    """What holds while some calls are decided."""

    settings: Settings
    rules: SyncRules
    users: SyncUsers
    days: OfficeDays
    tally: SyncTally
    dry_run: bool = False


class CallSync:
    """The synchronisation.

    Everything raises ConflictError while it is stopped, and EnreachError, DataverseError and StoreError.

    Several may run at once, in this process and in others: nothing is done twice.
    """

    def __init__(
        self,
        *,
        enreach: EnreachClient | None,
        dataverse: DataverseClient,
        find_callers: FindCallers,
        read_users: ReadUsers,
        store: EnterpriseCallStore,
        read_settings: Callable[[], Settings],
        clock: Callable[[], float],
    ) -> None:
        """`dataverse` and what `find_callers` asks must leave calls their part of the request budget."""
        self.written: Counter[str] = Counter()
        """Activities since the start, by what came of writing them; for metrics."""
        self._enreach = enreach
        self._dataverse = dataverse
        self._find_callers = find_callers
        self._read_users = read_users
        self._store = store
        self._read_settings = read_settings
        self._clock = clock
        self._deciding = asyncio.Lock()

    def explain_stop(self, *, dry_run: bool = False) -> str:
        """Say why nothing can be synchronised, naming every setting at fault; empty when nothing is."""
        settings = self._read_settings().phone_call_sync
        reasons = []
        if not settings.enabled and not dry_run:
            reasons.append("enabled is false")
        if settings.privacy_field is None:
            reasons.append("privacy_field is not set: ask Enreach which key of a call tells work from private")
        if settings.default_crm_assignee is None:
            reasons.append("default_crm_assignee is not set: name a user of Dynamics")
        if self._enreach is None:
            reasons.append("the Enreach API is not configured: set SMARTROUTING_ENREACH__URL, __USER and __SECRET")
        return "; ".join(reasons)

    async def catch_up(self) -> SyncTally:
        """Read what has changed since the last time, and move on."""
        async with self._begin() as this:
            now = self._clock()
            await self._store.begin(position=now - OVERLAP_SECONDS)
            state = await self._store.read_state()
            position = now if state is None else state.position
            for period in _cut(position - OVERLAP_SECONDS, now):
                await self._read_period(period, this)
                await self._store.advance(position=period.end.timestamp())
            return this.tally

    async def run(
        self, since: float, until: float, *, dry_run: bool, report: Callable[[int], Awaitable[bool]]
    ) -> SyncTally:
        """Read the calls that began between two times, and decide anew what was decided but not written.

        A dry run keeps and writes nothing. `report` takes the number of hours done and tells whether to go on.
        """
        async with self._begin(dry_run=dry_run) as this:
            for done, period in enumerate(_cut(since, until, of=CallTime.STARTED), start=1):
                await self._read_period(period, this, again=True)
                if not await report(done):
                    break
            return this.tally

    async def retry(self, call_id: str) -> None:
        """Read one call anew, and decide it as if it had never been decided; forgets it when it is not work."""
        async with self._begin() as this:
            assert self._enreach is not None  # noqa: S101 - explained by `explain_stop`
            field_name = this.settings.phone_call_sync.privacy_field or ""
            rows = await self._enreach.list_parts(call_id, privacy_field=field_name)
            read = self._read_rows(rows.rows, this)
            await self._withdraw(read, this)
            async with self._deciding:
                known = await self._store.load([event.id for event in read.work])
                erased = {key for key, call in known.items() if call.reason is Reason.ERASED}
                await self._settle([event for event in read.work if event.id not in erased], this)

    async def settle_late(self, calls: Sequence[StoredCall], *, tried_at: float) -> SyncTally:
        """Decide calls that wait once more; those for which this was the last overnight run expire."""
        async with self._begin() as this:
            async with self._deciding:
                await self._settle([call.event for call in calls], this, tried_at=tried_at)
            return this.tally

    @asynccontextmanager
    async def _begin(self, *, dry_run: bool = False) -> AsyncIterator[_Round]:
        """Read what holds for a run; raises ConflictError while it is stopped."""
        if reason := self.explain_stop(dry_run=dry_run):
            raise ConflictError(f"calls are not synchronised: {reason} (settings group phone-call-sync)")
        settings = self._read_settings()
        ours = settings.phone_call_sync
        async with _bound():
            users = index_users(await self._read_users())
        assignee = users.find_assignee(str(ours.default_crm_assignee))
        if assignee is None:
            raise ConflictError("calls are not synchronised: default_crm_assignee names no active user of Dynamics")
        rules = SyncRules(
            duration_limit_s=ours.call_duration_limit_s,
            start_margin_s=ours.call_start_margin_s,
            assignee_id=assignee.id,
        )
        yield _Round(settings, rules, users, OfficeDays.of(ours), SyncTally(), dry_run)

    async def _read_period(self, period: Period, this: _Round, *, again: bool = False) -> None:
        assert self._enreach is not None  # noqa: S101 - explained by `explain_stop`
        ours = this.settings.phone_call_sync
        rows = await self._enreach.list_classified_calls(period, privacy_field=ours.privacy_field or "")
        this.tally.unreadable += len(rows.not_understood)
        read = self._read_rows(rows.rows, this)
        await self._withdraw(read, this)
        for start in range(0, len(read.work), _CHUNK):
            chunk = read.work[start : start + _CHUNK]
            async with self._deciding:
                known = await self._store.load([event.id for event in chunk])
                await self._settle([each for each in chunk if _is_open(each, known.get(each.id), again=again)], this)

    def _read_rows(self, rows: Sequence[ClassifiedCall], this: _Round) -> ReadCalls:
        values = this.settings.phone_call_sync.privacy_work_values
        read = read_events(rows, work_values=values, region=this.settings.phone.default_region)
        this.tally.rows += len(rows)
        this.tally.not_work += len(read.not_work)
        return read

    async def _withdraw(self, read: ReadCalls, this: _Round) -> None:
        """Forget calls that are not work any more, and say which activities that leaves in Dynamics."""
        if read.not_work and not this.dry_run:
            this.tally.left_in_dynamics += await self._store.withdraw(read.not_work, now=self._clock(), who=AUTHOR)

    async def _settle(self, events: Sequence[CallEvent], this: _Round, *, tried_at: float | None = None) -> None:
        """Decide calls, write the activities that are wanted, and keep what became of each."""
        users = {event.id: this.users.find(event.user_name) for event in events}
        verdicts = {event.id: screen(event, this.rules, users[event.id]) for event in events}
        await self._match(events, verdicts, this)
        wanted = [event for event in events if verdicts[event.id].outcome is None]

        def keep(event: CallEvent, verdict: Verdict) -> StoredCall:
            user = users[event.id]
            return StoredCall(
                event=event,
                user_id=None if user is None else user.id,
                outcome=verdict.outcome or Outcome.PENDING,
                reason=verdict.reason or Reason.WRITING,
                steps=verdict.steps,
                updated_at=self._clock(),
                tried_at=tried_at if verdict.outcome is not None else None,
            )

        def conclude(some: Sequence[CallEvent]) -> list[StoredCall]:
            for event in some:
                verdicts[event.id] = self._expire(event, verdicts[event.id], this, tried_at)
            return [keep(event, verdicts[event.id]) for event in some]

        if not this.dry_run:
            await self._store.save(conclude(events))
            await self._write(wanted, verdicts)
            await self._store.save(conclude(wanted))
        for event in events:
            verdict = verdicts[event.id]
            this.tally.outcomes[f"{verdict.outcome or Outcome.SYNCED}/{verdict.reason or Reason.WRITTEN}"] += 1

    async def _match(self, events: Sequence[CallEvent], verdicts: dict[str, Verdict], this: _Round) -> None:
        """Ask the rules about the other party, for all calls that came so far."""
        left = [event for event in events if verdicts[event.id].outcome is None]
        if not left:
            return
        async with _bound():
            callers = await self._find_callers(sorted({event.number for event in left if event.number}))
        found = [event for event in left if callers[event.number or ""].status is CallerStatus.IDENTIFIED]
        activities = await self._read_others(found, this, ours={event.id for event in events})
        margin = this.rules.start_margin_s
        for event in left:
            first = bisect_left(activities, (event.started_at or 0.0) - margin, key=_read_start)
            last = bisect_right(activities, (event.started_at or 0.0) + margin, key=_read_start)
            verdicts[event.id] = judge(
                event,
                this.rules,
                verdicts[event.id],
                callers[event.number or ""],
                activities[first:last],
                colleagues=this.users.colleagues,
            )

    async def _read_others(
        self, events: Sequence[CallEvent], this: _Round, *, ours: AbstractSet[str]
    ) -> list[KnownActivity]:
        """Read the activities around some calls that this synchronisation has not made, in the order they began."""
        starts = [event.started_at for event in events if event.started_at is not None]
        if not starts:
            return []
        margin = this.rules.start_margin_s
        region = this.settings.phone.default_region
        async with _bound():
            found = await read_activities(
                self._dataverse, since=min(starts) - margin, until=max(starts) + margin, region=region
            )
        made = ours | (await self._store.load([each.id for each in found])).keys()
        return sorted((each for each in found if each.id not in made), key=_read_start)

    def _expire(self, event: CallEvent, verdict: Verdict, this: _Round, tried_at: float | None) -> Verdict:
        """End the wait of a call after its last overnight run."""
        if verdict.outcome is not Outcome.PENDING or tried_at is None:
            return verdict
        last = this.days.last_chance(event.started_at or 0.0)
        if self._clock() < last:
            return verdict
        seen = {"last_run": f"{datetime.fromtimestamp(last, UTC):%Y-%m-%dT%H:%M:%SZ}"}
        step = Step("overnight", False, seen, f"{verdict.explanation} The last overnight run for this call has passed.")
        return replace(verdict, outcome=Outcome.EXPIRED, steps=(*verdict.steps, step))

    async def _write(self, wanted: Sequence[CallEvent], verdicts: dict[str, Verdict]) -> None:
        phone_calls = [make_phone_call(event, verdicts[event.id]) for event in wanted]
        async with _bound():
            results = await write_phone_calls(self._dataverse, phone_calls)
        for event, result in zip(wanted, results, strict=True):
            self.written["refused" if isinstance(result, DataverseError) else result.value] += 1
            verdicts[event.id] = _note(verdicts[event.id], result)


def _read_start(activity: KnownActivity) -> float:
    return activity.started_at


def _note(verdict: Verdict, result: WriteOutcome | DataverseError) -> Verdict:
    """Add what came of writing the activity."""
    if isinstance(result, DataverseError):
        step = Step("activity", False, {"error": result.code}, f"Dataverse refused the activity: {result.summary}.")
        return replace(verdict, outcome=Outcome.PENDING, reason=Reason.REFUSED, steps=(*verdict.steps, step))
    ours = result in {WriteOutcome.CREATED, WriteOutcome.COMPLETED}
    text = "The activity is in Dynamics." if ours else "The activity was in Dynamics already, and is left as it is."
    step = Step("activity", True, {"write": result.value}, text)
    reason = Reason.WRITTEN if ours else Reason.ALREADY_THERE
    return replace(verdict, outcome=Outcome.SYNCED, reason=reason, steps=(*verdict.steps, step))


def _is_open(event: CallEvent, known: StoredCall | None, *, again: bool) -> bool:
    """Tell whether a call is to be decided: it is new, was interrupted, or has changed; or `again` by hand."""
    if known is None or known.reason is Reason.WRITING:
        return True
    if known.outcome is Outcome.SYNCED or known.reason is Reason.ERASED:
        return False
    return event != known.event or (again and known.outcome is not Outcome.EXPIRED)


def _cut(since: float, until: float, *, of: CallTime = CallTime.MODIFIED) -> list[Period]:
    """Cut a time into windows."""
    start, end = datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(max(since, until), UTC)
    windows = []
    while end - start > _WINDOW:
        windows.append(Period(start, start + _WINDOW, of))
        start += _WINDOW
    return [*windows, Period(start, end, of)]


@asynccontextmanager
async def _bound() -> AsyncIterator[None]:
    """Give a step up after a while, as the error that says so."""
    try:
        async with asyncio.timeout(_STEP_SECONDS):
            yield
    except TimeoutError as error:
        raise TimedOutError(f"no complete answer within {_STEP_SECONDS:.0f} s") from error
