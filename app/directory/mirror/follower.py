"""Keeps the index equal to Dataverse: one process loads it and follows the changes, for all."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import structlog

from app.dataverse.client import DataverseClient, Row
from app.dataverse.errors import BadQueryError, DataverseError, RecordNotFoundError, UnreadableAnswerError
from app.dataverse.queries import build_path
from app.dataverse.records import LOOKUP_TYPES
from app.directory.mirror.plan import MirrorPlan, MirrorTable
from app.directory.mirror.records import read_changes
from app.directory.mirror.status import MirrorStatus
from app.directory.mirror.store import Generation, GenerationState, MirrorStore, Position
from app.store.errors import StoreError

__all__ = ["MirrorFollower", "MirrorOptions"]

log = structlog.get_logger()

_MANY_COLUMNS: Final = 16
"""With more of them 5,000 rows may be larger than an answer that the client reads, 5 MB."""
_SHORT_PAGE: Final = 2_000
_MAX_PAGE: Final = 5_000
_REFUSED_SECONDS: Final = 600.0
"""How often a column that the organisation did not have is asked for again."""
_BREATH_SECONDS: Final = 0.05
"""Between two deletions of old rows, for whoever else writes to the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorOptions:
    """How much at once, how often and how patiently. Times in seconds."""

    page_size: int = _MAX_PAGE
    """Rows of one answer; Dataverse gives no more (Dataverse contract, section 1.4)."""
    poll_seconds: float = 15.0
    """Between two questions for changes (1 to 3,600)."""
    idle_seconds: float = 2.0
    """Between two attempts to become the leader (0.01 to 60)."""
    grace_seconds: float = 30.0
    """How long the rows of a retired generation stay, for processes that have not heard of the new one."""
    reload_seconds: float = 600.0
    """Between the beginnings of two loads whose delta tokens are refused, lest one follow the other for ever."""
    max_pause_seconds: float = 300.0
    """Between two tries while Dataverse or the store fails; it begins with the poll and doubles."""


class _Page(NamedTuple):
    rows: Sequence[Row]
    next_link: str | None
    delta_link: str | None


class _RefusedLinkError(Exception):
    """Dataverse does not take the link any more: only a new load helps."""

    def __init__(self, error: DataverseError) -> None:
        super().__init__(error.detail)
        self.error = error


class _RefusedColumnsError(Exception):
    """The organisation does not have columns that only rules read: the load goes without them."""

    def __init__(self, table: str, columns: frozenset[str]) -> None:
        super().__init__(table)
        self.table = table
        self.columns = columns


