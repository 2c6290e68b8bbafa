"""The webhook's place among the routes, and `/admin/decisions`, `/admin/simulate` and `/admin/drills`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response, Security
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBasic
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.auth.access import DecisionReaderDep, OperatorDep, SimulatorDep
from app.auth.principals import Permission, Principal, Role
from app.calls.components import CallComponents, CallsState
from app.calls.decision_feed import News
from app.calls.schemas import (
    CALL_EXAMPLES,
    CallBody,
    DecisionConditions,
    DecisionDetail,
    DecisionForm,
    DecisionPage,
    DecisionQuery,
    DrillBody,
    DrillReport,
    Instructions,
    SimulationBody,
    SimulationResult,
    write_decisions,
)
from app.calls.store import DecisionSummary
from app.errors import ForbiddenError, InvalidInputError
from app.routing.rule_data import make_table
from app.web.limits import HeavyRoute, HeavyWork, HeavyWorkDep
from app.web.parameters import DecisionId, StrictBody
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["PATH", "QUEUE_KEY", "QUEUE_USER", "RevealDep", "make_webhook_router", "router", "simulate_router"]

PATH = "/smartrouting"
_OPENED = b": open\nretry: 3000\n\n"
_SIGN_OF_LIFE = b": waiting\n\n"
_GAP = b'event: gap\ndata: {"detail": "more calls came than are streamed; list them"}\n\n'
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""No proxy keeps events back; the second is nginx's own."""
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
}

router = APIRouter(prefix="/admin")
simulate_router = APIRouter(prefix="/admin", tags=["Rules"], route_class=HeavyRoute)

QUEUE_KEY = APIKeyHeader(
    name="X-Benemen-APIKey",
    scheme_name="QueueKey",
    description=(
        "For `POST /smartrouting` and `POST /events/…`: a key from `SMARTROUTING_WEBHOOK__API_KEYS` (the demo prints "
        "one)."
    ),
    auto_error=False,
)
QUEUE_USER = HTTPBasic(
    scheme_name="QueueUser",
    description="For the same instead of the key: one of `SMARTROUTING_WEBHOOK__BASIC_USERS`.",
    auto_error=False,
)


async def _read_components(request: Request) -> CallComponents:
    return read_state(request.scope, CallsState)["calls"]


CallsDep = Annotated[CallComponents, Depends(_read_components)]


async def _require_reveal(
    reader: DecisionReaderDep,
    *,
    reveal: Annotated[bool, Query(description="Show the full number and the name; leaves an audit record.")] = False,
) -> Principal | None:
    """Return who may see the full number, `None` when nobody asked for it; raises ForbiddenError."""
    return _admit(reader) if reveal else None


def _admit(reader: Principal) -> Principal:
    """Return somebody who may see full numbers; raises ForbiddenError."""
    if not reader.may(Permission.REVEAL_NUMBERS):
        raise ForbiddenError(f"Revealing numbers needs the role {Role.VOICE_ADMIN_USER}; yours is {reader.role}.")
    return reader


RevealDep = Annotated[Principal | None, Depends(_require_reveal)]


_DECISIONS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The page, or with `format=csv` all of them.",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/decisions",
    summary="List decisions",
    tags=["Decisions"],
    response_model=DecisionPage,
    responses={**_DECISIONS, **problems(422, 503)},
)
async def list_decisions(
    reader: DecisionReaderDep, calls: CallsDep, heavy_work: HeavyWorkDep, query: Annotated[DecisionQuery, Query()]
) -> DecisionPage | Response:
    """List answered calls, newest first. Numbers are masked, unless `reveal` shows them.

    To reveal numbers, or to search for one (`caller`, or an identifier that looks like one), needs the role Voice
    Admin User and leaves an audit record.
    """
    wanted, log, revealed = query.make_filter(), calls.decision_log, query.reveal
    if revealed or wanted.tells_number:
        await log.note_reading(_admit(reader), wanted, revealed=revealed)
    if query.format is DecisionForm.JSON:
        page = await log.page(wanted, limit=query.limit, after=query.after, revealed=revealed)
        return DecisionPage.of(page)
    chunks = log.walk(wanted, after=query.after, revealed=revealed)
    disposition = {"Content-Disposition": 'attachment; filename="decisions.csv"'}
    # The first decisions are read before the answer begins, so that a database that is away is a problem.
    first, opened = await anext(chunks), ExitStack()
    opened.enter_context(heavy_work.keep_open(reader.role))
    lines = _write(first, chunks, heavy_work, opened)
    return StreamingResponse(lines, media_type="text/csv", headers=disposition)


async def _write(
    first: Sequence[DecisionSummary],
    others: AsyncIterator[Sequence[DecisionSummary]],
    heavy_work: HeavyWork,
    opened: ExitStack,
) -> AsyncIterator[str]:
    with opened:
        yield await heavy_work.run(write_decisions, first, header=True)
        async for chunk in others:
            yield await heavy_work.run(write_decisions, chunk, header=False)


