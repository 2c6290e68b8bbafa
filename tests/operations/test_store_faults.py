"""A database that goes away, fills up or is locked, as operators of a running service see it."""

import asyncio
import json
import resource
import shutil
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from app.store.database import open_database
from app.store.errors import StoreUnwritableError
from app.store.upgrade import StoreHealth, upgrade
from tests.support.console import Console
from tests.support.postgres import new_postgres_database
from tests.support.service import ADMIN_KEY, VIP_ANSWER, VIP_RULES, Service, open_service

T = TypeVar("T")
ANNA = "+358501234567"
FILE = "smartrouting.db"
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}


async def wait_long_for(read: Callable[[], Awaitable[T | None]]) -> T:
    """Ask again and again until there is an answer, on a busy machine too."""
    async with asyncio.timeout(60):
        while (found := await read()) is None:  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.05)
        return found


async def read_store(client: httpx.AsyncClient) -> str:
    """Return what the health page says about the store."""
    found = (await client.get("/health/dependencies", headers=ADMIN)).json()["dependencies"]
    [store] = [dependency for dependency in found if dependency["name"] == "store"]
    return f"{store['state']} {store['detail']}".strip()


async def read_signs(client: httpx.AsyncClient) -> tuple[str, str, list[str]]:
    """Return what health, metrics and the list of alerts say about the store."""
    lines = (await client.get("/metrics")).text.splitlines()
    [writable] = [line.split()[-1] for line in lines if line.startswith("smartrouting_store_writable ")]
    answer = await client.get("/admin/alerts", params={"open": True}, headers=ADMIN)
    return await read_store(client), writable, [alert["kind"] for alert in answer.json()["items"]]


async def wait_for_signs(client: httpx.AsyncClient, kind: str) -> tuple[str, str, list[str]]:
    """Return the signs once an alert of this kind is open."""

    async def read() -> bool | None:
        return kind in (await read_signs(client))[2] or None

    await wait_long_for(read)
    return await read_signs(client)


async def wait_for_health(client: httpx.AsyncClient) -> None:
    """Return as soon as the store is all right."""

    async def read() -> bool | None:
        return await read_store(client) == "ok" or None

    await wait_long_for(read)


async def test_locked_database_is_told(tmp_path: Path) -> None:
    """What somebody else has locked cannot be written, whether or not it can be read; calls notice nothing."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None, timeout=60)) as locker:
            locker.execute("BEGIN IMMEDIATE")
            signs = await wait_for_signs(service.client, "store_away")
            answer = await service.call(ANNA)
        await wait_for_health(service.client)
        decisions = await wait_long_for_decisions(service, 1)

    assert signs[0].startswith("down ")
    assert signs[1:] == ("0.0", ["store_away"])
    assert (answer.json(), len(decisions)) == (VIP_ANSWER, 1)


async def test_full_disk_is_told(console: Console, tmp_path: Path) -> None:
    """A process whose database can take nothing more says so within seconds."""
    keys = json.dumps({"anna": {"key": ADMIN_KEY, "role": "Voice Admin User"}})
    with console.serve_demo(tmp_path, SMARTROUTING_ADMIN__API_KEYS=keys) as (url, process):
        async with httpx.AsyncClient(base_url=url) as client:
            await wait_for_health(client)
            unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
            signs = await wait_for_signs(client, "store_unwritable")
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
            await wait_for_health(client)

    assert signs[0].startswith("down SQLite: SQLITE_")
    assert signs[1:] == ("0.0", ["store_unwritable"])


async def test_database_that_only_reads_is_told(postgres_database: str) -> None:
    """PostgreSQL that became read-only, as a standby is, answers questions and still cannot be written."""
    database = open_database(postgres_database)
    await upgrade(database)
    health = StoreHealth(database=database)
    before = await health.check()
    name = make_url(postgres_database).database
    async with database.write() as connection:
        await connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    await database.engine.dispose()

    after = await health.check()
    await database.close()

    assert (before, after, type(health.error)) == (True, False, StoreUnwritableError)


async def test_database_file_that_is_removed_costs_no_decision(tmp_path: Path) -> None:
    """It is told, what is decided meanwhile waits in the journal, and all is well when the file is put back."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        await service.call(ANNA)
        await service.list_decisions(1)
        for end in ("", "-wal", "-shm"):
            if (tmp_path / f"{FILE}{end}").exists():
                (tmp_path / f"{FILE}{end}").rename(tmp_path / f"kept.db{end}")
        answers = [(await service.call(ANNA)).json() for _ in range(5)]

        async def read_down() -> str | None:
            state = await read_store(service.client)
            return state if "gone" in state else None

        state = await wait_long_for(read_down)
        for end in ("-wal", "-shm", ""):
            if (tmp_path / f"kept.db{end}").exists():
                (tmp_path / f"kept.db{end}").rename(tmp_path / f"{FILE}{end}")
        await wait_for_health(service.client)
        decisions = await wait_long_for_decisions(service, 6)

    assert state == (
        f"down the database file {tmp_path / FILE} is gone: put it back, or restart the service to begin without it"
    )
    assert (answers, len(decisions)) == ([VIP_ANSWER] * 5, 6)


