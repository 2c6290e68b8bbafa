"""What is wrong with the numbers in Dynamics: counts, records, shared numbers, and how that changes from day to day."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Final, Protocol

from app.directory.mirror.records import read_faults
from app.directory.mirror.store import Generation
from app.errors import InvalidInputError
from app.numbers.store import FaultyRecord, Find, NumberStore, RecordKey, SharedNumber, Sharer
from app.routing.callers import Caller, CallerStatus, Match
from app.routing.number_hygiene import NumberFault, list_faults
from app.routing.quick_numbers import list_e164
from app.store.audit import AuditStore
from app.store.pages import Page, read_cursor

__all__ = ["Fault", "FaultyNumbers", "Hygiene", "Overview", "SharedCaller", "Source", "StoredNumber"]

_KEPT_DAYS: Final = 400
_CSV_PAGE: Final = 200
_RECORDS_SHOWN: Final = 20
"""Of one shared number."""


class Fault(StrEnum):
    """Why a record is listed."""

    UNREADABLE = "unreadable"
    NO_COUNTRY_CODE = "no_country_code"
    EXTENSION = "extension"
    NOTE = "note"
    SEVERAL = "several"
    TEST_DATA = "test_data"
    SHARED = "shared"
    """Another active record carries the same number."""
    COLLIDING = "colliding"
    """It does, and writes it otherwise, so that nobody sees it in Dynamics."""
    FOUND_BY_SEARCH = "found_by_search"
    """A call from the number was recognised by the tolerant search only."""


class Source(StrEnum):
    """What the answer rests on."""

    MIRROR = "mirror"
    LIVE = "live"
    """What live look-ups have come across."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredNumber:
    """What stands in a record."""

    column: str | None
    """`None` where only the number is known."""
    stored: str
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyNumbers:
    """A record to look at."""

    key: RecordKey
    faults: tuple[Fault, ...]
    numbers: tuple[StoredNumber, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How the numbers are altogether."""

    source: Source
    detail: str
    """What is missing in the answer, and what helps; empty when nothing is."""
    as_of: float | None
    records: int | None
    counts: Mapping[str, int]
    """Fault -> records; of `shared` and `colliding` the numbers."""
    trend: Sequence[tuple[str, Mapping[str, int]]]
    """Day -> its counts, the oldest first, today last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCaller:
    """A number of several records, and who a call from it is taken for."""

    number: SharedNumber
    caller: Caller | None
    """`None` when only the number of records is known."""
    records: tuple[RecordKey, ...]
    """The first twenty."""


class Explainer(Protocol):
    """Judges shared numbers as a call would."""

    async def explain(self, numbers: Sequence[str]) -> Mapping[str, tuple[Caller, Sequence[Match]]]:
        """Tell who each number is taken for, and the records that carry it."""


_Listed = tuple[FaultyNumbers, Callable[[], Awaitable[str]]]
"""A record, and what makes the cursor behind it."""


class Hygiene:
    """Answers from the mirror; without one, from what live look-ups have seen. Raises StoreError."""

    def __init__(
        self,
        *,
        store: NumberStore,
        read_live: Callable[[], Generation | None],
        mirrored: Explainer | None,
        audit: AuditStore,
        clock: Callable[[], float],
    ) -> None:
        """`read_live` returns the mirror's index, `None` while it has none; `mirrored` is `None` without a mirror."""
        self._store = store
        self._read_live = read_live
        self._mirrored = mirrored
        self._audit = audit
        self._clock = clock
        self._counted: tuple[tuple[int, int], Mapping[str, int]] | None = None

    async def note_reading(self, who: str, what: str) -> None:
        """Leave an audit record of somebody who is shown numbers in full."""
        await self._audit.add(at=self._clock(), who=who, what="numbers.shown", target=f"numbers/{what}")

    async def describe(self) -> Overview:
        """Count, and compare with the days before."""
        generation = self._read_live()
        counts = await self._count(generation)
        today = datetime.fromtimestamp(self._clock(), UTC).date().isoformat()
        days = [(day, each) for day, each in await self._store.list_counts() if day != today]
        return Overview(
            source=Source.LIVE if generation is None else Source.MIRROR,
            detail="" if generation is not None else self._explain_lack(),
            as_of=None if generation is None else generation.synced_at,
            records=None if generation is None else await self._store.count_records(generation.number),
            counts=counts,
            trend=[*days, (today, counts)],
        )

    async def save_counts(self) -> None:
        """Keep the counts of today, once the mirror has read everything, or where there is none."""
        generation = self._read_live()
        if generation is None and self._mirrored is not None:
            return
        now = datetime.fromtimestamp(self._clock(), UTC).date()
        since = (now - timedelta(days=_KEPT_DAYS)).isoformat()
        await self._store.save_counts(now.isoformat(), await self._count(generation), since=since)

    async def page(self, fault: Fault | None, *, limit: int, after: str | None) -> Page[FaultyNumbers]:
        """List records by what is wrong with them; one that has a fault and shares a number comes twice."""
        section, key = (None, None) if after is None else _read_cursor(after)
        found: list[_Listed] = []
        for name, read in self._list_sections(fault):
            if section in {None, name} and len(found) <= limit:
                found += await read(limit + 1 - len(found), key)
                section = key = None
        following = await found[limit - 1][1]() if len(found) > limit else None
        return Page(tuple(item for item, _ in found[:limit]), following)

    async def walk(self, fault: Fault | None) -> AsyncIterator[Sequence[FaultyNumbers]]:
        """List all of them, some at a time."""
        after = None
        while True:
            page = await self.page(fault, limit=_CSV_PAGE, after=after)
            yield page.items
            after = page.next
            if after is None:
                return

    async def list_shared(self, *, limit: int, after: str | None) -> Page[SharedCaller]:
        """List numbers that several active records carry, with what the policy makes of a call from each."""
        generation = self._read_live()
        if generation is None or self._mirrored is None:
            offset = 0 if after is None else read_cursor(after)
            seen = await self._store.list_seen_shared(limit=limit + 1, offset=offset)
            items = [SharedCaller(number=number, caller=None, records=()) for number in seen[:limit]]
            return Page(tuple(items), str(offset + limit) if len(seen) > limit else None)
        start = "" if after is None else (await self._find_place(generation, _read_cursor(after, "shared")[1]))[0]
        numbers = await self._store.list_shared(generation.number, colliding=False, limit=limit + 1, after=start)
        explained = await self._mirrored.explain([number.e164 for number in numbers[:limit]])
        shared = [_describe_shared(number, *explained.get(number.e164, (None, ()))) for number in numbers[:limit]]
        if len(numbers) <= limit:
            return Page(tuple(shared), None)
        last = numbers[limit - 1].e164
        [sharer] = await self._store.list_sharers(generation.number, [last], limit=1, after=None)
        return Page(tuple(shared), await self._mark(generation, last, sharer.key))

    def _explain_lack(self) -> str:
        if self._mirrored is not None:
            return "the mirror is loading; until then only what live look-ups have come across is known"
        return (
            "callers are looked up live, so only shared numbers and finds of the tolerant search are known; "
            "SMARTROUTING_DATAVERSE__DIRECTORY=mirror reads every number"
        )

    async def _count(self, generation: Generation | None) -> Mapping[str, int]:
        """Count; what comes from the mirror is counted anew when it has changed."""
        finds = {Fault.FOUND_BY_SEARCH.value: await self._store.count_finds()}
        if generation is None:
            return {Fault.SHARED.value: await self._store.count_seen_shared()} | finds
        version = (generation.number, generation.changes)
        if self._counted is None or self._counted[0] != version:
            faults = await self._store.count_faults(generation.number)
            shared, colliding = await self._store.count_shared(generation.number)
            known = {fault.value: count for fault, count in faults.items() if fault is not NumberFault.INVALID}
            self._counted = version, known | {Fault.SHARED.value: shared, Fault.COLLIDING.value: colliding}
        return {**self._counted[1], **finds}

    def _list_sections(self, fault: Fault | None) -> "list[tuple[str, _ReadSection]]":
        generation = self._read_live()
        sections: list[tuple[str, _ReadSection]] = []
        if generation is not None and fault not in _NOT_OF_ONE_RECORD:
            only = None if fault is None else NumberFault(fault)
            sections.append(("faulty", partial(self._list_faulty, generation, only)))
        if generation is not None and fault in {None, Fault.SHARED, Fault.COLLIDING}:
            read = partial(self._list_sharers, generation, colliding=fault is Fault.COLLIDING)
            sections.append(("shared", read))
        if fault in {None, Fault.FOUND_BY_SEARCH}:
            sections.append(("found", self._list_finds))
        return sections

    async def _list_faulty(
        self, generation: Generation, fault: NumberFault | None, limit: int, key: "_Key | None"
    ) -> list[_Listed]:
        after = None if key is None else (key.number, key.record)
        records = await self._store.list_faulty(generation.number, fault=fault, limit=limit, after=after)
        return [(_describe_faulty(each), _make_cursor("faulty", each.key, each.faults)) for each in records]

    async def _list_sharers(
        self, generation: Generation, limit: int, key: "_Key | None", *, colliding: bool
    ) -> list[_Listed]:
        place = None if key is None else await self._find_place(generation, key)
        numbers = await self._store.list_shared(
            generation.number, colliding=colliding, limit=limit, after=place[0] if place else "", included=True
        )
        by_number = {number.e164: number for number in numbers}
        sharers = await self._store.list_sharers(generation.number, list(by_number), limit=limit, after=place)

        def mark(sharer: Sharer) -> Callable[[], Awaitable[str]]:
            return lambda: self._mark(generation, sharer.e164, sharer.key)

        return [(_describe_sharer(each, by_number[each.e164]), mark(each)) for each in sharers]

    async def _list_finds(self, limit: int, key: "_Key | None") -> list[_Listed]:
        finds = await self._store.list_finds(limit=limit, after=None if key is None else key.record)
        return [(_describe_find(find), _make_cursor("found", find.key, 0)) for find in finds]

    async def _mark(self, generation: Generation, e164: str, record: RecordKey) -> str:
        """Write a cursor that tells no number: a record, and which of its numbers is meant."""
        numbers = await self._store.find_numbers(generation.number, record)
        return _write_cursor("shared", record, list(numbers).index(e164) if e164 in numbers else 0)

    async def _find_place(self, generation: Generation, key: "_Key") -> tuple[str, RecordKey]:
        numbers = await self._store.find_numbers(generation.number, key.record)
        if key.number >= len(numbers):
            raise InvalidInputError("the list has changed at the cursor; begin again without it")
        return numbers[key.number], key.record


@dataclass(frozen=True, slots=True)
class _Key:
    record: RecordKey
    number: int


_ReadSection = Callable[[int, _Key | None], Awaitable[list[_Listed]]]
"""Reads so many records of a section, behind a key."""
_NOT_OF_ONE_RECORD: Final = (Fault.SHARED, Fault.COLLIDING, Fault.FOUND_BY_SEARCH)


def _write_cursor(section: str, record: RecordKey, number: int) -> str:
    return f"{section}.{number}.{record.kind}.{record.id}"


def _make_cursor(section: str, record: RecordKey, number: int) -> Callable[[], Awaitable[str]]:
    async def write() -> str:
        return _write_cursor(section, record, number)

    return write


def _read_cursor(cursor: str, expected: str = "") -> tuple[str, _Key]:
    """Read a cursor; raises InvalidInputError for one that never came from here."""
    parts = cursor.split(".")
    if len(parts) != 4 or (expected and parts[0] != expected):  # noqa: PLR2004 - what _write_cursor joins
        raise InvalidInputError("the cursor is not one that a page of this list gave")
    return parts[0], _Key(RecordKey(parts[2], parts[3]), read_cursor(parts[1]))


def _describe_faulty(record: FaultyRecord) -> FaultyNumbers:
    numbers = tuple(
        StoredNumber(column=column, stored=text, faults=faults)
        for column, text in record.phones.items()
        if (faults := _read(list_faults(text, list_e164(text, record.region))))
    )
    return FaultyNumbers(key=record.key, faults=_read(read_faults(record.faults)), numbers=numbers)


def _describe_sharer(sharer: Sharer, number: SharedNumber) -> FaultyNumbers:
    faults = (Fault.SHARED, Fault.COLLIDING) if number.spellings > 1 else (Fault.SHARED,)
    return FaultyNumbers(
        key=sharer.key, faults=faults, numbers=(StoredNumber(column=None, stored=sharer.stored, faults=faults),)
    )


def _describe_find(find: Find) -> FaultyNumbers:
    faults = (Fault.FOUND_BY_SEARCH,)
    return FaultyNumbers(
        key=find.key, faults=faults, numbers=(StoredNumber(column=None, stored=find.e164, faults=faults),)
    )


def _describe_shared(number: SharedNumber, caller: Caller | None, matches: Sequence[Match]) -> SharedCaller:
    known = caller is not None and caller.status is not CallerStatus.UNKNOWN
    records = tuple(RecordKey(match.kind.value, match.id) for match in matches[:_RECORDS_SHOWN])
    return SharedCaller(number=number, caller=caller if known else None, records=records)


def _read(faults: Sequence[NumberFault]) -> tuple[Fault, ...]:
    return tuple(Fault(fault.value) for fault in faults if fault is not NumberFault.INVALID)
