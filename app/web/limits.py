"""What keeps other requests from costing a call its answer.

Bodies are of a limited size, requests begin one by one, and large work waits its turn.
"""

import asyncio
import gc
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ParamSpec, TypedDict, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Depends, HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app.auth.access import identify
from app.errors import BodyTooLargeError, TooManyRequestsError
from app.web.problems import describe_problem, make_error_response
from app.web.state import read_state

__all__ = ["Admission", "BodyLimit", "HeavyRoute", "HeavyWork", "HeavyWorkDep", "LimitsState", "StreamDep"]

P = ParamSpec("P")
T = TypeVar("T")

_BUSY = 429
_MAX_RUNNING = 3
"""Requests in progress of all roles; each may hold a ruleset of the largest size, read and compiled (some 60 MB)."""
_MAX_RUNNING_OF_ROLE = 2
_MAX_WAITING_OF_ROLE = 16
_WAIT_SECONDS = 20.0
_MAX_STREAMS = 20
"""Open at once, of all roles; each reads the database several times a second."""
_MAX_STREAMS_OF_ROLE = 8
_COLLECTOR = (3_000, 4, 1_000_000)
"""How often the collector of reference cycles looks at objects, young, older and all.

Looking at all of them while large rulesets are in memory stops every thread for hundreds of milliseconds; looking at
the young ones takes two.
"""


class BodyLimit:
    """Pure ASGI middleware that refuses large bodies below a path, whether their size is announced or not."""

    def __init__(
        self, app: ASGIApp, *, prefix: str, most: int, larger: Mapping[tuple[str, str], int] | None = None
    ) -> None:
        """Wrap `app`; bodies below the path `prefix` may have `most` bytes, and methods and paths of `larger` more."""
        self._app = app
        self._prefix = prefix
        self._most = most
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; other paths pass through."""
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return
        most = next((size for way, size in self._larger.items() if _goes(scope, *way)), self._most)
        refusal = BodyTooLargeError(f"The body has more than {most:,} bytes.")
        if _read_size(scope) > most:
            # What is left of an unread body must not be taken for the next request.
            await make_error_response(scope, refusal, headers=(("Connection", "close"),))(scope, receive, send)
            return
        size = 0

        async def count() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                # The framework lets nothing else through while it reads a body.
                raise HTTPException(refusal.status) from refusal
            return message

        await self._app(scope, count, send)


def _goes(scope: Scope, method: str, path: str) -> bool:
    return bool(scope["method"] == method and scope["path"].startswith(path))


def _read_size(scope: Scope) -> int:
    sizes = [int(value) for name, value in scope["headers"] if name == b"content-length" and value.isdigit()]
    return max(sizes, default=0)


class Admission:
    """Admits one request for each turn of the event loop.

    The loop does everything that is ready before it looks at what has arrived. Forty requests that come together would
    be parsed, authorised and answered in one turn, and a call would wait for all of them; here it waits for one.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turn_is_taken = False

    async def enter(self) -> None:
        """Return when a request may begin: at once when there is no crowd."""
        loop = asyncio.get_running_loop()
        if not self._turn_is_taken:
            self._turn_is_taken = True
            loop.call_soon(self._admit_next, loop)
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _admit_next(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                loop.call_soon(self._admit_next, loop)
                return
        self._turn_is_taken = False


@dataclass(slots=True)
class _Share:
    running: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MAX_RUNNING_OF_ROLE))
    waiting: int = 0


class HeavyWork:
    """Lets few requests work at once and makes a few more wait; computes for one at a time, in a thread."""

    def __init__(self) -> None:
        self._shares: defaultdict[str, _Share] = defaultdict(_Share)
        self._running = asyncio.Semaphore(_MAX_RUNNING)
        self._thread = CapacityLimiter(1)
        self._streams: Counter[str] = Counter()
        self._held = 0
        self._usual_collector = gc.get_threshold()

    @asynccontextmanager
    async def admit(self, role: str) -> AsyncIterator[None]:
        """Wait until it is the turn of a request of this role.

        Raises TooManyRequestsError when too many of the role wait already, or it has waited for 20 seconds.
        """
        share = self._shares[role]
        if share.waiting >= _MAX_WAITING_OF_ROLE:
            raise TooManyRequestsError("too many such requests are waiting already; try again in a moment")
        async with AsyncExitStack() as stack:
            share.waiting += 1
            try:
                async with asyncio.timeout(_WAIT_SECONDS):
                    await stack.enter_async_context(share.running)
                    await stack.enter_async_context(self._running)
            except TimeoutError:
                raise TooManyRequestsError("the requests before this one take long; try again in a moment") from None
            finally:
                share.waiting -= 1
            with self.hold():
                yield

    @contextmanager
    def keep_open(self, role: str) -> Iterator[None]:
        """Count a stream of events while it is open; raises TooManyRequestsError when there are enough of them."""
        if self._streams.total() >= _MAX_STREAMS or self._streams[role] >= _MAX_STREAMS_OF_ROLE:
            raise TooManyRequestsError("enough streams are open already; close one, or ask for the state instead")
        self._streams[role] += 1
        try:
            yield
        finally:
            self._streams[role] -= 1

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute something in a thread, after everything that asked before."""
        return await anyio.to_thread.run_sync(partial(function, *args, **kwargs), limiter=self._thread)

    async def run_for_calls(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Compute in a thread what calls need, such as the live ruleset: at once, whatever else waits."""
        with self.hold():
            return await anyio.to_thread.run_sync(partial(function, *args, **kwargs))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep the collector from looking at all objects while large ones are in memory."""
        if not self._held:
            self._usual_collector = gc.get_threshold()
            gc.set_threshold(*_COLLECTOR)
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if not self._held:
                gc.set_threshold(*self._usual_collector)


class LimitsState(TypedDict):
    """What this module reads from the lifespan state."""

    heavy_work: HeavyWork


async def _read_heavy_work(request: Request) -> HeavyWork:
    return read_state(request.scope, LimitsState)["heavy_work"]


HeavyWorkDep = Annotated[HeavyWork, Depends(_read_heavy_work)]


async def _keep_stream_open(request: Request, heavy_work: HeavyWorkDep) -> AsyncIterator[None]:
    with heavy_work.keep_open((await identify(request)).role):
        yield


StreamDep = Annotated[None, Depends(_keep_stream_open)]
"""For a route that answers with a stream of events: one of a few that may be open."""


class HeavyRoute(APIRoute):
    """A route that waits for its turn before its body is read: `APIRouter(route_class=HeavyRoute)`."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, responses: dict[int | str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(path, endpoint, responses={**(responses or {}), _BUSY: describe_problem(_BUSY)}, **options)

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_turn(request: Request) -> Response:
            principal = await identify(request)
            async with (await _read_heavy_work(request)).admit(principal.role):
                return await handle(request)

        return handle_in_turn
