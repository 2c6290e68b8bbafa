"""`POST /smartrouting`: the queue asks where a call should go (Enreach contract, sections 1.2 to 1.5).

This is plain ASGI, because the credential is judged before the body is read, the body is read within the call's
deadline, and every moment spent here is silence in somebody's ear. `app.calls.api` describes it in OpenAPI.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NoReturn

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from app.auth.webhook import Admitted, KeyUse, Refused, WebhookAccess
from app.calls.call_settings import CallSettings, LiveCallSettings
from app.calls.contract_calls import ContractCalls
from app.calls.route_call import Answered, Arrival, RouteCall
from app.errors import AppError, BodyTooLargeError, InvalidInputError
from app.observability.metrics import Metrics
from app.observability.requests import RequestInfo, TraceContext, enter_request, name_answer
from app.routing.calls import read_call
from app.routing.decisions import DecisionRecord
from app.web.problems import make_problem_response

__all__ = ["RECEIVED", "CallSpans", "Webhook"]

log = structlog.get_logger()

Headers = Sequence[tuple[bytes, bytes]]


class CallSpans(NamedTuple):
    """The spans of calls, for whoever collects them."""

    sample: Callable[[TraceContext], bool]
    """Tells at the start of a call whether its spans will be exported."""
    export: Callable[[DecisionRecord, TraceContext, float], None]
    """Exports the spans of a sampled call, whose record took so many milliseconds."""


RECEIVED: Final = "smartrouting.received"
"""Key of the ASGI scope for when the server saw the first byte of a request, by the clock of the event loop."""
_JSON: Final = (b"content-type", b"application/json")
_MAX_DIGITS: Final = 18
"""Of a size that is worth reading as a number."""
_NOT_STORED: Final = (b"cache-control", b"no-store")


class BodyTooSlowError(AppError):
    """The body did not arrive within the deadline of the call."""

    status = 408
    code = "body-too-slow"
    title = "Body too slow"


class SenderGoneError(Exception):
    """The connection closed before the body was complete: there is nobody to answer."""


class Webhook:
    """Admits, reads, asks the use case, answers."""

    def __init__(
        self,
        *,
        access: WebhookAccess,
        key_use: KeyUse,
        route_call: RouteCall,
        live_settings: LiveCallSettings,
        metrics: Metrics,
        max_body_bytes: int,
        spans: CallSpans | None,
        find_arrival: Callable[[float], float],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        contract_calls: ContractCalls | None = None,
    ) -> None:
        """`clock` gives seconds since the epoch, `monotonic` those of the event loop.

        `find_arrival` tells since when what was received at a moment may have waited for the event loop.
        `spans` are those of answered calls; `None` when nobody collects them.
        """
        self._access = access
        self._key_use = key_use
        self._route_call = route_call
        self._contract_calls = contract_calls
        self._live_settings = live_settings
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._spans = spans
        self._find_arrival = find_arrival
        self._clock = clock
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one POST. Refusals are problem details; everything else is the queue's dialect."""
        started, settings = self._monotonic(), self._live_settings.call_settings()
        arrived = self._find_arrival(scope.get(RECEIVED, started))
        request = enter_request(scope, None if self._spans is None else self._spans.sample)
        headers: Headers = scope["headers"]
        client = scope["client"]
        peer = client[0] if client else None
        admitted = self._access.admit(headers, peer)
        test = self._find_test(headers)
        if isinstance(admitted, Refused):
            await self._access.hold_back(admitted, headers, peer)
            await self._turn_away(admitted, scope, receive, name_answer(request, send), counted=test is None)
            return
        try:
            body = await self._receive_body(scope, receive, started + settings.deadline)
            payload = _read_json(body)
        except SenderGoneError:
            return
        except AppError as error:
            await self._refuse(error, scope, receive, name_answer(request, send), counted=test is None)
            return
        arrival = self._describe_arrival(request, admitted, arrived, started, settings)
        try:
            call = read_call(payload, settings.read_number)
            if test is None or not test.takes(call):
                test = None
                self._key_use.touch(admitted.label, arrival.at)
            answered = await (self._route_call if test is None else test.answer)(call, arrival)
        except Exception:  # the outermost boundary: a defect here must not cost the caller the queue's own routing
            log.exception("call.broken", decision_id=arrival.id)
            await _send(send, request, settings.profile.no_change_status, None)
            return
        await _send(send, request, answered.answer.status, answered.answer.body)
        if test is not None:
            return
        self._count(answered, self._monotonic() - arrived, settings.deadline)
        if self._spans is not None and answered.recorded and request.trace.sampled:
            self._spans.export(answered.record, request.trace, answered.record_seconds * 1000)

    def _find_test(self, headers: Headers) -> ContractCalls | None:
        """Return what answers a request that is part of a contract test."""
        tests = self._contract_calls
        return tests if tests is not None and tests.is_marked(headers) else None

    def _describe_arrival(
        self, request: RequestInfo, admitted: Admitted, arrived: float, started: float, settings: CallSettings
    ) -> Arrival:
        return Arrival(
            id=request.own_id,
            request_id=request.request_id,
            trace_id=request.trace.trace_id,
            credential=admitted.label,
            at=self._clock(),
            arrived=arrived,
            until=started + settings.deadline,
            settings=settings,
        )

    async def _receive_body(self, scope: Scope, receive: Receive, until: float) -> bytes:
        """Receive the body within limits of size and time; one that is here already needs no timer."""
        _refuse_announced_size(scope["headers"], self._max_body_bytes)
        try:
            async with asyncio.timeout_at(until):
                return await _read_body(receive, self._max_body_bytes)
        except TimeoutError as error:
            raise BodyTooSlowError("The body did not arrive within the deadline of the call.") from error

    async def _turn_away(self, refused: Refused, scope: Scope, receive: Receive, send: Send, *, counted: bool) -> None:
        if counted:
            self._metrics.count_refusal(refused.code)
        title = "Unauthorized" if refused.headers else "Forbidden"
        response = make_problem_response(
            scope, status=refused.status, code=refused.code, title=title, detail=refused.detail, headers=refused.headers
        )
        await response(scope, receive, send)

    async def _refuse(self, error: AppError, scope: Scope, receive: Receive, send: Send, *, counted: bool) -> None:
        if counted:
            self._metrics.count_refusal(error.code)
        response = make_problem_response(
            scope,
            status=error.status,
            code=error.code,
            title=error.title,
            detail=error.detail,
            findings=error.findings,
            # What is left of an unread body must not be taken for the next request.
            headers=(("Connection", "close"),) if not isinstance(error, InvalidInputError) else (),
        )
        await response(scope, receive, send)

    def _count(self, answered: Answered, seconds: float, deadline: float) -> None:
        caller = answered.result.caller
        self._metrics.record_decision(
            outcome=answered.decision.outcome, caller_status=caller.status, cause=caller.cause, seconds=seconds
        )
        if seconds > deadline:
            self._metrics.count_deadline_miss()
        if not answered.recorded:
            self._metrics.count_journal_failure()