async def _watch_decisions(
    reader: DecisionReaderDep,
    calls: CallsDep,
    conditions: Annotated[DecisionConditions, Query()],
    last_event_id: Annotated[
        str | None, Header(pattern=r"^[0-9a-f-]{36}$", description="The id of the last event, to go on behind it.")
    ] = None,
) -> AsyncIterator[AsyncIterator[News]]:
    """Open the news before anything is answered; whoever looks for a number is judged and noted as in the list."""
    wanted = conditions.make_filter()
    if wanted.tells_number:
        await calls.decision_log.note_reading(_admit(reader), wanted, revealed=False)
    async with calls.decision_feed.watch(wanted, role=reader.role, after=last_event_id) as news:
        yield news


@router.get(
    "/decisions/events",
    summary="Follow decisions",
    tags=["Decisions"],
    responses={**_EVENTS, **problems(422, 429, 503)},
    response_class=StreamingResponse,
)
async def follow_decisions(news: Annotated[AsyncIterator[News], Depends(_watch_decisions)]) -> StreamingResponse:
    """Stream answered calls as server-sent events, within seconds; numbers are masked.

    `decision` holds what the list shows of one, with its id as the id of the event. `gap` tells that more calls came
    than are streamed: list them. The stream ends after five minutes, and when the process is about to end; ask again
    with `Last-Event-ID`. What comes late from another process may then come twice.
    """
    return StreamingResponse(_write_events(news), media_type="text/event-stream", headers=_STREAM_HEADERS)


async def _write_events(news: AsyncIterator[News]) -> AsyncIterator[bytes]:
    yield _OPENED
    async for each in news:
        events = b"".join(item.event for item in each.items) + (b"" if each.complete else _GAP)
        yield events or _SIGN_OF_LIFE


@router.get(
    "/decisions/{decision_id}", summary="Explain a decision", tags=["Decisions"], responses=problems(404, 422, 503)
)
async def show_decision(decision_id: DecisionId, calls: CallsDep, reveal_to: RevealDep) -> DecisionDetail:
    """Show one decision with its trace and waterfall.

    With `reveal=true` the full number and the name are shown; that needs the role Voice Admin User and leaves an
    audit record.
    """
    return DecisionDetail.of(await calls.decision_log.show(decision_id, reveal_to=reveal_to))


@simulate_router.post("/simulate", summary="Simulate a call", response_model=SimulationResult, responses=problems(422))
async def simulate_call(
    body: StrictBody[SimulationBody], who: SimulatorDep, calls: CallsDep, heavy_work: HeavyWorkDep
) -> Response:
    """Decide a made-up call without answering anybody: decision, trace and wire answer. Nothing is logged.

    Who is really looked up is shown in full to the role Voice Admin User, which leaves an audit record. For others the
    name and the columns are hidden, and an own ruleset may not test them.
    """
    reveal_to = who if who.may(Permission.REVEAL_NUMBERS) else None
    try:
        result = await calls.simulation.simulate(
            body.call,
            caller=body.caller,
            at=body.at,
            parameters=body.parameters,
            culture=body.culture,
            switches=body.switches,
            tables={name: make_table(rows) for name, rows in body.tables.items()},
            ruleset=body.ruleset,
            reveal_to=reveal_to,
        )
    except InvalidInputError as error:
        findings = [replace(finding, pointer=f"/ruleset{finding.pointer}") for finding in error.findings]
        raise InvalidInputError(error.detail, findings=findings) from error
    content = await heavy_work.run(lambda: SimulationResult.model_validate(result).model_dump_json(exclude_unset=True))
    return Response(content, media_type="application/json")


@router.post("/drills", summary="Hold a fire drill", tags=["Operations"], responses=problems(422))
async def hold_drill(body: StrictBody[DrillBody], who: OperatorDep, calls: CallsDep) -> DrillReport:
    """Decide one marked test call by the live rules while the CRM pretends to be in trouble.

    Other calls notice nothing; the decision is recorded with `drill` set and counts in no report.
    """
    return DrillReport.of(await calls.fire_drill.run(body.call, body.pretend, who=who.name))


class WebhookRoute(APIRoute):
    """Hands the request to the webhook as it came, past FastAPI's reading of parameters and bodies."""

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer POST; other methods get 405 the usual way."""
        if scope["method"] == "POST":
            await read_state(scope, CallsState)["calls"].webhook(scope, receive, send)
        else:
            await super().handle(scope, receive, send)


def make_webhook_router(no_change_status: int) -> APIRouter:
    """Describe the webhook; `no_change_status` is the status of the response profile."""
    router = APIRouter(route_class=WebhookRoute, tags=["Webhook"])
    responses: dict[int | str, dict[str, Any]] = {
        200: {"model": Instructions, "description": "Instructions that differ from the default routing."},
        no_change_status: {"description": "Nothing changes: the queue's own routing goes on. The body is empty."},
        **problems(401, 403, 408, 413, 422),
    }

    @router.post(
        PATH,
        summary="Decide where a call goes",
        description=(
            "The queue posts every incoming call here and does what the answer says. A well-formed call with a valid "
            "credential is always answered with 200 or the status of no change, within the deadline."
        ),
        responses=responses,
        openapi_extra={"requestBody": {"content": {"application/json": {"examples": CALL_EXAMPLES}}}},
    )
    async def route_call(
        call: CallBody,
        _key: Annotated[str | None, Security(QUEUE_KEY)],
        _user: Annotated[Any, Security(QUEUE_USER)],
    ) -> None: ...

    return router
