"""`/admin/events`: which plugins run when; `POST /events/{event}`: something happened in the phone client."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response, Security
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.auth.access import DecisionReaderDep, SettingsManagerDep, StatusReaderDep
from app.auth.webhook import Refused
from app.calls.api import QUEUE_KEY, QUEUE_USER
from app.configurator.components import ConfiguratorState, EventComponents
from app.configurator.events.catalogue import Event, RowStatus
from app.configurator.events.context import EventContext
from app.configurator.events.schemas import (
    EventBody,
    EventDetail,
    EventList,
    PluginNumbers,
    RowBody,
    RowPatch,
    RunAnswer,
    RunPage,
    ShownRow,
    TestReport,
)
from app.configurator.settings.api import OptionalVersionDep
from app.observability.requests import enter_request, find_request
from app.web.limits import BodyLimit
from app.web.parameters import StrictBody, tag
from app.web.problems import make_problem_response, problems
from app.web.state import read_state

__all__ = ["events_router", "router"]

_CREDENTIAL = "smartrouting.credential"
"""Key of the ASGI scope for the label of the credential of an event."""
_EXAMPLES: Any = {
    "incoming": {
        "summary": "A call rings",
        "value": {"callInProgress": True, "direction": 0, "phoneNumber": "+358501234567"},
    },
    "ended": {
        "summary": "A call has ended",
        "value": {
            "callStarted": True,
            "direction": 0,
            "phoneNumber": "+358501234567",
            "eventData": {"serverSideCallId": "5d2c7f0a-1111-4222-8333-944445555666"},
        },
    },
}


async def _read_events(request: Request) -> EventComponents:
    return read_state(request.scope, ConfiguratorState)["configurator"].events


EventsDep = Annotated[EventComponents, Depends(_read_events)]
EventId = Annotated[
    str,
    Path(
        max_length=64,
        description="The `id` of an event in `/admin/events`.",
        openapi_examples={"end": {"value": "call-ended"}},
    ),
]
RowNumber = Annotated[int, Path(ge=1, le=1000, description="The `number` of a row of the event.")]
ContextBody = Annotated[EventContext, Body(openapi_examples=_EXAMPLES)]
"""Read as freely as the phone client writes it."""
StrictContextBody = Annotated[StrictBody[EventContext], Body(openapi_examples=_EXAMPLES)]


class EventRoute(APIRoute):
    """Judges network and credential before a body is read, and lets none through that is larger than a call's."""

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer POST; other methods get 405 the usual way."""
        events = read_state(scope, ConfiguratorState)["configurator"].events
        headers, client = scope["headers"], scope["client"]
        peer = client[0] if client else None
        admitted = events.access.admit(headers, peer)
        if isinstance(admitted, Refused):
            await events.access.hold_back(admitted, headers, peer)
            title = "Unauthorized" if admitted.headers else "Forbidden"
            response = make_problem_response(
                scope,
                status=admitted.status,
                code=admitted.code,
                title=title,
                detail=admitted.detail,
                headers=admitted.headers,
            )
            await response(scope, receive, send)
            return
        events.touch_key(admitted.label)
        scope[_CREDENTIAL] = admitted.label
        await BodyLimit(super().handle, prefix="", most=events.max_body_bytes)(scope, receive, send)


router = APIRouter(prefix="/admin/events", tags=["Events"])
events_router = APIRouter(prefix="/events", tags=["Events"], route_class=EventRoute)


@events_router.post(
    "/{event}", summary="Run an event", response_model=RunAnswer, responses=problems(401, 403, 404, 413, 422, 429, 503)
)
async def run_event(
    event: EventId,
    context: ContextBody,
    request: Request,
    events: EventsDep,
    _key: Annotated[Any, Security(QUEUE_KEY)],
    _user: Annotated[Any, Security(QUEUE_USER)],
) -> Response:
    """Run the active rows of the event in order on the plugin context of the phone client.

    A row that fails or takes too long tells so in `trace`, and the next one runs. Beside the keys of the client the
    context holds `results`: what plugins found, by their ids.
    """
    info = find_request(request.scope) or enter_request(request.scope)
    run = await events.runner.run(event, context, credential=request.scope[_CREDENTIAL], request=info)
    return Response(RunAnswer.of(run).model_dump_json(), media_type="application/json")


@router.get("", summary="List events and plugins", responses=problems(503))
async def list_events(_reader: StatusReaderDep, events: EventsDep) -> EventList:
    """List the events of the phone client, which rows run, and the plugins that rows can name."""
    return EventList.of(await events.administration.list_events(), events.plugins.list_all())


@router.post("", summary="Add an event", status_code=201, responses=problems(409, 422, 503))
async def add_event(
    body: StrictBody[EventBody], manager: SettingsManagerDep, events: EventsDep, response: Response
) -> EventDetail:
    """Add an event that the catalogue does not have; its built-in rows are inactive."""
    return _answer(await events.administration.add_event(body.id, body.name, who=manager.name), response)


@router.get("/{event}", summary="Show an event", responses=problems(404, 503))
async def show_event(event: EventId, _reader: StatusReaderDep, events: EventsDep, response: Response) -> EventDetail:
    """Show the rows of an event in the order in which they run."""
    return _answer(await events.administration.show(event), response)


@router.post("/{event}/plugins", summary="Add a row", status_code=201, responses=problems(404, 409, 412, 422, 503))
async def add_row(
    event: EventId,
    body: StrictBody[RowBody],
    manager: SettingsManagerDep,
    version: OptionalVersionDep,
    events: EventsDep,
) -> ShownRow:
    """Add a row; it runs from the next event on.

    A hook without a secret gets one, which only this answer shows. With `If-Match` it is refused when somebody changed
    the event meanwhile.
    """
    row = await events.administration.add_row(
        event, body.plugin, body.make_change(), number=body.number, expected=version, who=manager.name
    )
    return ShownRow.model_validate(row)


@router.patch("/{event}/plugins/{number}", summary="Change a row", responses=problems(404, 412, 422, 503))
async def change_row(
    event: EventId,
    number: RowNumber,
    body: StrictBody[RowPatch],
    manager: SettingsManagerDep,
    version: OptionalVersionDep,
    *,
    events: EventsDep,
) -> ShownRow:
    """Change order, status, limits or parameters of a row; a parameter that becomes null returns to its default."""
    change = body.make_change()
    row = await events.administration.change_row(event, number, change, expected=version, who=manager.name)
    return ShownRow.model_validate(row)


@router.delete(
    "/{event}/plugins/{number}", summary="Delete a custom row", status_code=204, responses=problems(404, 409, 412, 503)
)
async def delete_row(
    event: EventId, number: RowNumber, manager: SettingsManagerDep, version: OptionalVersionDep, events: EventsDep
) -> None:
    """Delete a custom row; a built-in one can only be deactivated."""
    await events.administration.delete_row(event, number, expected=version, who=manager.name)


@router.post("/{event}/activate", summary="Activate rows", responses=problems(404, 412, 422, 503))
async def activate_rows(
    event: EventId,
    body: StrictBody[PluginNumbers],
    manager: SettingsManagerDep,
    version: OptionalVersionDep,
    events: EventsDep,
    *,
    response: Response,
) -> EventDetail:
    """Have rows run from the next event on, in every replica within two seconds."""
    found = await events.administration.set_status(
        event, body.numbers, RowStatus.ACTIVE, expected=version, who=manager.name
    )
    return _answer(found, response)


@router.post("/{event}/deactivate", summary="Deactivate rows", responses=problems(404, 412, 422, 503))
async def deactivate_rows(
    event: EventId,
    body: StrictBody[PluginNumbers],
    manager: SettingsManagerDep,
    version: OptionalVersionDep,
    events: EventsDep,
    *,
    response: Response,
) -> EventDetail:
    """Have rows rest from the next event on, in every replica within two seconds."""
    found = await events.administration.set_status(
        event, body.numbers, RowStatus.INACTIVE, expected=version, who=manager.name
    )
    return _answer(found, response)


@router.post("/{event}/test", summary="Try the rows of an event", responses=problems(404, 422, 503))
async def test_event(
    event: EventId, context: StrictContextBody, manager: SettingsManagerDep, events: EventsDep
) -> TestReport:
    """Run what only reads on a made-up context, and say of the other rows what they would do.

    Nothing is written, sent or recorded but an audit entry, since customers are really looked up.
    """
    return TestReport.of(await events.rehearse(event, context, who=manager.name))


@router.get("/{event}/runs", summary="List the runs of an event", responses=problems(404, 422, 503))
async def list_runs(
    event: EventId,
    _reader: DecisionReaderDep,
    events: EventsDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=64, description="`next` of the page before.")] = None,
) -> RunPage:
    """List what became of the rows, the newest run first; numbers are masked."""
    return RunPage.of(await events.list_runs(event, limit=limit, after=after))


def _answer(event: Event, response: Response) -> EventDetail:
    tag(response, str(event.version))
    return EventDetail.model_validate(event)
