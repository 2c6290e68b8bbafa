"""Runs the rows of an event one by one; no row can keep the next one from running."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NoReturn, Protocol, TypeVar

import structlog

from app.configurator.events.catalogue import Event, EventRow, RowStatus
from app.configurator.events.context import EventContext, ForbiddenChangeError, accept_changes
from app.configurator.events.live_events import LiveEvents
from app.configurator.events.plugin import InstalledPlugin, PluginError, Plugins, read_parameters
from app.errors import AppError, TooManyRequestsError
from app.observability.redaction import redact_text
from app.observability.requests import RequestInfo
from app.routing.numbers import PhoneNumber
from app.store.event_runs import EventRunRecord

__all__ = ["EventRun", "EventRunner", "RowResult", "run_plugin"]

T = TypeVar("T")
log = structlog.get_logger()

_MAX_RUNNING: Final = 100
"""Runs under way at once; each holds a context and waits for other systems."""
_MAX_ERROR: Final = 300
_MAX_APART: Final = 8
"""Threads with code of other packages; one that never returns is lost until the process ends."""


class RunSink(Protocol):
    """Keeps what was run, even if the process dies the moment after."""

    def append(self, record: EventRunRecord) -> bool:
        """Keep one record; False when that failed, which must not keep the answer back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What became of one row."""

    number: int
    plugin: str
    ms: float
    changed: list[str]
    """Keys of the context."""
    error: str | None = None
    """Why it did not do its work; free of names and numbers."""
    would: str | None = None
    """On the test bench: what it would have done to other systems."""


@dataclass(slots=True)
class EventRun:
    """The context after the last row, and what became of each."""

    context: EventContext
    trace: list[RowResult] = field(default_factory=list)


class EventRunner:
    """Runs events by the rows that are active when they arrive."""

    def __init__(
        self,
        *,
        live_events: LiveEvents,
        plugins: Plugins,
        runs: RunSink,
        read_number: Callable[[object], PhoneNumber],
        timeout: float,
        clock: Callable[[], float],
    ) -> None:
        """`timeout` is for all rows of one event, in seconds; `clock` gives seconds since the epoch."""
        self._live_events = live_events
        self._plugins = plugins
        self._runs = runs
        self._read_number = read_number
        self._timeout = timeout
        self._clock = clock
        self._running = 0

    async def run(self, event_id: str, context: EventContext, *, credential: str, request: RequestInfo) -> EventRun:
        """Run the active rows in order, and record it.

        Raises NotFoundError, EventsUnknownError, and TooManyRequestsError; nothing that a row does.
        """
        event = self._live_events.find(event_id)
        if self._running >= _MAX_RUNNING:
            raise TooManyRequestsError("too many events are under way; send it again in a moment")
        self._running += 1
        try:
            at, started = self._clock(), asyncio.get_running_loop().time()
            run = await self._run_rows(event, context, self._run_row)
            milliseconds = _measure(started)
        finally:
            self._running -= 1
        self._runs.append(self._make_record(event, run, at=at, ms=milliseconds, credential=credential, request=request))
        failed = sum(result.error is not None for result in run.trace)
        log.info("event.run", event_name=event.id, rows=len(run.trace), failed=failed, ms=milliseconds)
        return run

    async def rehearse(self, event_id: str, context: EventContext) -> EventRun:
        """Run what only reads, and say of the rest what it would do; nothing is recorded. Raises NotFoundError."""
        return await self._run_rows(self._live_events.find(event_id), context, self._rehearse_row)

    async def _run_rows(
        self,
        event: Event,
        context: EventContext,
        run_row: Callable[[EventRow, EventContext, float], Coroutine[Any, Any, tuple[EventContext, RowResult]]],
    ) -> EventRun:
        until = asyncio.get_running_loop().time() + self._timeout
        run = EventRun(context.model_copy(update={"event_id": event.id}))
        stopped = ""
        for row in event.rows:
            if row.status is not RowStatus.ACTIVE:
                continue
            if stopped or asyncio.get_running_loop().time() >= until:
                error = stopped or "not run: the time of the event was over"
                run.trace.append(RowResult(number=row.number, plugin=row.plugin, ms=0.0, changed=[], error=error))
                continue
            run.context, result = await run_row(row, run.context, until)
            run.trace.append(result)
            if result.error is not None and row.stop_on_error:
                stopped = f"not run: row {row.number} failed, and stops the event"
        return run

    async def _run_row(self, row: EventRow, context: EventContext, until: float) -> tuple[EventContext, RowResult]:
        started = asyncio.get_running_loop().time()
        changed: list[str] = []
        error = None
        try:
            installed = self._find(row)
            seconds = min(row.timeout_ms / 1000, until - started)
            after = await run_plugin(installed, context, row, seconds=seconds)
            context, changed = accept_changes(context, after, row.plugin)
        except Exception as failure:  # noqa: BLE001 - the boundary between rows: the next one must run
            error = _explain(failure, row)
        ms = _measure(started)
        return context, RowResult(number=row.number, plugin=row.plugin, ms=ms, changed=changed, error=error)

    async def _rehearse_row(self, row: EventRow, context: EventContext, until: float) -> tuple[EventContext, RowResult]:
        try:
            would = await self._preview(self._find(row), row, context)
        except Exception as failure:  # noqa: BLE001 - see above
            error = _explain(failure, row)
            return context, RowResult(number=row.number, plugin=row.plugin, ms=0.0, changed=[], error=error)
        if would is None:
            return await self._run_row(row, context, until)
        return context, RowResult(number=row.number, plugin=row.plugin, ms=0.0, changed=[], would=would)

    async def _preview(self, installed: InstalledPlugin, row: EventRow, context: EventContext) -> str | None:
        plugin, copy = installed.plugin, context.model_copy(deep=True)
        parameters = read_parameters(plugin, row.parameters)
        if not installed.apart:
            return plugin.preview(copy, parameters)

        async def preview() -> str | None:
            return plugin.preview(copy, parameters)

        seconds = row.timeout_ms / 1000
        async with asyncio.timeout(seconds):
            return await _APART.run(preview, seconds)

    def _find(self, row: EventRow) -> InstalledPlugin:
        found = self._plugins.find(row.plugin)
        if found is None:
            raise PluginError("the plugin is not installed here")
        return found

    def _make_record(
        self, event: Event, run: EventRun, *, at: float, ms: float, credential: str, request: RequestInfo
    ) -> EventRunRecord:
        context = run.context
        number = self._read_number(context.phone_number)
        customer = context.customer
        return EventRunRecord(
            id=request.own_id,
            at=at,
            event=event.id,
            version=event.version,
            request_id=request.request_id,
            credential=credential,
            call_id=context.call_id,
            phone_raw=context.phone_number,
            phone_e164=number.e164,
            user_id=context.user_id,
            customer=None if customer is None else {"logicalName": customer.logical_name, "id": customer.id},
            trace=[
                {name: getattr(result, name) for name in ("number", "plugin", "ms", "changed", "error")}
                for result in run.trace
            ],
            ms=ms,
        )


async def run_plugin(
    installed: InstalledPlugin, context: EventContext, row: EventRow, *, seconds: float
) -> EventContext:
    """Run one plugin on a copy of the context; raises TimeoutError, PluginError and whatever the plugin raises."""
    plugin, copy = installed.plugin, context.model_copy(deep=True)
    parameters = read_parameters(plugin, row.parameters)
    async with asyncio.timeout(seconds):
        if installed.apart:
            after = await _APART.run(lambda: plugin.run(copy, parameters), seconds)
        else:
            after = await plugin.run(copy, parameters)
    if not isinstance(after, EventContext):
        raise PluginError("returned no context")
    return after


class _Apart:
    """Runs code of other packages in threads, where it may block."""

    def __init__(self) -> None:
        self._places = threading.Semaphore(_MAX_APART)

    async def run(self, begin: Callable[[], Awaitable[T]], seconds: float) -> T:
        """Run something in an event loop of its own, which is left alone when it blocks for longer.

        Raises PluginError when too many never returned, and whatever is raised there.
        """
        if not self._places.acquire(blocking=False):
            raise PluginError("too many plugins of other packages hang; restart the service")
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        async def work() -> T:
            async with asyncio.timeout(seconds):
                return await begin()

        def settle(result: Callable[[], T]) -> None:
            if not outcome.done():
                try:
                    outcome.set_result(result())
                except Exception as error:  # noqa: BLE001 - handed over to whoever waits
                    outcome.set_exception(error)

        def go() -> None:
            try:
                result = asyncio.run(work())
                settled = partial(settle, lambda: result)
            except BaseException as error:  # noqa: BLE001 - handed over to whoever waits
                settled = partial(settle, partial(_raise, error))
            finally:
                self._places.release()
            with suppress(RuntimeError):  # the service has ended meanwhile
                loop.call_soon_threadsafe(settled)

        # A daemon: a plugin that hangs must not keep the process from ending.
        threading.Thread(target=go, name="plugin", daemon=True).start()
        return await outcome


def _raise(error: BaseException) -> NoReturn:
    raise error if isinstance(error, Exception) else PluginError(f"ended with {type(error).__name__}")


_APART: Final = _Apart()


def _explain(failure: Exception, row: EventRow) -> str:
    """Say why a row failed, without what others wrote: it may hold names and numbers."""
    if isinstance(failure, TimeoutError):
        return f"took longer than it may ({row.timeout_ms} ms, or what was left of the time of the event)"
    if isinstance(failure, PluginError | ForbiddenChangeError):
        return redact_text(str(failure))[:_MAX_ERROR]
    if isinstance(failure, AppError):
        return redact_text(getattr(failure, "summary", failure.detail))[:_MAX_ERROR]
    log.warning("event.row_failed", plugin=row.plugin, row=row.number, error=type(failure).__name__)
    return f"failed: {type(failure).__name__}"


def _measure(started: float) -> float:
    return round((asyncio.get_running_loop().time() - started) * 1000, 3)
