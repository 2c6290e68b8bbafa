"""The switches as they are kept."""

from dataclasses import dataclass, fields

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import ConflictError, NotFoundError
from app.routing.rule_data import Switch
from app.store.audit import AuditNote, write_notes
from app.store.database import Database
from app.store.tables import switches

__all__ = ["MAX_SWITCHES", "StoredSwitch", "SwitchStore"]

MAX_SWITCHES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSwitch:
    """A switch, and who set it last."""

    name: str
    on: bool
    reason: str
    off_at: float | None
    """When it goes off by itself, in seconds since the epoch."""
    author: str
    at: float
    """When it was set, in seconds since the epoch."""

    @property
    def state(self) -> Switch:
        """What rules see of it."""
        return Switch(on=self.on, off_at=self.off_at)


class SwitchStore:
    """Keeps the present state of each switch; what it was before is in the audit. Everything raises StoreError."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def load(self) -> dict[str, StoredSwitch]:
        """Read all of them by name, in the order of their names."""
        async with self._database.read() as connection:
            rows = await connection.execute(select(switches).order_by(switches.c.name))
            return {row["name"]: StoredSwitch(**row) for row in rows.mappings()}

    async def put(self, switch: StoredSwitch) -> None:
        """Set a switch, together with its audit entry; raises ConflictError for one more than there may be."""
        values = {field.name: getattr(switch, field.name) for field in fields(switch)}
        insert = self._database.insert(switches).values(values)
        others = {name: insert.excluded[name] for name in values if name != "name"}
        async with self._database.write() as connection:
            before = await self._find(connection, switch.name)
            count = (await connection.execute(select(func.count()).select_from(switches))).scalar_one()
            if before is None and count >= MAX_SWITCHES:
                raise ConflictError(f"there are {MAX_SWITCHES} switches already; delete one that no rule needs")
            await connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_=others))
            note = _note("switch.set", switch.name, before, switch, who=switch.author, at=switch.at)
            await write_notes(connection, [note])

    async def delete(self, name: str, *, author: str, now: float) -> None:
        """Delete a switch, together with its audit entry; raises NotFoundError."""
        async with self._database.write() as connection:
            before = await self._find(connection, name)
            if before is None:
                raise NotFoundError(f'no switch is called "{name}"')
            await connection.execute(delete(switches).where(switches.c.name == name))
            await write_notes(connection, [_note("switch.deleted", name, before, None, who=author, at=now)])

    async def _find(self, connection: AsyncConnection, name: str) -> StoredSwitch | None:
        row = (await connection.execute(select(switches).where(switches.c.name == name))).mappings().one_or_none()
        return None if row is None else StoredSwitch(**row)


def _note(
    what: str, name: str, before: StoredSwitch | None, after: StoredSwitch | None, *, who: str, at: float
) -> AuditNote:
    return AuditNote(
        at=at, who=who, what=what, target=f"switch/{name}", before=_describe(before), after=_describe(after)
    )


def _describe(switch: StoredSwitch | None) -> object:
    return None if switch is None else {"on": switch.on, "reason": switch.reason, "off_at": switch.off_at}
