"""Backups and restores, done as the operators' document says."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.store.journal import Journal
from tests.support.postgres import find_postgres, new_postgres_database
from tests.support.records import make_record
from tests.support.rulesets import Administrator
from tests.support.service import VIP_RULES, open_service, wait_for

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Settings of the store: a file in its usual place, or a database of PostgreSQL."""
    if request.param == "sqlite":
        yield {}
        return
    server = find_postgres()
    if shutil.which("pg_dump") is None:
        pytest.skip("there is no pg_dump here")
    with new_postgres_database(server) as url:
        yield {"url": url}


async def follow_document(step: str, folder: Path, store: dict[str, str]) -> None:
    """Run the commands of a step in a shell, in the folder of the service."""
    name = f"{step} {'postgresql' if store else 'sqlite'}"
    [commands] = re.findall(rf"<!-- example: {name} -->\n```shell\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"PATH": path, "DATABASE": store.get("url", "")}
    arguments = ["/bin/sh", "-euc", commands]
    await asyncio.to_thread(subprocess.run, arguments, cwd=folder, env=environment, check=True)


async def test_restored_service_is_what_it_was(tmp_path: Path, store: dict[str, str]) -> None:
    """Rules and decisions are those of the backup, what waited in the journal is added, and work goes on."""
    data = tmp_path / "data"
    data.mkdir()
    async with open_service(data, rules=VIP_RULES, store=store) as service:
        await service.call("+358501234567")
        [kept] = await service.list_decisions(1)
        await follow_document("backup", tmp_path, store)
        draft = await Administrator(service).draft({"rules": []})
        assert (await Administrator(service).publish(draft, 1)).is_success
        await service.call("+358501234567")
        await service.list_decisions(2)
    await follow_document("restore", tmp_path, store)
    journal = Journal(folder=data / "journal", clock=lambda: 0.0)
    waiting = make_record(2e9)
    journal.append(waiting)
    journal.close()

    async with open_service(data, store=store) as service:
        answer = await service.call("+358501234567")

        async def read() -> list[dict[str, Any]] | None:
            items: list[dict[str, Any]] = (await service.ask("/admin/decisions")).json()["items"]
            return items if len(items) >= 3 else None

        decisions = await wait_for(read)

    assert answer.status_code == 200
    assert len(decisions) == 3
    assert {kept["id"], waiting.id} < {decision["id"] for decision in decisions}
    assert {decision["revision"] for decision in decisions if decision["id"] != waiting.id} == {1}
