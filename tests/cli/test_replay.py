"""`smartrouting rules replay`: a ruleset file against the calls in the store."""

import asyncio
import json
from pathlib import Path

from app.calls.store import DecisionStore
from app.store.database import open_database
from app.store.settings_documents import DocumentChange, SettingsDocumentStore
from app.store.upgrade import upgrade
from tests.support.console import Console
from tests.support.records import NOON, make_record

RULES = {
    "rules": [{"id": "all", "when": {"fact": "caller.vip", "op": "is", "value": True}, "then": {"disconnect": True}}]
}


def test_replay_says_what_changes(console: Console, tmp_path: Path) -> None:
    """The summary of the replayed calls is printed; the options narrow which calls these are."""
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(RULES), encoding="utf-8")
    url = f"sqlite:///{tmp_path}/smartrouting.db"
    asyncio.run(_fill(url))

    assert _run(console, url, file) == "3 calls, 3 change: 3 SALES_QUEUE -> disconnected\n"
    assert _run(console, url, file, "--queue", "queue-2") == "1 call, 1 change: 1 SALES_QUEUE -> disconnected\n"


def test_replay_spells_as_the_service_does(console: Console, tmp_path: Path) -> None:
    """A place that only the saved settings can spell is one that calls would go to."""
    file = tmp_path / "rules.json"
    rules = [{"id": "all", "when": {"fact": "caller.vip", "op": "is", "value": True}, "then": {"redirect": "odd"}}]
    destinations = {"odd": {"kind": "user", "id": "DISCONNECT:", "label": "Odd"}}
    file.write_text(json.dumps({"destinations": destinations, "rules": rules}), encoding="utf-8")
    url = f"sqlite:///{tmp_path}/smartrouting.db"
    asyncio.run(_fill(url))
    before = _run(console, url, file)
    asyncio.run(_save_settings(url, {"targets": {"user": "sip:{id}"}}))
    after = _run(console, url, file)

    assert (before, after) == ("3 calls, none changes\n", "3 calls, 3 change: 3 SALES_QUEUE -> Odd\n")


def _run(console: Console, url: str, file: Path, *options: str) -> str:
    settings = {"SMARTROUTING_DEMO": "1", "SMARTROUTING_STORE__URL": url}
    ended = console.run(file.parent, "rules", "replay", str(file), *options, **settings)
    assert ended.status == 0, ended.err
    return ended.out


async def _fill(url: str) -> None:
    database = open_database(url)
    await upgrade(database)
    decision = {"outcome": "no_change", "no_change": True}
    queues = ("queue-1", "queue-1", "queue-2")
    records = [make_record(NOON, queue_id=queue, decision=decision, outcome="no_change") for queue in queues]
    await DecisionStore(database=database).add(records)
    await database.close()


async def _save_settings(url: str, document: dict[str, object]) -> None:
    database = open_database(url)
    change = DocumentChange(name="settings/smart-routing", document=document, expected=0)
    await SettingsDocumentStore(database=database).put([change], author="anna", now=NOON)
    await database.close()
