"""Queries about stored numbers: faults and shared numbers of the mirror, finds of searches, corrections, counts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Executable, Select, case, delete, func, insert, select, tuple_

from app.directory.mirror.records import read_faults, write_faults
from app.routing.number_hygiene import NumberFault
from app.store.database import Database
from app.store.tables import (
    caller_snapshots,
    mirror_numbers,
    mirror_records,
    number_corrections,
    number_counts,
    search_finds,
)

__all__ = ["Correction", "FaultyRecord", "Find", "NumberStore", "RecordKey", "SharedNumber", "Sharer"]

_KINDS: Final = ("account", "contact")
_ALL_BITS: Final = range(1, 1 << len(NumberFault))


class RecordKey(NamedTuple):
    """A record of Dynamics."""

    kind: str
    """`contact` or `account`."""
    id: str


class FaultyRecord(NamedTuple):
    """A record of the mirror whose numbers have faults."""

    key: RecordKey
    faults: int
    phones: Mapping[str, str]
    """Column -> stored text."""
    region: str


class Sharer(NamedTuple):
    """A record that carries a number which others carry, too."""

    e164: str
    key: RecordKey
    stored: str


class SharedNumber(NamedTuple):
    """A number of several records."""

    e164: str
    records: int
    spellings: int
    """In how many ways it is written; 0 when nobody knows."""


class Find(NamedTuple):
    """A record that only a tolerant search found."""

    key: RecordKey
    e164: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One column that a job has rewritten."""

    job: str
    kind: str
    id: str
    column: str
    before: str
    after: str
    at: float


