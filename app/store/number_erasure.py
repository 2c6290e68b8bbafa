"""Takes one phone number out of what is kept, where a word must stand in its place."""

import asyncio
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Table, select, tuple_, update

from app.routing.number_texts import NumberTexts
from app.store.database import Database

__all__ = ["NumberErasure", "Replace", "replace_in"]

Replace = Callable[[Any], Any]
"""Puts the word in the place of the number, anywhere in a JSON value."""
Change = Callable[[Mapping[Any, Any], Replace], Mapping[str, Any]]
"""Gives the columns of a row that change, with their new values."""
_ROWS_AT_ONCE = 20


class NumberErasure:
    """Replaces a number by a pseudonym, row by row.

    The pseudonym is the same for a number wherever it stands, so that rules and their tests still fit together, and is
    made with a key that only this process has: nobody can try numbers until one fits.
    """

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._key = secrets.token_bytes(32)

    async def erase(self, table: Table, e164: str, change: Change) -> int:
        """Change the rows of a table that hold the number, and return how many; raises StoreError."""
        texts, word = NumberTexts(e164), f"erased-{hmac.digest(self._key, e164.encode(), 'sha256').hex()[:12]}"

        def replace(value: Any) -> Any:
            return texts.replace(value, word)

        def find(rows: list[Mapping[Any, Any]]) -> list[Any]:
            return [read_key(row) for row in rows if change(row, replace)]

        def read_key(row: Mapping[Any, Any]) -> tuple[Any, ...]:
            return tuple(row[column.name] for column in key)

        key = list(table.primary_key.columns)
        last, erased = None, 0
        while True:
            query = select(table).order_by(*key).limit(_ROWS_AT_ONCE)
            async with self._database.read() as connection:
                found = await connection.execute(query if last is None else query.where(tuple_(*key) > last))
                rows: list[Mapping[Any, Any]] = list(found.mappings())
            if not rows:
                return erased
            last = read_key(rows[-1])
            for names in await asyncio.to_thread(find, rows):
                this = [column == name for column, name in zip(key, names, strict=True)]
                async with self._database.write() as connection:
                    mine = select(table).where(*this).with_for_update()
                    row = (await connection.execute(mine)).mappings().one_or_none()
                    if row is None:
                        continue
                    values = await asyncio.to_thread(change, row, replace)
                    if values:
                        await connection.execute(update(table).where(*this).values(dict(values)))
                        erased += 1


def replace_in(*columns: str) -> Change:
    """Make the change of a table whose columns may hold the number anywhere."""

    def change(row: Mapping[Any, Any], replace: Replace) -> dict[str, Any]:
        replaced = {name: replace(row[name]) for name in columns}
        return {name: value for name, value in replaced.items() if value != row[name]}

    return change
