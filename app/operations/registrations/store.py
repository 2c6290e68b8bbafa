"""What Microsoft Graph told of app registrations, kept so that alerts come while it is away and after a restart."""

from collections.abc import Collection
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import delete, select

from app.store.database import Database
from app.store.tables import registration_readings

__all__ = ["ReadCredential", "Reading", "ReadingStore"]


class ReadCredential(BaseModel):
    """A secret or certificate that Entra ID has; what it begins with is not kept."""

    model_config = ConfigDict(frozen=True)

    key_id: str
    label: str
    """Its description, or its kind and the beginning of its key id; different for each of an application."""
    kind: Literal["secret", "certificate"]
    starts_at: AwareDatetime | None
    expires_at: AwareDatetime | None
    """`None`: never."""
    in_use: Literal[True] | None
    """Whether this service signs in with it; `None`: it does not, and whether others do is not known."""


class Reading(BaseModel):
    """What was read of one application, and how the last question went."""

    model_config = ConfigDict(frozen=True)

    name: str = ""
    """What it is called in Entra ID."""
    credentials: tuple[ReadCredential, ...] = ()
    read_at: float | None = None
    """When it was read, in seconds since the epoch; `None` while it never was."""
    tried_at: float
    reason: str = ""
    """Why the last question was not answered; empty when it was."""
    remedy: str = ""


class ReadingStore:
    """Keeps the last reading of each application, by its id in small letters."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def load(self) -> dict[str, Reading]:
        """Read all of them."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(registration_readings))).mappings()
            return {row["application_id"]: Reading.model_validate(row["reading"]) for row in rows}

    async def put(self, application_id: str, reading: Reading) -> None:
        """Keep a reading instead of the one before."""
        values = {"application_id": application_id, "reading": reading.model_dump(mode="json")}
        insert = self._database.insert(registration_readings).values(values)
        changes = {"reading": insert.excluded["reading"]}
        async with self._database.write() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["application_id"], set_=changes))

    async def keep_only(self, application_ids: Collection[str]) -> None:
        """Forget all others."""
        gone = delete(registration_readings).where(registration_readings.c.application_id.not_in(application_ids))
        async with self._database.write() as connection:
            await connection.execute(gone)
