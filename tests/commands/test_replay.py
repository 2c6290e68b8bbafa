"""`smartrouting rules replay`: a ruleset file against the calls in the store."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from app.store.database import open_database
from app.store.decisions import DecisionStore
from app.store.upgrade import upgrade
from tests.store.records import NOON, make_record

_COMMAND = "import typer; from app.commands.replay import replay; typer.run(replay)"
RULES = {
    "rules": [{"id": "all", "when": {"fact": "caller.vip", "op": "is", "value": True}, "then": {"disconnect": True}}]
}


def test_replay_says_what_changes(tmp_path: Path) -> None:
    """The summary of the replayed calls is printed; the options narrow which calls these are."""
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(RULES), encoding="utf-8")
    url = f"sqlite:///{tmp_path}/smartrouting.db"
    asyncio.run(_fill(url))

    assert _run(url, str(file)) == "3 calls, 3 change: 3 SALES_QUEUE -> disconnected\n"
    assert _run(url, str(file), "--queue", "queue-2") == "1 call, 1 change: 1 SALES_QUEUE -> disconnected\n"


def _run(url: str, *arguments: str) -> str:
    """Run the command in a process of its own, because it sets up the logging of its process for good."""
    environment = {**os.environ, "SMARTROUTING_DEMO": "1", "SMARTROUTING_STORE__URL": url}
    command = [sys.executable, "-c", _COMMAND, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout  # noqa: S603


async def _fill(url: str) -> None:
    database = open_database(url)
    await upgrade(database)
    decision = {"outcome": "no_change", "no_change": True}
    queues = ("queue-1", "queue-1", "queue-2")
    records = [make_record(NOON, queue_id=queue, decision=decision, outcome="no_change") for queue in queues]
    await DecisionStore(database=database).add(records)
    await database.close()