async def _send(send: Send, request: RequestInfo, status: int, body: bytes | None) -> None:
    head = [_NOT_STORED, *request.headers]
    if body is not None:
        head += (_JSON, (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body or b""})


async def _read_body(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise SenderGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            _refuse_size(most)
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _refuse_announced_size(headers: Headers, most: int) -> None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and (len(value) > _MAX_DIGITS or int(value) > most):
            _refuse_size(most)


def _refuse_size(most: int) -> NoReturn:
    raise BodyTooLargeError(f"The body has more than {most} bytes; a call needs a few hundred.")


def _read_json(body: bytes) -> dict[str, object]:
    try:
        payload: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        payload = _read_odd_json(body)
    if not isinstance(payload, dict):
        raise InvalidInputError("The body is not a JSON object; send one with the keys anum and bnum.")
    if "anum" not in payload:
        raise InvalidInputError("The key anum is missing; send the caller's number, or null when it is withheld.")
    return payload


def _read_odd_json(body: bytes) -> object:
    """Read what the fast reader refuses though it is JSON (RFC 8259); raises InvalidInputError for what is none.

    A value that nobody looks at must not cost the call its answer: half an emoji, a number of a hundred digits, the
    mark of the encoding that some libraries put first. Numbers are read as texts here.
    """
    try:
        text = json.dumps(json.loads(body, parse_int=str, parse_float=str), ensure_ascii=False)
        return orjson.loads(text.encode(errors="replace"))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError("The body is not JSON; send an object with the keys anum and bnum.") from error
