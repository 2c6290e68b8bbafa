"""Callers as the CRM last described them, for when it does not answer, even after a restart."""

from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, select

from app.routing.callers import Caller
from app.store.database import Database
from app.store.json_text import dump, load
from app.store.tables import caller_snapshots

__all__ = ["CallerSnapshotStore"]


class CallerSnapshotStore:
    """Keeps one caller per number."""

    def __init__(self, *, database: Database) -> None:
        self._database = database
        self._callers = TypeAdapter(Caller)

    async def save(self, callers: Mapping[str, Caller]) -> None:
        """Keep callers by E.164 number; one the CRM described earlier than the known one changes nothing."""
        if not callers:
            return
        insert = self._database.insert(caller_snapshots)
        newer = insert.excluded
        statement = insert.on_conflict_do_update(
            index_elements=["e164"],
            set_={"caller": newer.caller, "as_of": newer.as_of},
            where=newer.as_of >= caller_snapshots.c.as_of,
        )
        rows = [
            {"e164": e164, "caller": load(dump(caller)), "as_of": caller.as_of or 0.0}
            for e164, caller in sorted(callers.items())
        ]
        async with self._database.write() as connection:
            await connection.execute(statement, rows)

    async def get_many(self, e164s: Iterable[str]) -> dict[str, Caller]:
        """Find the last known callers of up to a few hundred numbers, as far as there are any."""
        query = select(caller_snapshots.c.e164, caller_snapshots.c.caller).where(
            caller_snapshots.c.e164.in_(sorted(e164s))
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        found = ((row.e164, self._read(row.caller)) for row in rows)
        return {e164: caller for e164, caller in found if caller is not None}

    async def erase(self, e164: str) -> bool:
        """Forget one number; False when it was not known."""
        async with self._database.write() as connection:
            erased = await connection.execute(delete(caller_snapshots).where(caller_snapshots.c.e164 == e164))
        return erased.rowcount > 0

    async def purge_before(self, time: float) -> int:
        """Forget callers described before that time (seconds since the epoch), and return how many."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(caller_snapshots).where(caller_snapshots.c.as_of < time))).rowcount

    def _read(self, document: object) -> Caller | None:
        try:
            return self._callers.validate_python(document)
        except ValidationError:
            # Written by a version with other words; the next look-up replaces it.
            return None
