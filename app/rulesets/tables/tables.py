"""Puts, changes, shows and deletes tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.errors import ConflictError, Finding, InvalidInputError, NotFoundError, PreconditionRequiredError
from app.observability.redaction import redact_text
from app.routing.documents import join_pointer
from app.routing.lint_data import find_lost_places, list_destination_columns
from app.routing.number_texts import NumberTexts
from app.rulesets.live_data import LiveRuleData, LoadedTable
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.tables.content import ColumnChoice, Row, RowReader, TableContent, join_parts, read_csv, read_json
from app.rulesets.tables.store import Counts, TableHead, TableStore, TableVersion
from app.store.pages import Page
from app.web.limits import HeavyWork

__all__ = ["Tables"]

_ERASED = "erased"
_MAX_LOST = 20


class Tables:
    """What administrators do with tables. What changes one raises StoreError."""

    def __init__(
        self,
        *,
        store: TableStore,
        live_data: LiveRuleData,
        live_ruleset: LiveRuleset,
        read_region: Callable[[], str],
        heavy_work: HeavyWork,
        clock: Callable[[], float],
    ) -> None:
        """`read_region` tells the region that completes numbers now (ISO 3166-1)."""
        self._store = store
        self._live_data = live_data
        self._live_ruleset = live_ruleset
        self._read_region = read_region
        self._heavy_work = heavy_work
        self._clock = clock

    async def list_heads(self) -> list[TableHead]:
        """List the tables by name; those that were known last while the store is away."""
        await self._live_data.try_refresh()
        return [loaded.head for loaded in self._live_data.tables.values()]

    async def show(self, name: str) -> LoadedTable:
        """Show a table, as it was known last while the store is away; raises NotFoundError."""
        await self._live_data.try_refresh()
        return self._find(name)

    async def history(self, name: str, *, limit: int, after: str | None) -> Page[TableVersion]:
        """List the changes of a table, newest first, also of one that was deleted; raises StoreError."""
        return await self._store.page_versions(name, limit=limit, after=after)

    async def put(
        self,
        name: str,
        body: bytes,
        *,
        is_json: bool,
        key: str | None,
        by_number: bool,
        expected: int | None,
        author: str,
    ) -> TableHead:
        """Put a whole table in the place of the version it was made from, `None` for none.

        Raises InvalidInputError with row and column of each mistake, and for values that the live rules could not
        redirect to; ConflictError for a column that they read and it no longer has; PreconditionRequiredError and
        PreconditionFailedError.
        """
        await self._live_data.refresh()
        before = self._live_data.tables.get(name)
        if before is not None and expected is None:
            raise PreconditionRequiredError("send If-Match with the ETag of the table, so that no change gets lost")
        choice = ColumnChoice(key, self._read_region() if by_number else None)
        content = await self._heavy_work.run(read_json if is_json else read_csv, body, choice)
        return await self._write(name, content, before, expected=expected, what="put", author=author)

    async def patch(
        self,
        name: str,
        rows: Sequence[Mapping[str, Any]],
        remove: Sequence[object],
        *,
        expected: int,
        author: str,
    ) -> TableHead:
        """Add rows, change the columns that they name, and remove others by key; raises as `put` does."""
        await self._live_data.refresh()
        before = self._find(name)
        content = await self._heavy_work.run(_change, before.content, rows, remove)
        return await self._write(name, content, before, expected=expected, what="patched", author=author)

    async def delete(self, name: str, *, expected: int, author: str) -> None:
        """Delete a table; raises NotFoundError, ConflictError for one that live rules read, PreconditionFailedError."""
        rules = self._live_ruleset.current()
        if name in rules.data_facts.tables:
            raise ConflictError(f'revision {rules.revision} reads the table "{name}"; publish rules without it first')
        await self._store.delete(name, expected=expected, author=author, now=self._clock())
        await self._live_data.try_refresh()

    async def erase_number(self, e164: str) -> int:
        """Remove the rows of a number, put a word in its place elsewhere, and return how many rows that was.

        Columns that the live rules redirect to hold places of the organisation and stay. Raises StoreError.
        """
        texts = NumberTexts(e164)
        places = list_destination_columns(self._live_ruleset.current().ruleset)
        erased = 0
        for name in await self._store.list_heads():
            found = await self._store.read(name)
            if found is None:
                continue
            head, parts = found
            content = await self._heavy_work.run(_open, head, parts)
            kept = {column for table, column in places if table == name}
            rows = await self._heavy_work.run(_erase, content, texts, kept)
            counts = _compare(content.rows, rows)
            if counts != Counts():
                changed = replace(content, rows=rows)
                await self._store_content(head, changed, expected=head.version, what="erased", counts=counts)
                erased += counts.removed + counts.changed
        if erased:
            await self._live_data.follow()
        return erased

    def _find(self, name: str) -> LoadedTable:
        found = self._live_data.tables.get(name)
        if found is None:
            raise NotFoundError(f'no table is called "{name}"')
        return found

    async def _write(
        self,
        name: str,
        content: TableContent,
        before: LoadedTable | None,
        *,
        expected: int | None,
        what: str,
        author: str,
    ) -> TableHead:
        await self._heavy_work.run(self._require_fit, name, content)
        counts = await self._heavy_work.run(_compare, {} if before is None else before.content.rows, content.rows)
        head = TableHead(
            name=name,
            version=0,
            key=content.key,
            region=content.region,
            columns=content.columns,
            rows=len(content.rows),
            size=0,
            author=author,
            at=self._clock(),
        )
        written = await self._store_content(head, content, expected=expected, what=what, counts=counts)
        await self._live_data.try_refresh()
        return written

    async def _store_content(
        self, head: TableHead, content: TableContent, *, expected: int | None, what: str, counts: Counts
    ) -> TableHead:
        parts = await self._heavy_work.run(content.cut)
        size = sum(map(len, parts))
        sized = replace(head, rows=len(content.rows), size=size)
        return await self._store.write(sized, parts, expected=expected, what=what, counts=counts)

    def _require_fit(self, name: str, content: TableContent) -> None:
        """Refuse a table by which the live rules would redirect nowhere, or read a column that is gone."""
        rules = self._live_ruleset.current()
        missing = sorted(rules.data_facts.tables.get(name, frozenset()) - {*content.columns})
        if missing:
            raise ConflictError(f'revision {rules.revision} reads the column "{missing[0]}" of this table; keep it')
        table, findings = content.make_table(), list[Finding]()
        positions = {key: place for place, key in enumerate(content.rows)}
        for _, column in (pair for pair in list_destination_columns(rules.ruleset) if pair[0] == name):
            for key, value in find_lost_places(table, column, rules.ruleset):
                findings.append(_report_lost(positions[key], content.rows[key], column, value))
                if len(findings) >= _MAX_LOST:
                    break
        if findings:
            raise InvalidInputError(f"revision {rules.revision} could not redirect to some rows", findings=findings)


def _report_lost(place: int, row: Row, column: str, value: object) -> Finding:
    shown = redact_text(str(row[0]))
    return Finding(
        code="unknown-destination",
        pointer=join_pointer("rows", place, column),
        message=f'row of {shown}, column {column}: "{value}" is neither a destination of the live rules nor a number',
        hint="numbers are written like +358401234567",
    )


def _open(head: TableHead, parts: Sequence[str]) -> TableContent:
    return TableContent(head.key, head.columns, head.region, join_parts(parts))


def _compare(before: Mapping[str, Row], after: Mapping[str, Row]) -> Counts:
    common = before.keys() & after.keys()
    return Counts(
        added=len(after) - len(common),
        changed=sum(before[key] != after[key] for key in common),
        removed=len(before) - len(common),
    )


def _change(content: TableContent, rows: Sequence[Mapping[str, Any]], remove: Sequence[object]) -> TableContent:
    reader, changed = RowReader(content.columns, content.region), dict(content.rows)
    for place, key in enumerate(remove):
        if read := reader.read_key(key, place, f"removed row {place + 1}", content.key):
            changed.pop(read[0], None)
    for place, row in enumerate(rows):
        label = f"row {place + 1}"
        for column in row.keys() - {content.key, *content.columns}:
            reader.refuse(place, label, column[:64], "the table has no such column", "put the whole table to add one")
        if read := reader.read_key(row.get(content.key), place, label, content.key):
            present = changed.get(read[0], (read[1], *(None for _ in content.columns)))
            values = (
                reader.read_value(row[column], place, label, column) if column in row else value
                for column, value in zip(content.columns, present[1:], strict=True)
            )
            changed[read[0]] = (present[0], *values)
    reader.require_sound()
    return replace(content, rows={key: changed[key] for key in sorted(changed)})


def _erase(content: TableContent, texts: NumberTexts, kept: set[str]) -> Mapping[str, Row]:
    stays = [True, *(column in kept for column in content.columns)]
    return {
        key: tuple(value if stay else texts.replace(value, _ERASED) for value, stay in zip(row, stays, strict=True))
        for key, row in content.rows.items()
        if texts.replace(row[0], _ERASED) == row[0]
    }
