"""How often a number called within the last day, and where it was sent: from the decision log, kept in memory.

A call never waits for it: decisions of this process count at once, those of other processes within seconds, and what
was before the start is read behind the calls. Nothing is kept while no published rule asks.
"""

import math
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Final, NamedTuple

from app.calls.store import LoggedCall, RecentCallsReader
from app.routing.callers import Cause
from app.routing.calls import Call
from app.routing.decisions import DecisionRecord
from app.routing.facts import FactValue, Unknown

__all__ = ["MAX_COUNTED", "RecentCalls"]

MAX_COUNTED: Final = 100
"""Calls of one number that are remembered, so that more are counted as so many."""
_MAX_NUMBERS: Final = 50_000
_HOUR: Final = 3_600.0
_DAY: Final = 86_400.0
_PAGE: Final = 500
"""Records read at once: few milliseconds of work, so that no call waits for it."""
_OVERLAP_SECONDS: Final = 30.0
"""Records of other processes reach the database so late at most, while it works."""
_STALE_SECONDS: Final = 60.0
"""For so long without a look at the database, calls that other processes answered may be missing."""
_LOADING: Final = Unknown(Cause.NOT_FETCHED, "the calls of this time are still being read")
_AT: Final = attrgetter("at")
_AWAY: Final = Unknown(Cause.ERROR, "the decision log cannot be read")


class _Past(NamedTuple):
    """One call."""

    at: float
    key: str
    """Its id."""
    destination: str | None
    """The name of the destination it was redirected to."""


class _Caller:
    """The last calls of one number, in the order of time."""

    __slots__ = ("_by_key", "calls")

    def __init__(self) -> None:
        self.calls: list[_Past] = []
        self._by_key: dict[str, _Past] = {}

    def put(self, call: LoggedCall) -> None:
        """Keep a call, and forget the oldest when there are many."""
        past = _Past(call.at, call.key, call.destination)
        before = self._by_key.get(call.key)
        if before is not None:
            # A call that several queues asked about counts once, from its beginning, with where it went at last.
            later = call.at >= before.at and call.destination
            past = _Past(min(call.at, before.at), call.key, call.destination if later else before.destination)
            self.calls.remove(before)
        self._by_key[call.key] = past
        insort(self.calls, past, key=_AT)
        if len(self.calls) > MAX_COUNTED:
            del self._by_key[self.calls.pop(0).key]

    def tell(self, call: Call, now: float) -> dict[str, FactValue]:
        """Tell the facts about the calls that came before this one, in a time that does not grow with them."""
        day, hour, end = (bisect_right(self.calls, time, key=_AT) for time in (now - _DAY, now - _HOUR, now))
        itself = self._by_key.get(call.call_id or "")
        before = reversed(self.calls[day:end])
        return {
            "caller.calls.last_hour": end - hour - (itself is not None and now - _HOUR < itself.at <= now),
            "caller.calls.last_day": end - day - (itself is not None and now - _DAY < itself.at <= now),
            "caller.last_destination": next(
                (past.destination for past in before if past.destination is not None and past is not itself), None
            ),
        }


class _Memory:
    """The last calls by number, the numbers in the order of their latest call."""

    def __init__(self) -> None:
        self.calls: OrderedDict[str, _Caller] = OrderedDict()
        self.known_since = math.inf
        """From when on every call is in it, in seconds since the epoch."""
        self.oldest: str | None = None
        """The id of the oldest record that was read."""

    def put(self, call: LoggedCall, *, newest: bool) -> None:
        """Keep a call; `newest` unless it is older than all that are known of other numbers."""
        known = call.caller in self.calls
        self.calls.setdefault(call.caller, _Caller()).put(call)
        if newest or not known:
            self.calls.move_to_end(call.caller, last=newest)
        if len(self.calls) > _MAX_NUMBERS:
            _, dropped = self.calls.popitem(last=False)
            self.known_since = max(self.known_since, dropped.calls[-1].at)

    def drop_before(self, time: float) -> None:
        """Forget the numbers that have not called since."""
        while self.calls:
            number, caller = next(iter(self.calls.items()))
            if caller.calls[-1].at >= time:
                return
            del self.calls[number]


