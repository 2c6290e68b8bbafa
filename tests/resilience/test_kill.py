"""Processes that are killed or asked to stop while calls arrive."""

import asyncio
import json
import signal
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.callers import Answer, Caller
from bench.load import KEY
from tests.support.console import Console, Running

KEYS = json.dumps({"bench": KEY})


@pytest.fixture
def service(console: Console, tmp_path: Path) -> Iterator[tuple[str, Running]]:
    """The service as its own process, with the embedded CRM."""
    with console.serve_demo(tmp_path, SMARTROUTING_WEBHOOK__API_KEYS=KEYS) as started:
        yield started


async def call_until_refused(url: str, index: int) -> list[Answer]:
    """Call in a row until the connection ends."""
    answers: list[Answer] = []
    async with Caller(url) as caller:
        while not answers or answers[-1].status:
            answers.append(await caller.call(f"+35840{index:07}", f"end-{uuid.uuid4()}"))
    return answers


def read_request_ids(folder: Path) -> list[str]:
    """Read which requests the decision log holds."""
    connection = sqlite3.connect(folder / "data" / "smartrouting.db")
    try:
        return [row[0] for row in connection.execute("SELECT request_id FROM decisions")]
    finally:
        connection.close()


async def test_termination_finishes_what_was_accepted(service: tuple[str, Running], tmp_path: Path) -> None:
    """After SIGTERM every answered call is in the database, the journal is empty, and the exit code is 0."""
    url, process = service
    rows = [asyncio.create_task(call_until_refused(url, index)) for index in range(8)]
    await asyncio.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    answered = [answer for row in await asyncio.gather(*rows) for answer in row if answer.status]
    assert await asyncio.to_thread(process.wait, 15) == 0
    kept = read_request_ids(tmp_path)
    assert {answer.status for answer in answered} <= {200, 204}
    assert {answer.request_id for answer in answered} - set(kept) == set()
    assert len(kept) == len(set(kept))
    assert list((tmp_path / "data" / "journal").glob("*.log")) == []


async def test_killed_service_keeps_what_it_answered(
    service: tuple[str, Running], console: Console, tmp_path: Path
) -> None:
    """After SIGKILL and a new start every answered call is in the database, once."""
    url, process = service
    rows = [asyncio.create_task(call_until_refused(url, index)) for index in range(8)]
    await asyncio.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    answered = [answer for row in await asyncio.gather(*rows) for answer in row if answer.status]
    assert await asyncio.to_thread(process.wait, 15) != 0
    with console.serve_demo(tmp_path, SMARTROUTING_WEBHOOK__API_KEYS=KEYS) as (_, successor):
        successor.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(successor.wait, 15) == 0
    kept = read_request_ids(tmp_path)
    assert answered
    assert {answer.request_id for answer in answered} - set(kept) == set()
    assert len(kept) == len(set(kept))


async def test_termination_does_not_wait_for_silent_connections(service: tuple[str, Running]) -> None:
    """Connections that say nothing, or half a request, do not keep the service from stopping."""
    url, process = service
    port = int(url.rpartition(":")[2])
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
    connections[0][1].write(b"POST /smartrouting HTTP/1.1\r\nHost: a\r\n")
    await connections[0][1].drain()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 15) == 0
    for _, writer in connections:
        writer.close()
