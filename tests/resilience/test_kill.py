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
from tests.support.service import wait_for

KEYS = json.dumps({"bench": KEY})
ENOUGH = 40
"""Answers before the signal."""
END_SECONDS = 60
"""How long a process may take to end on a busy machine."""


@pytest.fixture
def service(console: Console, tmp_path: Path) -> Iterator[tuple[str, Running]]:
    """The service as its own process, with the embedded CRM."""
    with console.serve_demo(tmp_path, SMARTROUTING_WEBHOOK__API_KEYS=KEYS) as started:
        yield started


async def call_until_refused(url: str, index: int, answers: list[Answer]) -> None:
    """Call in a row until the connection ends; adds the answers to those of others."""
    async with Caller(url) as caller:
        while True:
            answer = await caller.call(f"+35840{index:07}", f"end-{uuid.uuid4()}")
            if not answer.status:
                return
            answers.append(answer)


async def stop_amid_calls(url: str, process: Running, number: signal.Signals) -> list[Answer]:
    """Send a signal while eight callers call, each after some answers; return every answer there was."""
    answers: list[Answer] = []
    rows = [asyncio.create_task(call_until_refused(url, index, answers)) for index in range(8)]

    async def read() -> bool | None:
        return len(answers) >= ENOUGH or None

    await wait_for(read)
    process.send_signal(number)
    await asyncio.gather(*rows)
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
    answered = await stop_amid_calls(url, process, signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, END_SECONDS) == 0
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
    answered = await stop_amid_calls(url, process, signal.SIGKILL)
    assert await asyncio.to_thread(process.wait, END_SECONDS) != 0
    with console.serve_demo(tmp_path, SMARTROUTING_WEBHOOK__API_KEYS=KEYS) as (_, successor):
        successor.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(successor.wait, END_SECONDS) == 0
    kept = read_request_ids(tmp_path)
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
    assert await asyncio.to_thread(process.wait, END_SECONDS) == 0
    for _, writer in connections:
        writer.close()