class MirrorFollower:
    """Does one piece of work after the other: follow, load, put a new generation in the place of the old one, sweep.

    Everything it knows is in the store, so that a process that dies is replaced by another one at the same page.
    """

    def __init__(
        self,
        *,
        client: DataverseClient,
        store: MirrorStore,
        status: MirrorStatus,
        lead: Callable[[], Awaitable[bool]],
        required: Callable[[], MirrorPlan],
        wanted: Callable[[], MirrorPlan],
        clock: Callable[[], float],
        options: MirrorOptions,
    ) -> None:
        """`client` must leave calls their share of the requests.

        `required` says what the settings name, all of which must be there; `wanted` adds what the live ruleset reads:
        what the index should hold now.
        """
        self._client = client
        self._store = store
        self._status = status
        self._lead = lead
        self._required = required
        self._wanted = wanted
        self._clock = clock
        self._options = options
        self._lost: int | None = None
        """The generation whose changes Dataverse does not tell any more."""
        self._retired: dict[int, float] = {}
        self._ask_for_columns_at = clock() + _REFUSED_SECONDS
        self._pause = 0.0
        self.changes = 0
        """Rows that changed, as this process has read them since its start."""
        self.changes_seconds = 0.0
        """What the last changes of a table took, from the question to the commit."""
        self.failure: str | None = None
        """Why the last piece of work failed; `None` when it did not, or another process does it."""

    async def run(self) -> None:
        """Work for ever."""
        while True:
            pause = await self.step()
            await asyncio.sleep(pause)

    async def step(self) -> float:
        """Do what there is to do now, and return the seconds until there may be more. Never raises for either."""
        try:
            pause = await self._work() if await self._lead() else self._options.idle_seconds
        except (DataverseError, StoreError) as error:
            return self._back_off(error)
        self.failure, self._pause = None, 0.0
        return pause

    def _back_off(self, error: DataverseError | StoreError) -> float:
        if self.failure != error.detail:
            log.warning("mirror.failed", error=error.code)
        self.failure = error.detail
        self._pause = min(max(self._options.poll_seconds, 2 * self._pause), self._options.max_pause_seconds)
        asked = error.facts.retry_after if isinstance(error, DataverseError) else None
        return max(asked or 0.0, self._pause)

    async def _work(self) -> float:
        generations = await self._store.list_generations()
        live = _find(generations, GenerationState.LIVE)
        loading = _find(generations, GenerationState.LOADING)
        loads = loading is not None and self._suits(loading)
        if live is not None and self._is_due(live):
            await self._follow_live(live, may_reload=not loads)
        if loading is not None and loads:
            await self._load(loading, live)
            return 0.0
        if live is None or not self._suits(live) or await self._has_new_columns(live):
            await self._begin(self._wanted())
            return 0.0
        return await self._sweep(generations)

    def _suits(self, generation: Generation) -> bool:
        """Tell whether the generation holds all that is wanted, or all of it that the organisation has."""
        return generation.plan.serves(self._wanted())

    def _is_due(self, generation: Generation) -> bool:
        synced_at = generation.synced_at
        late = synced_at is None or self._clock() - synced_at >= self._options.poll_seconds
        return late and generation.number != self._lost

    async def _begin(self, plan: MirrorPlan) -> None:
        await self._store.begin(plan, now=self._clock())
        await self._status.refresh()
        log.info("mirror.load_began", refused_columns=len(plan.refused))

    async def _follow_live(self, live: Generation, *, may_reload: bool) -> None:
        """Read what changed; when its token is refused, begin a load, beside which it goes on answering."""
        try:
            await self._follow(live)
        except _RefusedLinkError as refused:
            if may_reload:
                await self._begin_again(live, self._wanted(), refused)
            self._lost = live.number
        await self._status.refresh()

    async def _begin_again(self, generation: Generation, plan: MirrorPlan, refused: _RefusedLinkError) -> None:
        """Begin a load in the place of one that Dataverse tells no more of, but not one after the other for ever."""
        if self._clock() - generation.started_at < self._options.reload_seconds:
            raise refused.error from refused
        log.warning("mirror.link_refused", **refused.error.describe())
        await self._begin(plan)

    async def _follow(self, generation: Generation) -> None:
        """Read the changes of every table."""
        for position in generation.positions:
            started, changes = self._clock(), 0
            async with aclosing(self._read_on(generation, position)) as pages:
                async for rows in pages:
                    changes += rows
            if changes:
                self.changes += changes
                self.changes_seconds = self._clock() - started

    async def _load(self, loading: Generation, live: Generation | None) -> None:
        """Read all rows page by page, then what changed meanwhile, and let the generation answer calls."""
        try:
            for position in loading.positions:
                if not position.loaded and not await self._load_table(loading, position, live):
                    return
            await self._finish(loading)
        except _RefusedLinkError as refused:
            await self._begin_again(loading, loading.plan, refused)
        except _RefusedColumnsError as refused:
            log.warning("mirror.column_refused", table=refused.table, columns=sorted(refused.columns))
            await self._begin(loading.plan.refuse(refused.table, refused.columns))

    async def _load_table(self, loading: Generation, position: Position, live: Generation | None) -> bool:
        """Read a table to its end, following the live generation meanwhile; False when something else is wanted now."""
        async with aclosing(self._read_on(loading, position)) as pages:
            async for _ in pages:
                if not self._suits(loading) or not await self._lead():
                    return False
                if live is not None and self._is_due(live):
                    await self._follow_live(live, may_reload=False)
                    live = _find(await self._store.list_generations(), GenerationState.LIVE)
        return True

    async def _finish(self, loading: Generation) -> None:
        loaded = _find(await self._store.list_generations(), GenerationState.LOADING)
        if loaded is None or loaded.number != loading.number:
            return
        await self._follow(loaded)
        await self._store.go_live(loaded.number)
        await self._status.refresh()
        records = sum(position.records for position in loaded.positions)
        log.info("mirror.load_ended", records=records, seconds=round(self._clock() - loaded.started_at, 1))

    async def _read_on(self, generation: Generation, position: Position) -> AsyncGenerator[int, None]:
        """Read from a position to the end of the reading; what a page says is in the store when its size is yielded.

        The next page is asked for while the one before is written.
        """
        table = next(table for table in generation.plan.list_tables() if table.name == position.kind)
        reading = replace(position, reading_since=position.reading_since or self._clock())
        request = asyncio.create_task(self._request(generation, table, reading.link))
        try:
            while True:
                page = await request
                if page.next_link is not None:
                    request = asyncio.create_task(self._request(generation, table, page.next_link))
                changes = await asyncio.to_thread(read_changes, page.rows, table.name, generation.plan)
                before, reading = reading.link, _move(reading, page)
                await self._store.take(generation.number, changes, reading, before=before)
                yield len(page.rows)
                if page.next_link is None:
                    return
        finally:
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)

    async def _request(self, generation: Generation, table: MirrorTable, link: str | None) -> _Page:
        size = min(self._options.page_size, _SHORT_PAGE if len(table.columns) > _MANY_COLUMNS else _MAX_PAGE)
        prefer = ("odata.track-changes", f"odata.maxpagesize={size}", LOOKUP_TYPES)
        try:
            return _read_page(await self._client.get_json(link or table.path, prefer=prefer), link)
        except (BadQueryError, RecordNotFoundError) as error:
            if link is not None:
                raise _RefusedLinkError(error) from error
            if columns := generation.plan.suspect(table.name, error.facts.column, required=self._required()):
                raise _RefusedColumnsError(table.name, columns) from error
            raise

    async def _has_new_columns(self, live: Generation) -> bool:
        """Ask now and then whether the organisation has got a column that it did not have when the load began."""
        if not live.plan.refused or self._clock() < self._ask_for_columns_at:
            return False
        self._ask_for_columns_at = self._clock() + _REFUSED_SECONDS
        tables = {table.name: table for table in live.plan.list_tables()}
        for name in sorted(live.plan.refused):
            table, _, column = name.partition(".")
            try:
                path = build_path(tables[table].entity_set, {"$select": column, "$top": "1"})
                await self._client.get_json(path)
            except BadQueryError:
                continue
            return True
        return False

    async def _sweep(self, generations: Sequence[Generation]) -> float:
        """Delete some rows of a retired generation that nobody reads any more; return the seconds until more is due."""
        retired = [generation.number for generation in generations if generation.state is GenerationState.RETIRED]
        self._retired = {number: self._retired.get(number, self._clock()) for number in retired}
        for number, since in self._retired.items():
            if self._clock() - since >= self._options.grace_seconds:
                await self._store.sweep(number)
                return _BREATH_SECONDS
        live = _find(generations, GenerationState.LIVE)
        since = self._clock() if live is None or live.synced_at is None else live.synced_at
        due = max(_BREATH_SECONDS, since + self._options.poll_seconds - self._clock())
        return min(due, max(_BREATH_SECONDS, self._options.grace_seconds)) if retired else due


def _move(position: Position, page: _Page) -> Position:
    """Return the position behind a page."""
    records = position.records + (0 if position.loaded else len(page.rows))
    if page.next_link is not None:
        return replace(position, link=page.next_link, records=records)
    return replace(
        position,
        link=page.delta_link,
        records=records,
        loaded=True,
        synced_at=position.reading_since,
        reading_since=None,
    )


def _read_page(body: Row, link: str | None) -> _Page:
    rows, next_link, delta_link = body.get("value"), body.get("@odata.nextLink"), body.get("@odata.deltaLink")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswerError("the answer holds no list of rows: the URL is not a Dataverse organisation")
    if not isinstance(next_link or delta_link, str) or (link is not None and next_link == link):
        raise UnreadableAnswerError("Dataverse sent neither a next link nor a delta link: is change tracking on?")
    return _Page(rows, next_link, delta_link)


def _find(generations: Sequence[Generation], state: GenerationState) -> Generation | None:
    return next((generation for generation in reversed(generations) if generation.state is state), None)
