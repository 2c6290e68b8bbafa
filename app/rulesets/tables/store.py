"""Tables as they are kept: a head, the rows in parts, and who changed how much when."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import ConflictError, NotFoundError, PreconditionFailedError
from app.store.audit import AuditNote, write_notes
from app.store.database import Database
from app.store.pages import Page, cut_page, read_cursor
from app.store.tables import rule_table_parts, rule_table_versions, rule_tables

__all__ = ["MAX_ALL_BYTES", "MAX_TABLES", "Counts", "TableHead", "TableStore", "TableVersion"]

MAX_TABLES = 50
MAX_ALL_BYTES = 64 * 1024 * 1024
"""Of the rows of all tables together, as they are kept; every process holds them in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHead:
    """A table without its rows."""

    name: str
    version: int
    """One more with every change; a table that was deleted and put again goes on counting."""
    key: str
    """What the column of keys is called."""
    region: str | None
    """Where keys are phone numbers: the region (ISO 3166-1) that completed them."""
    columns: tuple[str, ...]
    rows: int
    size: int
    """Bytes of the rows as they are kept."""
    author: str
    at: float
    """When it was changed, in seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a change did."""

    added: int = 0
    changed: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableVersion(Counts):
    """One change of a table."""

    version: int
    what: str
    """`put`, `patched`, `erased` or `deleted`."""
    rows: int
    author: str
    at: float
    """In seconds since the epoch."""


class TableStore:
    """Keeps tables; each change names the version it was made from. Everything raises StoreError."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def list_heads(self) -> dict[str, TableHead]:
        """Read every head by name, in the order of the names."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(rule_tables).order_by(rule_tables.c.name))
            return {row["name"]: _read_head(dict(row)) for row in rows.mappings()}

    async def read(self, name: str) -> tuple[TableHead, list[str]] | None:
        """Read head and parts of a table; `None` when there is none."""
        parts = rule_table_parts
        async with self._database.read() as connection:
            head = await self._find(connection, name)
            if head is None:
                return None
            query = select(parts.c.rows).where(parts.c.name == name).order_by(parts.c.part)
            return head, list((await connection.execute(query)).scalars())

    async def page_versions(self, name: str, *, limit: int, after: str | None) -> Page[TableVersion]:
        """List the changes of a table, newest first; `after` is the `next` of the page before."""
        table = rule_table_versions
        query = select(table).where(table.c.name == name).order_by(table.c.version.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(table.c.version < read_cursor(after))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings()
            found = [TableVersion(**{field: row[field] for field in _VERSION_FIELDS}) for row in rows]
        return cut_page(found, [each.version for each in found], limit)

    async def write(
        self, head: TableHead, parts: Sequence[str], *, expected: int | None, what: str, counts: Counts
    ) -> TableHead:
        """Put a table in the place of the version it was made from, `None` for none, with its audit entry.

        The version of `head` does not count: the one that is written is returned. Raises PreconditionFailedError for
        another version, and ConflictError for a table too many or for more than all tables may hold.
        """
        async with self._database.write() as connection:
            before = await self._require(connection, head.name, expected)
            await self._require_room(connection, head)
            written = await self._add_version(connection, head, what=what, counts=counts)
            values = {**asdict(written), "columns": list(written.columns)}
            if before is None:
                await connection.execute(insert(rule_tables).values(values))
            else:
                await connection.execute(update(rule_tables).where(rule_tables.c.name == head.name).values(values))
            await connection.execute(delete(rule_table_parts).where(rule_table_parts.c.name == head.name))
            for place, rows in enumerate(parts):
                await connection.execute(insert(rule_table_parts).values(name=head.name, part=place, rows=rows))
            await write_notes(connection, [_note(before, written, what=what, counts=counts)])
        return written

    async def delete(self, name: str, *, expected: int, author: str, now: float) -> None:
        """Delete a table, with its audit entry; raises NotFoundError and PreconditionFailedError."""
        async with self._database.write() as connection:
            before = await self._find(connection, name)
            if before is None:
                raise NotFoundError(f'no table is called "{name}"')
            await self._require(connection, name, expected)
            gone = TableHead(**{**asdict(before), "rows": 0, "size": 0, "author": author, "at": now})
            counts = Counts(removed=before.rows)
            after = await self._add_version(connection, gone, what="deleted", counts=counts)
            for table in (rule_table_parts, rule_tables):
                await connection.execute(delete(table).where(table.c.name == name))
            await write_notes(connection, [_note(before, after, what="deleted", counts=counts)])

    async def _require(self, connection: AsyncConnection, name: str, expected: int | None) -> TableHead | None:
        """Find the head in exactly this version, and keep others from changing it until the transaction ends."""
        head = await self._find(connection, name, lock=True)
        if (None if head is None else head.version) != expected:
            raise PreconditionFailedError(f'somebody else changed the table "{name}" since you read it; read it again')
        return head

    async def _require_room(self, connection: AsyncConnection, head: TableHead) -> None:
        others = select(func.count(), func.coalesce(func.sum(rule_tables.c.size), 0)).where(
            rule_tables.c.name != head.name
        )
        count, size = (await connection.execute(others)).one()
        if count >= MAX_TABLES:
            raise ConflictError(f"there are {MAX_TABLES} tables already; delete one that no rule needs")
        if size + head.size > MAX_ALL_BYTES:
            raise ConflictError(f"all tables together would hold more than {MAX_ALL_BYTES:,} bytes; delete some rows")

    async def _add_version(
        self, connection: AsyncConnection, head: TableHead, *, what: str, counts: Counts
    ) -> TableHead:
        table = rule_table_versions
        newest = select(func.max(table.c.version)).where(table.c.name == head.name)
        written = TableHead(**{**asdict(head), "version": ((await connection.execute(newest)).scalar_one() or 0) + 1})
        version = TableVersion(
            version=written.version,
            what=what,
            rows=head.rows,
            author=head.author,
            at=head.at,
            **asdict(counts),
        )
        # Of two who put the first version at once only one finds the number free.
        values = {"name": head.name, **asdict(version)}
        added = self._database.insert(table).values(values).on_conflict_do_nothing()
        if (await connection.execute(added)).rowcount == 0:
            raise PreconditionFailedError(f'somebody else put the table "{head.name}" at this moment; read it again')
        return written

    async def _find(self, connection: AsyncConnection, name: str, *, lock: bool = False) -> TableHead | None:
        query = select(rule_tables).where(rule_tables.c.name == name)
        row = (await connection.execute(query.with_for_update() if lock else query)).mappings().one_or_none()
        return None if row is None else _read_head(dict(row))


_VERSION_FIELDS = tuple(TableVersion.__dataclass_fields__)


def _read_head(row: dict[str, object]) -> TableHead:
    return TableHead(**{**row, "columns": tuple(row["columns"])})  # type: ignore[arg-type] # as it was written


def _note(before: TableHead | None, after: TableHead, *, what: str, counts: Counts) -> AuditNote:
    return AuditNote(
        at=after.at,
        who=after.author,
        what=f"table.{what}",
        target=f"table/{after.name}",
        before=None if before is None else {"version": before.version, "rows": before.rows},
        after={"version": after.version, "rows": after.rows, **asdict(counts)},
    )
