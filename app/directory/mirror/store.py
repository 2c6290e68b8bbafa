"""The index in the store: written by the leading process, read by all."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Table,
    bindparam,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from app.directory.mirror.plan import ACCOUNT, CONTACT, USER, MirrorPlan
from app.directory.mirror.records import Changes, IndexRecord
from app.store.database import Database
from app.store.errors import StoreRejectedError
from app.store.json_text import PlainText, dump_text, load
from app.store.kept_connections import SteadyReader
from app.store.tables import mirror_generations, mirror_numbers, mirror_positions, mirror_records

__all__ = ["FoundRecord", "Generation", "GenerationState", "MirrorStore", "Position"]

_MAX_SHARERS: Final = 100
_CHUNK: Final = 500
"""Ids in one statement."""
_SWEPT: Final = 5_000
"""Rows of a retired generation deleted in one transaction: some 50 ms, in which nobody else writes to SQLite."""


class GenerationState(StrEnum):
    """What a generation of the index is for."""

    LOADING = "loading"
    LIVE = "live"
    """It answers calls."""
    RETIRED = "retired"
    """Another one took its place; its rows go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far one table was read."""

    kind: str
    link: str | None = None
    """The next page, or the delta link behind the last one; `None` before the first page."""
    loaded: bool = False
    """Whether every row was read once, so that only changes follow."""
    records: int = 0
    """Rows read by the first load."""
    reading_since: float | None = None
    """When the reading under way began, in seconds since the epoch; `None` between two."""
    synced_at: float | None = None
    """Until when the index is known to have every change of this table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One loading of the index, and what followed."""

    number: int
    state: GenerationState
    plan: MirrorPlan
    started_at: float
    changes: int
    """Pages that changed something; a counter that tells readers to forget what they remember."""
    positions: tuple[Position, ...]

    @property
    def loaded(self) -> bool:
        """Whether every table was read once."""
        return all(position.loaded for position in self.positions)

    @property
    def synced_at(self) -> float | None:
        """Until when every change is in the index; `None` while it is loading."""
        times = [position.synced_at for position in self.positions]
        known = [time for time in times if time is not None]
        return min(known) if known and len(known) == len(times) else None


class FoundRecord(NamedTuple):
    """A record of the index as a look-up finds it."""

    height: int
    """0 for a record that may carry the number; how many steps above one it stands."""
    kind: str
    id: str
    active: bool
    parent: str | None
    owner: str | None
    numbers: list[str]
    data: dict[str, Any]
    agent: str | None
    """The Enreach id of its owner, where a column of the users holds it."""


class MirrorStore:
    """Reads and writes generations, their positions and their rows. Every method raises StoreError."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._reader = SteadyReader(database=database)

    async def list_generations(self) -> list[Generation]:
        """Return all generations with their positions, oldest first."""
        async with self._database.read() as connection:
            generations = (await connection.execute(_GENERATIONS)).all()
            positions = (await connection.execute(_POSITIONS)).all() if generations else []
        return [_read_generation(row, positions) for row in generations]

    async def begin(self, plan: MirrorPlan, *, now: float) -> None:
        """Begin to load a new generation; another one that was loading is given up."""
        async with self._database.write() as connection:
            numbers = (await connection.execute(select(mirror_generations.c.number))).scalars().all()
            number = max(numbers, default=0) + 1
            await connection.execute(
                update(mirror_generations)
                .where(mirror_generations.c.state == GenerationState.LOADING)
                .values(state=GenerationState.RETIRED)
            )
            row = {"number": number, "state": GenerationState.LOADING, "plan": plan.write()}
            await connection.execute(insert(mirror_generations), row | {"started_at": now, "changes": 0})
            rows = [{"generation": number, "kind": table.name} for table in plan.list_tables()]
            await connection.execute(insert(mirror_positions), [row | {"loaded": False, "records": 0} for row in rows])

    async def take(self, generation: int, changes: Changes, position: Position, *, before: str | None) -> None:
        """Write what a page says and the position behind it, both or neither.

        `before` is the link of the page. Raises StoreRejectedError when another process has taken it meanwhile.
        """
        async with self._database.write() as connection:
            await self._move(connection, generation, position, before)
            if position.loaded or changes.removed:
                await self._forget_numbers(connection, generation, position.kind, changes)
            if changes.removed:
                await self._remove(connection, generation, position.kind, changes.removed)
            if changes.records:
                await self._put(connection, generation, position.kind, changes.records)
            if changes.records or changes.removed:
                await connection.execute(_COUNT_CHANGE, {"of_generation": generation})

    async def go_live(self, number: int) -> None:
        """Let this generation answer calls, and retire every other one."""
        others = mirror_generations.c.number != number
        async with self._database.write() as connection:
            await connection.execute(update(mirror_generations).where(others).values(state=GenerationState.RETIRED))
            live = update(mirror_generations).where(~others)
            await connection.execute(live.values(state=GenerationState.LIVE))
            if not self._database.is_sqlite:
                # A million rows have come since PostgreSQL last counted, and its plans depend on the count.
                await connection.execute(text("ANALYZE mirror_numbers, mirror_records"))

    async def clear(self) -> None:
        """Forget everything: callers are looked up live only, so that nobody needs it any more."""
        async with self._database.write() as connection:
            await connection.execute(update(mirror_generations).values(state=GenerationState.RETIRED))
        for generation in await self.list_generations():
            while not await self.sweep(generation.number):
                pass

    async def sweep(self, number: int) -> bool:
        """Delete some rows of a retired generation, and the generation itself at the end; tell whether that is all."""
        async with self._database.write() as connection:
            done = await _sweep(connection, mirror_numbers, mirror_numbers.c.e164, number, {})
            for kind in (CONTACT, ACCOUNT, USER) if done else ():
                done = done and await _sweep(connection, mirror_records, mirror_records.c.id, number, {"kind": kind})
            if done:
                ours = mirror_positions.c.generation == number
                await connection.execute(delete(mirror_positions).where(ours))
                await connection.execute(delete(mirror_generations).where(mirror_generations.c.number == number))
        return done

    async def find(self, generation: int, numbers: Sequence[str], *, depth: int) -> list[FoundRecord]:
        """Return the records that carry one of these numbers, their accounts and those above, in one statement.

        `depth` is how many accounts above a contact are followed. Of a number that very many records share, the first
        hundred come.
        """
        wanted = dump_text(numbers) if self._database.is_sqlite else list(numbers)
        rows = await self._reader.fetch(_FIND_IN_SQLITE, _FIND_IN_POSTGRESQL, generation, wanted, depth)
        return [
            FoundRecord(height, kind, row_id, bool(active), parent, owner, load(numbers), load(data), _read_agent(user))
            for height, kind, row_id, active, parent, owner, numbers, data, user in rows
        ]

    async def aclose(self) -> None:
        """Give the reader's connection back."""
        await self._reader.aclose()

    async def erase_number(self, e164: str) -> int:
        """Forget what is kept under a number; returns how many records carried it. A contact goes as a whole.

        An account stays, for what it says of others, without its phone columns.
        """
        named = mirror_numbers.c.e164 == e164
        async with self._database.write() as connection:
            found = (await connection.execute(select(mirror_numbers).where(named))).all()
            for row in found:
                await self._erase_record(connection, row, e164)
            await connection.execute(delete(mirror_numbers).where(named))
        return len(found)

    async def _erase_record(self, connection: AsyncConnection, row: Row[Any], e164: str) -> None:
        table = mirror_records.c
        ours = (table.generation == row.generation) & (table.kind == row.kind) & (table.id == row.id)
        if row.kind == CONTACT:
            await self._forget_numbers(connection, row.generation, row.kind, Changes([], [row.id]))
            await connection.execute(delete(mirror_records).where(ours))
            return
        record = (await connection.execute(select(table.numbers, table.data).where(ours))).one_or_none()
        if record is not None:
            kept = [number for number in record.numbers if number != e164]
            values = {"numbers": kept, "data": record.data | {"phones": {}}, "faults": 0}
            await connection.execute(update(mirror_records).where(ours).values(values))
            # What stands in the same column as the number may spell it, too.
            numbers = mirror_numbers.c
            same = (numbers.generation == row.generation) & (numbers.kind == row.kind) & (numbers.id == row.id)
            carried = same & numbers.e164.in_(record.numbers)
            await connection.execute(update(mirror_numbers).where(carried).values(spelling=None))

    async def _move(self, connection: AsyncConnection, generation: int, position: Position, before: str | None) -> None:
        """Write the position, which locks it against whoever else believes to lead."""
        table = mirror_positions.c
        ours = (table.generation == generation) & (table.kind == position.kind)
        unmoved = table.link.is_(None) if before is None else table.link == before
        values = {name: value for name, value in asdict(position).items() if name != "kind"}
        moved = await connection.execute(update(mirror_positions).where(ours, unmoved).values(values))
        if moved.rowcount != 1:
            raise StoreRejectedError("another process has read this page of the mirror already")

    async def _forget_numbers(self, connection: AsyncConnection, generation: int, kind: str, changes: Changes) -> None:
        """Take records that change out of the index of numbers, but for the numbers they keep."""
        kept = {record.id: frozenset(record.numbers) for record in changes.records}
        for ids in _chunk([*kept, *changes.removed]):
            values = {"of_generation": generation, "of_kind": kind, "ids": ids}
            known = (await connection.execute(_KNOWN, values)).all()
            gone = [
                {"of_generation": generation, "of_kind": kind, "of_id": row.id, "of_e164": number}
                for row in known
                for number in row.numbers
                if number not in kept.get(row.id, ())
            ]
            if gone:
                await connection.execute(_DROP_NUMBER, gone)

    async def _remove(self, connection: AsyncConnection, generation: int, kind: str, removed: Sequence[str]) -> None:
        for ids in _chunk(removed):
            await connection.execute(_DROP_RECORDS, {"of_generation": generation, "of_kind": kind, "ids": ids})

    async def _put(
        self, connection: AsyncConnection, generation: int, kind: str, records: Sequence[IndexRecord]
    ) -> None:
        upsert = self._database.insert(mirror_records)
        new = upsert.excluded
        changed = {name: new[name] for name in ("active", "parent", "owner", "numbers", "data", "faults")}
        rows = [
            {"generation": generation, "kind": kind, **{name: getattr(record, name) for name in ("id", *changed)}}
            for record in records
        ]
        statement = upsert.on_conflict_do_update(index_elements=["generation", "kind", "id"], set_=changed)
        await connection.execute(statement, rows)
        numbers = [
            {
                "generation": generation,
                "e164": number,
                "kind": kind,
                "id": record.id,
                "spelling": record.spellings.get(number),
            }
            for record in records
            for number in record.numbers
        ]
        if numbers:
            insert_number = self._database.insert(mirror_numbers)
            spelled = {"spelling": insert_number.excluded.spelling}
            key = ["generation", "e164", "kind", "id"]
            await connection.execute(insert_number.on_conflict_do_update(index_elements=key, set_=spelled), numbers)


