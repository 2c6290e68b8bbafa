"""Answers that leave late, counted from the arrival of the request, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import uvicorn

from app.server.connections import BoundedHttpProtocol
from tests.support.service import VIP_RULES, WEBHOOK_KEY, Service, open_service

BODY = b'{"anum": "anonymous"}'
REQUEST = b"POST /smartrouting HTTP/1.1\r\nHost: x\r\nX-Benemen-APIKey: %b\r\nContent-Length: %d\r\n\r\n%b" % (
    WEBHOOK_KEY.encode(),
    len(BODY),
    BODY,
)


@asynccontextmanager
async def serve(service: Service) -> AsyncIterator[int]:
    """Serve a running service on a free port, in this event loop."""
    config = uvicorn.Config(service.app, port=0, http=BoundedHttpProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - has no event
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving


def keep_the_loop_busy(seconds: float) -> None:
    """Do what no route may do."""
    ends = monotonic() + seconds
    while monotonic() < ends:
        pass


async def read_misses(service: Service) -> float:
    """Return how many answers left late."""
    return float((await service.read_metrics()).partition("\nsmartrouting_deadline_misses_total ")[2].split("\n")[0])


async def test_time_in_a_busy_event_loop_counts(tmp_path: Path) -> None:
    """A call that waits while the event loop is busy with something else has a late answer, however fast it is then."""
    loop = asyncio.get_running_loop()
    async with open_service(tmp_path, rules=VIP_RULES, webhook={"deadline_ms": 500}) as service, serve(service) as port:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setblocking(False)
            await loop.sock_sendall(connection, REQUEST)
            await loop.sock_recv(connection, 4096)
            before = await read_misses(service)
            connection.send(REQUEST)
            keep_the_loop_busy(0.8)
            answer = await loop.sock_recv(connection, 4096)
        explained = await service.explain_last(calls=2)
        after = await read_misses(service)

    assert answer.startswith(b"HTTP/1.1 204")
    assert (after - before, explained["waterfall"]["receive"] > 500) == (1.0, True)
