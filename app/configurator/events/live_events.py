"""Knows the rows of every event in this process, and notices within a second when somebody changes them elsewhere."""

import structlog
from pydantic import ValidationError

from app.configurator.events.catalogue import Event, EventDocument, find_event, list_event_ids, make_event
from app.errors import AppError, NotFoundError
from app.store.settings_documents import SettingsDocument, SettingsDocumentStore

__all__ = ["PREFIX", "LiveEvents", "read_event"]

log = structlog.get_logger()

PREFIX = "events/"
"""Of the names of the documents that hold events."""


class EventsUnknownError(AppError):
    """The database was away since the start, so that nobody knows which rows are active."""

    status = 503
    code = "events-unknown"
    title = "Events not known yet"


class LiveEvents:
    """Holds the events; each is replaced as a whole, and a run keeps the rows it began with."""

    def __init__(self, *, store: SettingsDocumentStore) -> None:
        self._store = store
        self._events: dict[str, Event] = {}
        self._seen: dict[str, int] = {}

    async def refresh(self) -> None:
        """Take over what is kept now; raises StoreError.

        What a later version of the program wrote and this one cannot read is logged, and left out.
        """
        newest = await self._store.list_newest()
        for event in map(find_event, list_event_ids()):
            if event is not None:
                self._events.setdefault(event.id, event)
        for name, version in newest.items():
            if name.startswith(PREFIX) and version > self._seen.get(name, 0):
                self._seen[name] = version
                document = await self._store.get(name, version)
                if document is not None:
                    self._take_over(document)

    def list_all(self) -> list[Event]:
        """List the events, those of the catalogue first; raises EventsUnknownError."""
        self._require_loaded()
        return list(self._events.values())

    def find(self, event_id: str) -> Event:
        """Find an event; raises NotFoundError and EventsUnknownError."""
        self._require_loaded()
        if event_id not in self._events:
            raise NotFoundError("there is no such event; GET /admin/events lists them, and POST adds one")
        return self._events[event_id]

    def _require_loaded(self) -> None:
        if not self._events:
            raise EventsUnknownError("the database was away since the start, so nobody knows which rows are active")

    def _take_over(self, document: SettingsDocument) -> None:
        try:
            event = read_event(document)
        except ValidationError as error:
            log.error("live_events.unusable", event_name=document.name, problems=error.error_count())  # noqa: TRY400
            return
        self._events[event.id] = event
        log.info("live_events.changed", event_name=event.id, version=event.version)


def read_event(document: SettingsDocument) -> Event:
    """Read an event as it was kept; raises ValidationError."""
    kept = EventDocument.model_validate(document.document)
    return make_event(document.name.removeprefix(PREFIX), kept, version=document.version)