async def test_journal_folder_that_is_removed_costs_no_decision(tmp_path: Path) -> None:
    """What was in it and what comes later reaches the database."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None, timeout=60)) as locker:
            locker.execute("BEGIN IMMEDIATE")
            await service.call(ANNA)
            shutil.rmtree(tmp_path / "journal")
            answers = [(await service.call(ANNA)).json() for _ in range(5)]
        decisions = await wait_long_for_decisions(service, 6)

    assert (answers, len(decisions)) == ([VIP_ANSWER] * 5, 6)


async def wait_long_for_decisions(service: Service, count: int) -> list[Any]:
    """Return the decisions as soon as there are so many."""

    async def read() -> list[Any] | None:
        items: list[Any] = (await service.ask("/admin/decisions", limit=50)).json()["items"]
        return items if len(items) >= count else None

    return await wait_long_for(read)


@pytest.fixture
def postgres_database(postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database of its own."""
    with new_postgres_database(postgres_server) as url:
        yield url


class Door:
    """A port of loopback that leads to a server once it is opened."""

    def __init__(self, url: str) -> None:
        self._real = make_url(url)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = self._real.set(port=self._socket.getsockname()[1]).render_as_string(hide_password=False)
        self._socket.close()
        self._leading: list[asyncio.Task[None] | None] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Let everybody through."""
        server = await asyncio.start_server(self._lead, "127.0.0.1", make_url(self.url).port)
        try:
            yield
        finally:
            server.close()
            leading = [task for task in self._leading if task is not None]
            for task in leading:
                task.cancel()
            await asyncio.gather(*leading, return_exceptions=True)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._leading.append(asyncio.current_task())
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(self._real.host, self._real.port)
            await asyncio.gather(_pump(reader, upstream_writer), _pump(upstream_reader, writer))
        finally:
            await _close(writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def unlocked_later(file: Path) -> AsyncIterator[Callable[[], object]]:
    """Lock a SQLite file, and give what unlocks it."""
    with closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as locker:
        locker.execute("BEGIN EXCLUSIVE")
        yield lambda: locker.execute("ROLLBACK")


async def expect_answers_from_disk(service: Service) -> None:
    """Calls are answered by the revision that was live before, administrators are told what is missing."""
    assert (await service.call(ANNA)).json() == VIP_ANSWER
    assert (await service.client.get("/health/ready")).status_code == 200
    assert (await read_store(service.client)).startswith("down ")
    assert (await service.ask("/admin/decisions")).status_code == 503


async def expect_caught_up(service: Service) -> None:
    """What was decided meanwhile arrives, and administrators can work."""
    await wait_for_health(service.client)
    [decision] = await wait_long_for_decisions(service, 1)
    assert (decision["revision"], decision["rule"]) == (1, "vip")
    assert (await service.ask("/admin/alerts")).status_code == 200


async def test_start_with_a_locked_database_answers_calls(tmp_path: Path) -> None:
    """The service starts all the same, by the revision on disk, and catches up."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        await wait_for_revision_file(tmp_path)
    async with unlocked_later(tmp_path / FILE) as unlock, open_service(tmp_path) as service:
        await expect_answers_from_disk(service)
        unlock()
        await expect_caught_up(service)


async def test_start_with_a_locked_database_uses_the_saved_settings(tmp_path: Path) -> None:
    """Calls are answered by what administrators saved before, which lies beside the journal."""
    file = tmp_path / "journal" / "live-settings.json"
    async with open_service(tmp_path) as service:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}", "If-Match": '"0"'}
        await service.client.patch("/admin/settings/smart-routing", json={"no_change_status": 404}, headers=headers)

        async def read() -> bool | None:
            return file.exists() or None

        await wait_long_for(read)
    async with unlocked_later(tmp_path / FILE) as unlock, open_service(tmp_path) as service:
        assert (await service.call(ANNA)).status_code == 404
        unlock()
        await wait_for_health(service.client)


async def test_start_before_postgres_answers_calls(tmp_path: Path, postgres_database: str) -> None:
    """After a reboot in the wrong order the service starts all the same, and catches up when the database comes."""
    door = Door(postgres_database)
    async with open_service(tmp_path, rules=VIP_RULES, store={"url": postgres_database}):
        await wait_for_revision_file(tmp_path)
    async with open_service(tmp_path, store={"url": door.url}) as service:
        await expect_answers_from_disk(service)
        async with door.opened():
            await expect_caught_up(service)


async def test_first_start_of_all_without_database_publishes_later(tmp_path: Path, postgres_database: str) -> None:
    """Tables are made and the ruleset file is published as soon as the database comes."""
    door = Door(postgres_database)
    async with open_service(tmp_path, rules=VIP_RULES, store={"url": door.url}) as service:
        assert (await service.call(ANNA)).status_code == 204
        async with door.opened():
            await wait_for_health(service.client)

            async def call() -> dict[str, Any] | None:
                answer = await service.call(ANNA)
                return answer.json() if answer.status_code == 200 else None

            assert await wait_long_for(call) == VIP_ANSWER


@pytest.mark.parametrize("content", [b"", b"{}", b'{"number": 1, "document": {"rules": 7}}'], ids=repr)
async def test_start_without_database_and_a_broken_revision_file_changes_nothing(
    tmp_path: Path, content: bytes
) -> None:
    """Calls are answered with no change, as before the first publishing."""
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "live-revision.json").write_bytes(content)
    async with unlocked_later(tmp_path / FILE) as unlock, open_service(tmp_path) as service:
        assert (await service.call(ANNA)).status_code == 204
        unlock()
        await wait_for_health(service.client)


async def wait_for_revision_file(folder: Path) -> None:
    """Return as soon as the live revision is on disk."""

    async def read() -> bool | None:
        return (folder / "journal" / "live-revision.json").exists() or None

    await wait_long_for(read)
