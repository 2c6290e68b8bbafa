"""What administrators do with events: add them, and add, change, delete, activate and deactivate their rows."""

import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from app.configurator.events.catalogue import (
    DEFAULT_ROW_MS,
    Event,
    EventDocument,
    EventRow,
    RowStatus,
    find_event,
    is_built_in,
    make_event,
)
from app.configurator.events.live_events import PREFIX, LiveEvents, read_event
from app.configurator.events.plugin import Plugins, list_secrets, read_parameters
from app.configurator.settings.values import merge_patch
from app.errors import ConflictError, Finding, InvalidInputError, NotFoundError, PreconditionFailedError
from app.routing.documents import join_pointer
from app.store.audit import AuditNote
from app.store.settings_documents import DocumentChange, SettingsDocumentStore

__all__ = ["EventAdministration", "RowChange"]

_ATTEMPTS = 5
_REDACTED = "**********"
_SECRET = "secret"  # noqa: S105 - the name of a parameter
_MAX_NUMBER = 1000
_MAX_ROWS = 100

Alter = Callable[[Event], tuple[EventRow, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """What is to be different about a row; `None` leaves it."""

    order: int | None = None
    status: RowStatus | None = None
    parameters: Mapping[str, object] | None = None
    """A JSON merge patch."""
    timeout_ms: int | None = None
    stop_on_error: bool | None = None


class EventAdministration:
    """Changes are saved at once. Without the version that they are made from they apply to whatever is there.

    Everything raises StoreError.
    """

    def __init__(
        self, *, store: SettingsDocumentStore, live: LiveEvents, plugins: Plugins, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._live = live
        self._plugins = plugins
        self._clock = clock

    async def list_events(self) -> list[Event]:
        """List the events as they are now."""
        await self._live.refresh()
        return [self._redact(event) for event in self._live.list_all()]

    async def show(self, event_id: str) -> Event:
        """Show an event without secrets; raises NotFoundError."""
        return self._redact(await self._read(event_id))

    async def add_event(self, event_id: str, name: str, *, who: str) -> Event:
        """Add an event that the catalogue does not have; raises ConflictError."""
        await self._live.refresh()
        if any(each.id.casefold() == event_id.casefold() for each in self._live.list_all()):
            raise ConflictError("there is an event of this id already")
        event = make_event(event_id, EventDocument(name=name, rows=()), version=0)
        await self._save(event, event.rows, what="event.added", who=who)
        return await self.show(event_id)

    async def add_row(
        self, event_id: str, plugin_id: str, change: RowChange, *, number: int | None, expected: int | None, who: str
    ) -> EventRow:
        """Add a row, with the first free number when none is given; a hook without a secret gets one, shown only here.

        Raises NotFoundError, InvalidInputError naming the place, ConflictError for a number that is taken, and
        PreconditionFailedError.
        """
        built_in = self._plugins.require(plugin_id).built_in
        secret = self._complete(plugin_id, change.parameters or {})
        added: list[EventRow] = []

        def add(event: Event) -> tuple[EventRow, ...]:
            free = _choose_number(event, number, built_in=built_in)
            row = EventRow(
                number=free,
                plugin=plugin_id,
                order=free if change.order is None else change.order,
                status=change.status or RowStatus.ACTIVE,
                parameters={**(change.parameters or {}), **secret},
                timeout_ms=change.timeout_ms or DEFAULT_ROW_MS,
                stop_on_error=bool(change.stop_on_error),
            )
            self._judge(row)
            added.append(row)
            return (*event.rows, row)

        await self._change(event_id, add, expected=expected, what="event.row_added", who=who)
        return self._redact_row(added[-1], keep=secret)

    async def change_row(
        self, event_id: str, number: int, change: RowChange, *, expected: int | None, who: str
    ) -> EventRow:
        """Change a row; raises as `add_row` does."""
        made: dict[str, str] = {}

        def alter(event: Event) -> tuple[EventRow, ...]:
            row = _find_row(event, number)
            parameters = dict(row.parameters)
            if change.parameters is not None:
                parameters = cast(dict[str, Any], merge_patch(row.parameters, change.parameters))
                made.update(self._complete(row.plugin, parameters))
            changed = row.model_copy(
                update={
                    "order": row.order if change.order is None else change.order,
                    "status": change.status or row.status,
                    "parameters": {**parameters, **made},
                    "timeout_ms": change.timeout_ms or row.timeout_ms,
                    "stop_on_error": row.stop_on_error if change.stop_on_error is None else change.stop_on_error,
                }
            )
            self._judge(changed)
            return tuple(changed if each.number == number else each for each in event.rows)

        event = await self._change(event_id, alter, expected=expected, what="event.row_changed", who=who)
        return self._redact_row(_find_row(event, number), keep=made)

    async def delete_row(self, event_id: str, number: int, *, expected: int | None, who: str) -> None:
        """Delete a custom row; raises NotFoundError, PreconditionFailedError, and ConflictError for a built-in one."""

        def remove(event: Event) -> tuple[EventRow, ...]:
            if _find_row(event, number).built_in:
                raise ConflictError("a built-in row cannot be deleted; deactivate it")
            return tuple(row for row in event.rows if row.number != number)

        await self._change(event_id, remove, expected=expected, what="event.row_deleted", who=who)

    async def set_status(
        self, event_id: str, numbers: Sequence[int], status: RowStatus, *, expected: int | None, who: str
    ) -> Event:
        """Activate or deactivate rows, all or none; raises as `change_row` does."""

        def alter(event: Event) -> tuple[EventRow, ...]:
            known = {row.number for row in event.rows}
            unknown = [
                Finding(code="unknown-row", pointer=join_pointer("numbers", index), message="there is no such row")
                for index, number in enumerate(numbers)
                if number not in known
            ]
            if unknown:
                raise InvalidInputError("some rows are not there; nothing was changed", findings=unknown)
            rows = tuple(
                row.model_copy(update={"status": status}) if row.number in numbers else row for row in event.rows
            )
            for row in rows:
                if row.number in numbers:
                    self._judge(row)
            return rows

        what = "event.activated" if status is RowStatus.ACTIVE else "event.deactivated"
        return self._redact(await self._change(event_id, alter, expected=expected, what=what, who=who))

    async def _read(self, event_id: str) -> Event:
        found = await self._store.get(PREFIX + event_id)
        event = find_event(event_id) if found is None else read_event(found)
        if event is None:
            raise NotFoundError("there is no such event; GET /admin/events lists them, and POST adds one")
        return event

    async def _change(self, event_id: str, alter: Alter, *, expected: int | None, what: str, who: str) -> Event:
        """Save other rows; when somebody else was faster and no version was named, apply the change to theirs."""
        for attempt in range(_ATTEMPTS):
            event = await self._read(event_id)
            if expected is not None and expected != event.version:
                break
            try:
                return await self._save(event, alter(event), what=what, who=who)
            except PreconditionFailedError:
                if expected is not None or attempt == _ATTEMPTS - 1:
                    raise
        raise PreconditionFailedError("somebody else changed this event since you read it; read it again")

    async def _save(self, event: Event, rows: tuple[EventRow, ...], *, what: str, who: str) -> Event:
        now = self._clock()
        changed = make_event(event.id, EventDocument(name=event.name, rows=rows), version=event.version + 1)
        note = AuditNote(
            at=now,
            who=who,
            what=what,
            target=PREFIX + event.id,
            before=None if what == "event.added" else self._redact(event).document.model_dump(mode="json"),
            after=self._redact(changed).document.model_dump(mode="json"),
        )
        document = changed.document.model_dump(mode="json")
        change = DocumentChange(name=PREFIX + event.id, document=document, expected=event.version)
        await self._store.put([change], author=who, now=now, notes=[note])
        await self._live.refresh()
        return changed

    def _judge(self, row: EventRow) -> None:
        """Refuse parameters that the plugin cannot use; an inactive row may have none yet."""
        if row.status is RowStatus.ACTIVE or row.parameters:
            read_parameters(self._plugins.require(row.plugin).plugin, row.parameters)

    def _complete(self, plugin_id: str, parameters: Mapping[str, object]) -> dict[str, str]:
        """Make the secret of a hook that has none."""
        found = self._plugins.find(plugin_id)
        if found is None or _SECRET not in list_secrets(found.plugin) or parameters.get(_SECRET) is not None:
            return {}
        return {_SECRET: f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"}

    def _redact(self, event: Event) -> Event:
        return replace(event, rows=tuple(self._redact_row(row) for row in event.rows))

    def _redact_row(self, row: EventRow, keep: Mapping[str, object] | None = None) -> EventRow:
        """Put asterisks in the place of secrets, but of those that were made just now."""
        found = self._plugins.find(row.plugin)
        hidden = row.parameters.keys() if found is None else list_secrets(found.plugin)
        parameters = {
            name: _REDACTED if name in hidden and name not in (keep or {}) else value
            for name, value in row.parameters.items()
        }
        return row.model_copy(update={"parameters": parameters})


def _choose_number(event: Event, number: int | None, *, built_in: bool) -> int:
    """Return the number, or the first free one of its kind; raises InvalidInputError and ConflictError."""
    taken = {row.number for row in event.rows}
    if len(taken) >= _MAX_ROWS:
        raise ConflictError(f"the event has {_MAX_ROWS} rows already; delete some that nobody needs")
    if number is None:
        return next(each for each in range(1, _MAX_NUMBER) if each not in taken and is_built_in(each) == built_in)
    if is_built_in(number) != built_in:
        halves = ("1 to 50", "51 to 100")
        message = f"rows of this plugin have the numbers {halves[built_in]} of a hundred"
        problem = Finding(code="wrong-number", pointer="/number", message=message, hint="leave the number out")
        raise InvalidInputError("the number is for rows of another kind", findings=[problem])
    if number in taken:
        raise ConflictError(f"there is a row {number} already; change it, or choose another number")
    return number


def _find_row(event: Event, number: int) -> EventRow:
    found = next((row for row in event.rows if row.number == number), None)
    if found is None:
        raise NotFoundError(f"the event has no row {number}")
    return found