_FIND: Final = """
WITH RECURSIVE found (height, kind, id) AS (
    SELECT 0, kind, id
    FROM (
        SELECT kind, id, row_number() OVER (PARTITION BY e164 ORDER BY kind, id) AS place
        FROM mirror_numbers
        WHERE generation = $1 AND e164 {among}
    ) AS candidates
    WHERE place <= {sharers}
    UNION
    SELECT found.height + 1, {account}, below.parent
    FROM found
    JOIN mirror_records AS below ON below.generation = $1 AND below.kind = found.kind AND below.id = found.id
    WHERE below.parent IS NOT NULL AND found.height < $3
)
SELECT
    found.height, record.kind, record.id, record.active, record.parent, record.owner,
    CAST(record.numbers AS text), CAST(record.data AS text), CAST(person.data AS text)
FROM found
JOIN mirror_records AS record
    ON record.generation = $1 AND record.kind = found.kind AND record.id = found.id
LEFT JOIN mirror_records AS person
    ON person.generation = $1 AND person.kind = '{user}' AND person.id = record.owner
"""
"""Records by number, then upwards account by account, each with its owner."""
_FIND_IN_SQLITE: Final = _FIND.replace("$", "?").format(
    among="IN (SELECT value FROM json_each(?2))", account=f"'{ACCOUNT}'", user=USER, sharers=_MAX_SHARERS
)
_FIND_IN_POSTGRESQL: Final = _FIND.format(
    among="= ANY ($2::text[])", account=f"CAST('{ACCOUNT}' AS text) COLLATE \"C\"", user=USER, sharers=_MAX_SHARERS
)
_GENERATIONS: Final = select(mirror_generations).order_by(mirror_generations.c.number)
_POSITIONS: Final = select(mirror_positions)
_COUNT_CHANGE: Final = (
    update(mirror_generations)
    .where(mirror_generations.c.number == bindparam("of_generation"))
    .values(changes=mirror_generations.c.changes + 1)
)
_OURS: Final = (
    (mirror_records.c.generation == bindparam("of_generation", type_=Integer))
    & (mirror_records.c.kind == bindparam("of_kind", type_=PlainText()))
    & mirror_records.c.id.in_(bindparam("ids", expanding=True, type_=PlainText()))
)
_KNOWN: Final = select(mirror_records.c.id, mirror_records.c.numbers).where(_OURS)
_DROP_RECORDS: Final = delete(mirror_records).where(_OURS)
_DROP_NUMBER: Final = delete(mirror_numbers).where(
    mirror_numbers.c.generation == bindparam("of_generation"),
    mirror_numbers.c.e164 == bindparam("of_e164"),
    mirror_numbers.c.kind == bindparam("of_kind"),
    mirror_numbers.c.id == bindparam("of_id"),
)


async def _sweep(
    connection: AsyncConnection, table: Table, key: ColumnElement[str], number: int, where: Mapping[str, str]
) -> bool:
    """Delete the rows with the smallest keys; tell whether that was all."""
    ours = [table.c.generation == number, *(table.c[name] == value for name, value in where.items())]
    border = (await connection.execute(select(key).where(*ours).order_by(key).limit(1).offset(_SWEPT))).scalar()
    await connection.execute(delete(table).where(*ours, *([] if border is None else [key < border])))
    return border is None


def _chunk(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def _read_agent(user: str | None) -> str | None:
    return None if user is None else load(user)["agent"]


def _read_generation(row: Row[Any], positions: Iterable[Row[Any]]) -> Generation:
    ours = [position._asdict() for position in positions if position.generation == row.number]
    return Generation(
        number=row.number,
        state=GenerationState(row.state),
        plan=MirrorPlan.read(row.plan),
        started_at=row.started_at,
        changes=row.changes,
        positions=tuple(Position(**{n: v for n, v in position.items() if n != "generation"}) for position in ours),
    )
