"""What administrators and programs can ask for is bounded, and never stands before a call."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import httpx

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, create_dataverse_emulator
from app.rulesets.store import DraftStore
from app.store.database import open_database
from tests.support.rulesets import Administrator, make_rule
from tests.support.service import PROGRAM_KEY, VIP_RULES, Service, open_service, wait_for

_COLUMNS = {"rules": [make_rule("city", {"fact": "caller.columns.address1_city", "op": "exists"}, no_change=True)]}
_RUNNING, _WAITING = 2, 16


async def test_checks_beyond_those_that_may_wait_are_told_to_come_back(tmp_path: Path) -> None:
    """Of many checks that a program asks for at once two run and sixteen wait; an administrator and calls go on."""
    asked, answered = asyncio.Event(), asyncio.Event()
    crm = httpx.ASGITransport(create_dataverse_emulator(static_tokens={"token-of-the-emulator": CLIENT_ID}))

    async def hold_metadata(request: httpx.Request) -> httpx.Response:
        if "EntityDefinitions" in request.url.path:
            asked.set()
            await answered.wait()
        return await crm.handle_async_request(request)

    async with open_service(tmp_path, upstreams=Upstreams(dataverse=httpx.MockTransport(hold_metadata))) as service:
        admin, program = Administrator(service), Administrator(service, PROGRAM_KEY)
        draft = await admin.draft(_COLUMNS)
        checks = [asyncio.create_task(program.send("POST", f"{draft.path}/validate")) for _ in range(30)]
        await asked.wait()

        async def list_refused() -> list[httpx.Response] | None:
            ended = [check.result() for check in checks if check.done()]
            return ended if len(ended) >= len(checks) - _RUNNING - _WAITING else None

        refused = await wait_for(list_refused)
        call, edited = await service.call(None), await admin.change("POST", draft, "/rules", make_rule("x"))
        answered.set()
        answers = await asyncio.gather(*checks)

        assert [answer.status_code for answer in refused] == [429] * 12
        assert refused[0].json()["type"] == "urn:smartrouting:problem:too-many-requests"
        assert refused[0].headers["Retry-After"] == "2"
        assert (call.status_code, edited.id) == (204, draft.id)
        assert sorted(answer.status_code for answer in answers) == [200] * 18 + [429] * 12


async def test_number_of_drafts_is_limited(tmp_path: Path) -> None:
    """There may be a hundred drafts; another one is refused until one is thrown away, and the list stays short."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        kept = await _fill_drafts(service, 99, {"rules": []})
        last = await admin.draft(source="1")

        refused = await admin.send("POST", "/admin/rulesets/drafts", {"name": "one more", "source": "1"})
        listed = (await admin.read("/admin/rulesets/drafts"))["items"]
        thrown = await admin.send("DELETE", last.path, etag=last.etag)

        assert (refused.status_code, len(listed), thrown.status_code) == (409, 100, 204)
        assert refused.json()["detail"] == "There are 100 drafts already; publish one, or throw one away."
        assert (await admin.draft(source="1")).id not in kept


async def test_size_of_all_drafts_is_limited(tmp_path: Path) -> None:
    """All drafts together may have so many characters, however they grow."""
    large = {"tests": [_make_test(number) for number in range(104)]}
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.draft(source="1")
        await _fill_drafts(service, 20, large)

        created = await admin.send("POST", "/admin/rulesets/drafts", {"name": "one more", "document": large})
        changed = await admin.send("PUT", draft.path, large, etag=draft.etag)

        assert (created.status_code, changed.status_code) == (409, 409)
        assert (await admin.send("GET", draft.path)).headers["ETag"] == draft.etag


async def test_size_of_a_draft_is_limited(tmp_path: Path) -> None:
    """A draft cannot grow beyond what can be read in a second, part by part neither."""
    tests = [_make_test(number) for number in range(104)]
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.draft({"tests": tests})

        grown = await admin.send("PUT", f"{draft.path}/tests/more", _make_test(104), etag=draft.etag)
        body = await admin.send("PUT", draft.path, {"tests": [*tests, _make_test(104)]}, etag=draft.etag)

        [finding] = grown.json()["errors"]
        assert (grown.status_code, finding["code"], finding["pointer"]) == (422, "too-large", "")
        assert body.status_code == 413
        assert (await admin.send("GET", draft.path)).headers["ETag"] == draft.etag


async def test_so_many_findings_are_told(tmp_path: Path) -> None:
    """A file with thousands of mistakes is refused with the first two hundred, and their number."""
    rules = [{"id": f"r{number}", "whenn": {}, "then": {"redirct": "x"}} for number in range(3000)]
    async with open_service(tmp_path) as service:
        admin = Administrator(service)
        draft = await admin.draft()

        answer = await admin.send("PUT", draft.path, {"rules": rules}, etag=draft.etag)

        assert (answer.status_code, len(answer.json()["errors"])) == (422, 200)
        assert answer.json()["detail"].startswith("The document has ")


async def _fill_drafts(service: Service, count: int, document: dict[str, Any]) -> list[str]:
    database = open_database(service.settings.store.url)
    store = DraftStore(database=database)
    ids = [str(uuid.uuid4()) for _ in range(count)]
    for name in ids:
        await store.create(name, name=name, document=document, based_on=1, author="anna", now=1.0)
    await database.close()
    return ids


def _make_test(number: int) -> dict[str, Any]:
    return {"name": f"test {number}", "call": {"anum": "+358501234567", "note": "x" * 9_950}, "expect": {}}