class NumberStore:
    """Reads what the mirror holds, and keeps what this capability knows besides. Every method raises StoreError."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def count_records(self, generation: int) -> int:
        """Count the records in the index."""
        ours = (mirror_records.c.generation == generation) & mirror_records.c.kind.in_(_KINDS)
        return int((await self._fetch(select(func.count()).select_from(mirror_records).where(ours)))[0][0])

    async def count_faults(self, generation: int) -> dict[NumberFault, int]:
        """Count the records with each fault."""
        table = mirror_records.c
        query = select(table.faults, func.count()).where(table.generation == generation, table.faults > 0)
        rows = await self._fetch(query.group_by(table.faults))
        return {fault: sum(count for bits, count in rows if fault in read_faults(bits)) for fault in NumberFault}

    async def count_shared(self, generation: int) -> tuple[int, int]:
        """Count the numbers that several records carry, and those of them that are written in several ways."""
        shared = _find_shared(generation).subquery()
        several = func.count(case((shared.c.spellings > 1, 1)))
        [row] = await self._fetch(select(func.count().label("shared"), several.label("colliding")).select_from(shared))
        return row.shared, row.colliding

    async def list_faulty(
        self, generation: int, *, fault: NumberFault | None, limit: int, after: tuple[int, RecordKey] | None
    ) -> list[FaultyRecord]:
        """List records with a fault or any, by kind of fault; `after` is faults and key of the last one before."""
        table = mirror_records.c
        query = (
            select(table.kind, table.id, table.faults, table.data)
            .where(table.generation == generation, table.faults > 0)
            .order_by(table.faults, table.kind, table.id)
            .limit(limit)
        )
        if fault is not None:
            bit = write_faults([fault])
            query = query.where(table.faults.in_([bits for bits in _ALL_BITS if bits & bit]))
        if after is not None:
            query = query.where(tuple_(table.faults, table.kind, table.id) > tuple_(after[0], *after[1]))
        return [
            FaultyRecord(RecordKey(row.kind, row.id), row.faults, row.data["phones"], row.data["region"])
            for row in await self._fetch(query)
        ]

    async def list_shared(
        self, generation: int, *, colliding: bool, limit: int, after: str = "", included: bool = False
    ) -> list[SharedNumber]:
        """List numbers of several records in their order, behind `after` or, when `included`, from it on."""
        query = _find_shared(generation).order_by(mirror_numbers.c.e164).limit(limit)
        e164 = mirror_numbers.c.e164
        query = query.where(e164 >= after if included else e164 > after)
        if colliding:
            query = query.having(_SPELLINGS > 1)
        return [SharedNumber(row.e164, row.records, row.spellings) for row in await self._fetch(query)]

    async def list_sharers(
        self, generation: int, numbers: Collection[str], *, limit: int, after: tuple[str, RecordKey] | None
    ) -> list[Sharer]:
        """List the records that carry these numbers, by number."""
        table = mirror_numbers.c
        query = (
            select(table.e164, table.kind, table.id, table.spelling)
            .where(table.generation == generation, table.e164.in_(numbers))
            .order_by(table.e164, table.kind, table.id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(table.e164, table.kind, table.id) > tuple_(after[0], *after[1]))
        return [
            Sharer(row.e164, RecordKey(row.kind, row.id), row.spelling or row.e164) for row in await self._fetch(query)
        ]

    async def find_numbers(self, generation: int, key: RecordKey) -> Sequence[str]:
        """Return the numbers that a record carries, in the order of its columns; none for one that is not there."""
        table = mirror_records.c
        ours = (table.generation == generation) & (table.kind == key.kind) & (table.id == key.id)
        rows = await self._fetch(select(table.numbers).where(ours))
        return rows[0].numbers if rows else ()

    async def list_seen_shared(self, *, limit: int, offset: int) -> list[SharedNumber]:
        """List numbers of callers whom the last live look-ups found more than one record for."""
        matches = caller_snapshots.c.caller["matches"].as_integer()
        query = select(caller_snapshots.c.e164, matches).where(matches > 1).order_by(caller_snapshots.c.e164)
        return [SharedNumber(row[0], row[1], 0) for row in await self._fetch(query.limit(limit).offset(offset))]

    async def count_seen_shared(self) -> int:
        """Count them."""
        matches = caller_snapshots.c.caller["matches"].as_integer()
        return int((await self._fetch(select(func.count()).select_from(caller_snapshots).where(matches > 1)))[0][0])

    async def save_finds(self, finds: Collection[Find]) -> None:
        """Keep records that only a search found, each with the latest time."""
        if not finds:
            return
        upsert = self._database.insert(search_finds)
        newest = {"e164": upsert.excluded.e164, "at": upsert.excluded.at}
        rows = [{**find.key._asdict(), "e164": find.e164, "at": find.at} for find in finds]
        async with self._database.write() as connection:
            await connection.execute(upsert.on_conflict_do_update(index_elements=["kind", "id"], set_=newest), rows)

    async def list_finds(self, *, limit: int, after: RecordKey | None) -> list[Find]:
        """List them, by record."""
        table = search_finds.c
        query = select(search_finds).order_by(table.kind, table.id).limit(limit)
        if after is not None:
            query = query.where(tuple_(table.kind, table.id) > tuple_(*after))
        return [Find(RecordKey(row.kind, row.id), row.e164, row.at) for row in await self._fetch(query)]

    async def count_finds(self) -> int:
        """Count them."""
        return int((await self._fetch(select(func.count()).select_from(search_finds)))[0][0])

    async def erase_finds(self, e164: str) -> int:
        """Forget who was found by a number; returns how many."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(search_finds).where(search_finds.c.e164 == e164))).rowcount

    async def purge_finds_before(self, time: float) -> int:
        """Forget records that no search found since (seconds since the epoch); returns how many."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(search_finds).where(search_finds.c.at < time))).rowcount

    async def save_counts(self, day: str, counts: Mapping[str, int], *, since: str) -> None:
        """Keep the counts of a day (ISO 8601), instead of earlier ones, and forget those of days before `since`."""
        upsert = self._database.insert(number_counts)
        newest = upsert.on_conflict_do_update(index_elements=["day"], set_={"counts": upsert.excluded.counts})
        async with self._database.write() as connection:
            await connection.execute(newest, [{"day": day, "counts": dict(counts)}])
            await connection.execute(delete(number_counts).where(number_counts.c.day < since))

    async def list_counts(self) -> list[tuple[str, Mapping[str, int]]]:
        """List the counts of all days that are kept, the oldest first."""
        rows = await self._fetch(select(number_counts).order_by(number_counts.c.day))
        return [(row.day, row.counts) for row in rows]

    async def add_correction(self, correction: Correction) -> None:
        """Note what a job is about to rewrite."""
        values = {name: getattr(correction, name) for name in correction.__slots__}
        async with self._database.write() as connection:
            await connection.execute(insert(number_corrections).values(values))

    async def list_corrections(self, job: str) -> list[Correction]:
        """List what a job has rewritten."""
        table = number_corrections.c
        query = select(number_corrections).where(table.job == job).order_by(table.kind, table.id, table.column)
        return [Correction(**row._asdict()) for row in await self._fetch(query)]

    async def purge_corrections_before(self, time: float) -> int:
        """Forget what was rewritten before that time (seconds since the epoch), and return how many columns."""
        async with self._database.write() as connection:
            old = delete(number_corrections).where(number_corrections.c.at < time)
            return (await connection.execute(old)).rowcount

    async def _fetch(self, query: Executable) -> Sequence[Any]:
        async with self._database.read() as connection:
            rows: Sequence[Any] = (await connection.execute(query)).all()
        return rows


_SPELLINGS: Final = func.count(func.distinct(func.coalesce(mirror_numbers.c.spelling, mirror_numbers.c.e164)))


def _find_shared(generation: int) -> Select[Any]:
    table = mirror_numbers.c
    return (
        select(table.e164, func.count().label("records"), _SPELLINGS.label("spellings"))
        .where(table.generation == generation)
        .group_by(table.e164)
        .having(func.count() > 1)
    )
