"""Runs the service under uvicorn: binds the port first, so that a busy one is a sentence and not a traceback."""

import asyncio
import errno
import gc
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app.errors import AppError
from app.server.connections import BoundedHttpProtocol

__all__ = ["PortBusyError", "bind", "run"]

_GRACE_SECONDS = 20
_MAX_FILES = 65_536
_TURN_SECONDS = 0.0005
"""How long a thread may keep another one from running."""
_NEW_OBJECTS = 10_000
"""More objects than before, after which the collector of reference cycles looks through the new ones."""
_KEEP_ALIVE_SECONDS = 65
"""Longer than the idle time-out of common load balancers, so that they and not we close a connection first."""


class PortBusyError(AppError):
    """The address cannot be listened on."""

    code = "port-busy"
    title = "Address not available"


def bind(host: str, port: int) -> socket.socket:
    """Listen on the address; raises PortBusyError with one line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortBusyError(f"cannot listen on {host}:{port}: {_explain(error)}") from error
    return listener


def _explain(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address; choose another with SMARTROUTING_HOST or --host"
    if error.errno == errno.EACCES:
        return "this port needs more rights; choose one above 1023 with SMARTROUTING_PORT or --port"
    return f"{error.strerror}; choose another with SMARTROUTING_PORT or --port"


def run(
    app: ASGIApp,
    listener: socket.socket,
    *,
    on_start: Callable[[], None],
    on_leave: Callable[[], None] = lambda: None,
    drain_seconds: float = 0.0,
    certificate: tuple[Path, Path] | None = None,
    dated: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is under way; returns only after a clean stop.

    At a signal `on_leave` is called. After SIGTERM calls are still taken for `drain_seconds`, until whoever sends them
    has noticed. A second signal, or SIGINT, ends that at once. `certificate` is a certificate and its key, to speak
    https; `dated` answers carry the header `Date`. Raises the AppError that kept the service from starting.
    """
    _raise_file_limit()
    opened = _OpeningWatch(app)
    config = uvicorn.Config(
        opened,
        http=BoundedHttpProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        # `app.auth.networks` judges X-Forwarded-For, against the proxies that the settings trust.
        proxy_headers=False,
        server_header=False,
        date_header=dated,
        lifespan="on",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=certificate[0] if certificate else None,
        ssl_keyfile=certificate[1] if certificate else None,
    )
    # uvicorn raises the signal again once it has stopped; a clean stop is success, not death by signal.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        _Server(config, on_start, on_leave, drain_seconds).run(sockets=[listener])
    except SystemExit:
        if opened.refusal is None:
            raise
        raise opened.refusal from None


def _raise_file_limit() -> None:
    """Allow as many connections as the system lets us ask for; the usual 1,024 would be the first limit met."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _favour_calls() -> None:
    """Keep what is not for calls from holding them up for milliseconds at a time.

    The collector of reference cycles looks less often, for calls leave few behind, and never again at what was built
    to start with. Threads that write to the database give way sooner to the event loop.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
    sys.setswitchinterval(_TURN_SECONDS)


class _Server(uvicorn.Server):
    """Tells when it is ready, so that the demo can print what to try, and when it is to end, before it does."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_start: Callable[[], None],
        on_leave: Callable[[], None],
        drain_seconds: float,
    ) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._on_leave = on_leave
        self._drain_seconds = drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = False

    @override
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._on_leave()
        if sig != signal.SIGTERM or self._leaving or self._loop is None or not self._drain_seconds:
            super().handle_exit(sig, frame)
            return
        self._leaving = True
        # A signal handler runs between any two instructions: the loop is told as another thread would tell it.
        self._loop.call_soon_threadsafe(self._loop.call_later, self._drain_seconds, super().handle_exit, sig, frame)

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        if self.started:
            _favour_calls()
            self._on_start()


class _OpeningWatch:
    """Keeps the error that kept the application from opening, instead of having its traceback printed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.refusal: AppError | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return

        held: list[Message] = []

        async def hold_failure(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                held.append(message)
            else:
                await send(message)

        try:
            await self._app(scope, receive, hold_failure)
        except AppError as error:
            self.refusal = error
            await send({"type": "lifespan.startup.failed", "message": ""})
        except BaseException:
            for message in held:
                await send(message)
            raise