class RecentCalls:
    """Keeps them for the calls of this process."""

    def __init__(self, *, reader: RecentCallsReader, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._clock = clock
        self._memory: _Memory | None = None
        self._next: _Memory | None = None
        """What is being read from the database, until it is complete; the same at first."""
        self._read_at = 0.0
        self._erasures: int | None = None

    def tell(self, call: Call, now: float) -> Mapping[str, FactValue]:
        """Tell the facts of a call, without waiting, for what came before it."""
        if call.caller.e164 is None:
            return _say(None)
        memory = self._memory
        if memory is None:
            return _say(_LOADING)
        if now - self._read_at > _STALE_SECONDS:
            return _say(_AWAY)
        facts = memory.calls.get(call.caller.e164, _NOBODY).tell(call, now)
        if memory.known_since > now - _DAY:
            facts |= {"caller.calls.last_day": _LOADING}
            facts |= {} if facts["caller.last_destination"] is not None else {"caller.last_destination": _LOADING}
            facts |= {"caller.calls.last_hour": _LOADING} if memory.known_since > now - _HOUR else {}
        return facts

    async def ask(self, call: Call, now: float) -> Mapping[str, FactValue]:
        """Tell the facts from the database, for whoever can wait; raises StoreError."""
        if call.caller.e164 is None:
            return _say(None)
        memory, caller, before = _Memory(), _NOBODY, None
        while len(caller.calls) < MAX_COUNTED:
            # One call may have asked often, so a page may hold few calls.
            page = await self._reader.list_of(call.caller.e164, before, since=now - _DAY, limit=_PAGE)
            for each in page:
                memory.put(each, newest=False)
            if len(page) < _PAGE:
                break
            caller, before = memory.calls[call.caller.e164], page[-1].id
        return memory.calls.get(call.caller.e164, _NOBODY).tell(call, now)

    def note(self, record: DecisionRecord) -> None:
        """Count a call that was just decided."""
        if self._memory is None or record.caller_e164 is None or record.drill is not None:
            return
        call = LoggedCall.of(record.id, record.at, record.caller_e164, record.call_id, record.decision)
        for memory in (self._memory, self._next):
            if memory is not None:
                memory.put(call, newest=True)

    def forget(self, e164: str) -> None:
        """Forget a number that was erased from the decision log."""
        for memory in (self._memory, self._next):
            if memory is not None:
                memory.calls.pop(e164, None)

    def begin(self, *, asked: bool) -> None:
        """Begin to count, or forget everything, as the published rules ask from now on."""
        if not asked:
            self._memory = self._next = None
        elif self._memory is None:
            self._memory = self._next = _Memory()
            self._read_at = self._clock()

    async def load_some(self) -> bool:
        """Read one page of what is still to be read, the newest first; tell whether that is all. Raises StoreError."""
        memory, now = self._next, self._clock()
        if memory is None:
            return True
        page = await self._reader.list_before(memory.oldest, since=now - _DAY, limit=_PAGE)
        for call in page:
            memory.put(call, newest=False)
        self._read_at = now
        if len(page) == _PAGE and len(memory.calls) < _MAX_NUMBERS:
            memory.oldest, memory.known_since = page[-1].id, page[-1].at
            return False
        memory.known_since = page[-1].at if len(page) == _PAGE else now - _DAY
        self._memory, self._next = memory, None
        return True

    async def follow(self) -> None:
        """Read what other processes have logged and erased, and at first the last day; raises StoreError."""
        if self._memory is None:
            return
        erasures = await self._reader.find_last_erasure(self._erasures or 0)
        if self._erasures not in {None, erasures} and self._next is None:
            # What another process has erased is not in the database any more, and so not in what is read now.
            self._next = _Memory()
        self._erasures = erasures
        while not await self.load_some():
            pass
        if self._memory is not None:
            await self._catch_up(self._memory)

    async def _catch_up(self, memory: _Memory) -> None:
        now, after = self._clock(), None
        while True:
            page = await self._reader.list_after(after, since=self._read_at - _OVERLAP_SECONDS, limit=_PAGE)
            for call in page:
                memory.put(call, newest=True)
            if len(page) < _PAGE:
                break
            after = page[-1].id
        memory.drop_before(now - _DAY)
        self._read_at = now


_NOBODY: Final = _Caller()


def _say(value: FactValue) -> dict[str, FactValue]:
    return dict.fromkeys(("caller.calls.last_hour", "caller.calls.last_day", "caller.last_destination"), value)
