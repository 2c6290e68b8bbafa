"""What is kept about keys: salted digests of those for scripts, and when each webhook key was used last."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, update

from app.errors import ConflictError
from app.settings import Role
from app.store.database import Database
from app.store.tables import api_keys, key_uses

__all__ = ["ApiKeyStore", "KeyUseStore", "StoredKey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """What is kept of one key. Times are seconds since the epoch."""

    id: str
    """Part of the key itself, to find it by; no secret."""
    label: str
    """Who uses it; two keys share it while one takes over from the other."""
    role: Role
    salt: str = field(repr=False)
    """Hexadecimal; the key of the digest."""
    digest: str = field(repr=False)
    created_by: str
    created_at: float
    expires_at: float | None = None
    """When it ends by itself; set for the old key by a rotation."""
    revoked_at: float | None = None
    last_used: float | None = None

    def is_valid(self, now: float) -> bool:
        """Tell whether the key opens anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class ApiKeyStore:
    """Keeps keys; a revoked one stays on record."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def get(self, key_id: str) -> StoredKey | None:
        """Find a key by its id."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(api_keys).where(api_keys.c.id == key_id))).mappings().one_or_none()
        return None if row is None else _read(row)

    async def list_all(self) -> list[StoredKey]:
        """List every key there ever was, the newest first."""
        query = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id)
        async with self._database.read() as connection:
            return [_read(row) for row in (await connection.execute(query)).mappings()]

    async def add(self, key: StoredKey) -> None:
        """Keep a new key; raises ConflictError when a valid one has the label already."""
        async with self._database.write() as connection:
            query = select(api_keys).where(api_keys.c.label == key.label)
            rows = (await connection.execute(query)).mappings().all()
            if any(_read(row).is_valid(key.created_at) for row in rows):
                raise ConflictError("a valid key has this label; rotate it, or choose another label")
            await connection.execute(insert(api_keys).values(_write(key)))

    async def replace(self, old_id: str, new: StoredKey, *, until: float) -> bool:
        """Keep a new key and let the old one end at `until`; False when the old one is not valid any more."""
        async with self._database.write() as connection:
            ended = (
                update(api_keys)
                .where(
                    api_keys.c.id == old_id,
                    api_keys.c.revoked_at.is_(None),
                    api_keys.c.expires_at.is_(None) | (api_keys.c.expires_at > new.created_at),
                )
                .values(expires_at=until)
            )
            if (await connection.execute(ended)).rowcount == 0:
                return False
            await connection.execute(insert(api_keys).values(_write(new)))
        return True

    async def revoke(self, key_id: str, *, now: float) -> bool:
        """End a key at once; False when there is none, or it was revoked before."""
        ended = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
        async with self._database.write() as connection:
            return (await connection.execute(ended)).rowcount > 0

    async def touch(self, key_id: str, *, now: float) -> None:
        """Note that a key was used."""
        async with self._database.write() as connection:
            await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(last_used=now))


class KeyUseStore:
    """Keeps last-used times by label; the keys themselves are not here."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def save(self, uses: Mapping[str, float]) -> None:
        """Note uses by label, in seconds since the epoch; an older time than the known one changes nothing."""
        if not uses:
            return
        insert = self._database.insert(key_uses)
        newer = insert.excluded.last_used
        statement = insert.on_conflict_do_update(
            index_elements=["label"], set_={"last_used": newer}, where=newer > key_uses.c.last_used
        )
        rows = [{"label": label, "last_used": used} for label, used in sorted(uses.items())]
        async with self._database.write() as connection:
            await connection.execute(statement, rows)

    async def load(self) -> dict[str, float]:
        """Read all of them."""
        async with self._database.read() as connection:
            return {row.label: row.last_used for row in await connection.execute(select(key_uses))}


def _read(row: Mapping[Any, Any]) -> StoredKey:
    return StoredKey(**{**row, "role": Role(row["role"])})


def _write(key: StoredKey) -> dict[str, object]:
    return {column.name: getattr(key, column.name) for column in api_keys.columns} | {"role": key.role.value}
