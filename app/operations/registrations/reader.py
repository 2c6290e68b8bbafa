"""Reads app registrations from Microsoft Graph, now and then and when asked to."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import SecretStr

from app.graph import Application, ApplicationCredential, GraphClient, GraphError
from app.operations.registrations.registrations import AppRegistrations
from app.operations.registrations.store import ReadCredential, Reading, ReadingStore

__all__ = ["LOOK_SECONDS", "OwnCredential", "RegistrationReader"]

log = structlog.get_logger()

LOOK_SECONDS: Final = 60.0
"""How often `run_once` is to be called."""
_AGAIN_SECONDS: Final = 3600.0
_MAX_LABEL: Final = 100
_ODD: Final = re.compile(r"[^\w .,()+@/=-]+")
_GONE: Final = (
    "the tenant has no app registration with this application id",
    "correct application_id: it is the Application (client) id, not the Object id",
)


@dataclass(frozen=True, slots=True)
class OwnCredential:
    """What this service signs in with."""

    application_id: str
    secret: SecretStr

    def is_of(self, application_id: str, credential: ApplicationCredential) -> bool:
        """Tell whether a secret of an application begins as the own one does."""
        own = self.application_id.casefold() == application_id.casefold()
        return bool(own and credential.hint and self.secret.get_secret_value().startswith(credential.hint))


class RegistrationReader:
    """Keeps what Graph tells of the registrations that were entered; one question at a time."""

    def __init__(
        self,
        *,
        graph: GraphClient | None,
        registrations: AppRegistrations,
        store: ReadingStore,
        own: OwnCredential | None,
        lead: Callable[[], Awaitable[bool]],
        clock: Callable[[], float],
    ) -> None:
        """Without `graph` nothing is read. `own` tells which secret is in use; `clock` gives seconds."""
        self._graph = graph
        self._registrations = registrations
        self._store = store
        self._own = own
        self._lead = lead
        self._clock = clock
        self._turn = asyncio.Lock()
        self._looked_at: set[str] = set()

    @property
    def configured(self) -> bool:
        """Whether anything is read at all."""
        return self._graph is not None

    async def run_once(self) -> None:
        """Read what was read an hour ago, or not since this process began: it may sign in with another secret now.

        Raises StoreError; that Graph does not answer is kept with the reading.
        """
        if self._graph is None or not await self._lead():
            return
        wanted = {each.application_id for each in (await self._registrations.read())[0].values()}
        kept, now = await self._store.load(), self._clock()
        if kept.keys() - wanted:
            await self._store.keep_only(wanted)
        fresh = {name for name, each in kept.items() if now - each.tried_at < _AGAIN_SECONDS} & self._looked_at
        await self._read(self._graph, wanted - fresh)

    async def read(self, name: str) -> None:
        """Read one registration now; raises NotFoundError and StoreError."""
        known, _ = await self._registrations.get(name)
        if self._graph is not None:
            await self._read(self._graph, [known.application_id])

    async def find_by_hint(self, application_id: str, secret: SecretStr) -> ReadCredential | None:
        """Ask Graph which credential of an application a secret is, by what it begins with.

        `None` when Graph is not asked, or knows none or more than one that begins so. Raises GraphError.
        """
        if self._graph is None:
            return None
        found = (await self._graph.read_applications([application_id]))[application_id]
        asked = OwnCredential(application_id, secret)
        matching = [] if found is None else [each for each in _translate(found, asked) if each.in_use]
        return matching[0] if len(matching) == 1 else None

    async def _read(self, graph: GraphClient, application_ids: Collection[str]) -> None:
        if not application_ids:
            return
        async with self._turn:
            kept = await self._store.load()
            try:
                found = await graph.read_applications(application_ids)
            except GraphError as error:
                log.warning("app_registrations.not_read", reason=error.detail)
                readings = {each: self._note_failure(kept.get(each), error) for each in application_ids}
            else:
                readings = {each: self._note(application) for each, application in found.items()}
            for application_id, reading in readings.items():
                await self._store.put(application_id, reading)
            self._looked_at.update(application_ids)

    def _note_failure(self, before: Reading | None, error: GraphError) -> Reading:
        now = self._clock()
        changes = {"tried_at": now, "reason": error.detail, "remedy": error.remedy}
        return (before or Reading(tried_at=now)).model_copy(update=changes)

    def _note(self, application: Application | None) -> Reading:
        now = self._clock()
        if application is None:
            reason, remedy = _GONE
            return Reading(tried_at=now, reason=reason, remedy=remedy)
        credentials = _translate(application, self._own)
        return Reading(name=application.name, credentials=credentials, read_at=now, tried_at=now)


def _translate(application: Application, own: OwnCredential | None) -> tuple[ReadCredential, ...]:
    some = application.credentials
    used = [each for each in some if own is not None and own.is_of(application.application_id, each)]
    return tuple(
        ReadCredential(
            key_id=each.key_id,
            label=label,
            kind=each.kind,
            starts_at=each.starts_at,
            expires_at=each.expires_at,
            in_use=True if used == [each] else None,
        )
        for each, label in zip(some, _label(some), strict=True)
    )


def _label(credentials: Sequence[ApplicationCredential]) -> list[str]:
    """Name each by its description; one that has none, or the same as another, by its key id as well."""
    names = [" ".join(_ODD.sub(" ", each.name or "").split())[:_MAX_LABEL] for each in credentials]
    return [
        name if name and names.count(name) == 1 else f"{name or each.kind} {each.key_id[:8]}"
        for name, each in zip(names, credentials, strict=True)
    ]
