"""The administrator's work on rulesets, from the front door to either database."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.routing.decisions import Outcome
from app.store.database import Database
from tests.support.records import make_record
from tests.support.rulesets import Administrator, Drafted, make_rule, record
from tests.support.service import VIP_ANSWER, VIP_RULES, open_service, wait_for

STAY = {"rules": [make_rule("stay", no_change=True)]}


@pytest.fixture
async def admin(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Administrator]:
    """An administrator of a service on either database, whose tables are empty but for the VIP rules."""
    del database
    store = {"url": database_url, "journal": tmp_path / "journal"}
    async with open_service(tmp_path, rules=VIP_RULES, store=store) as service:
        yield Administrator(service)


async def test_life_of_a_ruleset(admin: Administrator) -> None:
    """Draft, edit, publish and roll back: each is live for the next call, and a stale ETag changes nothing."""
    draft = await admin.draft(source="current")
    edited = await admin.change("POST", draft, "/rules", STAY["rules"][0], position=0)
    stale = await admin.send("DELETE", f"{draft.path}/rules/stay", etag=draft.etag)
    published = await admin.publish(edited, 1)
    quiet = await admin.service.call()
    back = await admin.send("POST", "/admin/rulesets/1/rollback", {"comment": "back", "expected_revision": 2})

    assert (stale.status_code, published.status_code, back.status_code) == (412, 200, 200)
    assert (quiet.status_code, (await admin.service.call()).json()) == (204, VIP_ANSWER)
    revisions = (await admin.read("/admin/rulesets/revisions"))["items"]
    assert [(item["revision"], item["rollback_of"]) for item in revisions] == [(3, 1), (2, None), (1, None)]
    assert (await admin.read("/admin/rulesets/current"))["document"] == VIP_RULES


async def test_drafts_published_at_once(admin: Administrator) -> None:
    """Of four drafts published at the same moment one wins, and each failure leaves no trace."""
    drafts = [await admin.draft(source="current", name=f"draft {number}") for number in range(4)]

    answers = await asyncio.gather(*(admin.publish(draft, 1) for draft in drafts))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len((await admin.read("/admin/rulesets/drafts"))["items"]) == 3
    assert [entry["target"] for entry in await _list_publishing(admin)] == ["ruleset/2", "ruleset/1"]


async def test_no_change_without_its_audit_entry(admin: Administrator, database: Database) -> None:
    """When the audit cannot be written nothing is changed, and when it can be again the same requests succeed."""
    draft = await admin.draft(source="current")
    body = {"comment": "because", "expected_revision": 1}
    limits = await admin.send("GET", "/admin/rulesets/publish-limits")
    shadow = await admin.send("GET", f"{draft.path}/shadow")
    requests: list[tuple[str, str, object, str | None]] = [
        ("POST", "/admin/rulesets/drafts", {"name": "another"}, None),
        ("POST", f"{draft.path}/rules", STAY["rules"][0], draft.etag),
        ("PUT", "/admin/rulesets/publish-limits", {"days": 3}, limits.headers["ETag"]),
        ("PUT", f"{draft.path}/shadow", {}, shadow.headers["ETag"]),
        ("POST", "/admin/rulesets/1/rollback", body, None),
        ("POST", f"{draft.path}/publish", body, draft.etag),
        ("DELETE", draft.path, None, draft.etag),
    ]
    before = await _look(admin, draft)

    async with _without_audit(database):
        with capture_logs() as logs:
            refused = [await _try(admin, *request) for request in requests]
        assert await _look(admin, draft) == before

    again = [await _try(admin, *request) for request in requests[:4]]
    assert (refused, again) == ([500] * 7, [201, 200, 200, 200])
    assert len([line for line in logs if line["event"] == "http.failed"]) == 7


async def test_no_audit_entry_without_its_change(admin: Administrator) -> None:
    """A change that the database refuses at the last moment leaves no entry in the audit."""
    drafts = [await admin.draft(source="current") for _ in range(2)]
    entries = (await admin.read("/admin/audit"))["items"]

    lost = await admin.publish(drafts[0], 7)
    edits = await asyncio.gather(
        *(admin.send("PUT", drafts[1].path, STAY, etag=drafts[1].etag, name=name) for name in "abcd")
    )

    assert lost.status_code == 409
    assert sorted(answer.status_code for answer in edits) == [200, 412, 412, 412]
    added = (await admin.read("/admin/audit"))["items"][: -len(entries)]
    kept = (await admin.read(drafts[1].path))["draft"]["name"]
    assert [(entry["what"], entry["after"]["name"]) for entry in added] == [("draft.changed", kept)]


async def test_replay(admin: Administrator) -> None:
    """A replay goes through the recorded calls and keeps which ones change."""
    stayed = {"decision": {"outcome": "no_change"}, "outcome": Outcome.NO_CHANGE, "rule": None}
    await record(admin.service, [make_record(at=time.time() - number, **stayed) for number in range(600)])
    draft = await admin.draft({"rules": [make_rule("end", disconnect=True)]})

    state = await admin.replay(draft.id)

    assert (state["state"], state["done"], state["result"]["changed"]) == ("done", 600, 600)


async def test_shadow(admin: Administrator) -> None:
    """The shadow counts and lists what the draft would have decided otherwise."""
    draft = await admin.draft(STAY)
    path = f"{draft.path}/shadow"
    await admin.send("PUT", path, {}, etag=(await admin.send("GET", path)).headers["ETag"])
    for _ in range(3):
        await admin.service.call()

    async def look() -> dict[str, Any] | None:
        state: dict[str, Any] = await admin.read(path)
        return state if state["calls"] >= 3 else None

    state = await wait_for(look)
    assert (state["calls"], state["diverged"], len(state["diffs"])) == (3, 3, 3)


@asynccontextmanager
async def _without_audit(database: Database) -> AsyncIterator[None]:
    """Take the table of the audit away."""
    await _execute(database, "ALTER TABLE audit RENAME TO audit_away")
    try:
        yield
    finally:
        await _execute(database, "ALTER TABLE audit_away RENAME TO audit")


async def _try(admin: Administrator, method: str, path: str, body: object, etag: str | None) -> int:
    return (await admin.send(method, path, body, etag=etag)).status_code


async def _execute(database: Database, statement: str) -> None:
    async with database.write() as connection:
        await connection.execute(text(statement))


async def _look(admin: Administrator, draft: Drafted) -> list[object]:
    """Return everything that the work changes."""
    paths = (draft.path, "/admin/rulesets/drafts", "/admin/rulesets/revisions", "/admin/rulesets/publish-limits")
    return [await admin.read(path) for path in (*paths, f"{draft.path}/shadow")]


async def _list_publishing(admin: Administrator) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await admin.read("/admin/audit", what="ruleset.published"))["items"]
    return found
