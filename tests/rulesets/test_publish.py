"""Publishing: checks, conflicts, rollback, and live everywhere."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import stamina
from sqlalchemy import update

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, create_dataverse_emulator
from app.emulators.enreach import create_enreach_emulator
from app.routing.decisions import DecisionRecord, Outcome
from app.store.database import open_database
from app.store.tables import revisions
from tests.support.records import make_id, make_record
from tests.support.rulesets import Administrator, make_rule, record
from tests.support.service import VIP_ANSWER, VIP_RULES, Service, open_service, wait_for

QUEUE = "1a89fc22-517a-e611-80c9-00505689257e"
STAY = {"rules": [make_rule("stay", no_change=True)]}


async def test_published_draft_decides_next_call(tmp_path: Path) -> None:
    """A publish is a new revision that the next call is decided by; the draft is gone and the audit knows."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        assert (await service.call()).json() == VIP_ANSWER
        draft = await admin.change("PUT", await admin.draft(), "", STAY)

        answer = await admin.publish(draft, 1)

        assert answer.status_code == 200
        assert answer.json()["revision"] == {
            "revision": 2,
            "comment": "because",
            "author": "anna",
            "at": answer.json()["revision"]["at"],
            "checksum": answer.json()["revision"]["checksum"],
            "rollback_of": None,
        }
        assert (await service.call()).status_code == 204
        assert [item["revision"] for item in await service.list_decisions(2)] == [2, 1]
        assert (await admin.send("GET", draft.path)).status_code == 404


async def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    """A dry run reports what every check says, good or bad, and leaves draft and revisions alone."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.change("PUT", await admin.draft(), "", STAY)

        good = (await admin.publish(draft, 1, dry_run=True)).json()
        moved = (await admin.publish(draft, None, dry_run=True)).json()

        assert good == {
            "published": False,
            "revision": None,
            "gates": {"publishable": True, "findings": [], "replay": None},
        }
        assert [finding["code"] for finding in moved["gates"]["findings"]] == ["another-revision"]
        assert not moved["gates"]["publishable"]
        assert (await admin.send("GET", draft.path)).headers["ETag"] == draft.etag
        assert len((await admin.read("/admin/rulesets/revisions"))["items"]) == 1


async def test_all_checks_report_at_once(tmp_path: Path) -> None:
    """One refusal lists lint, failing tests, missing wire keys, unknown columns and strangers in Enreach."""
    document = {
        "destinations": {
            "vip-queue": {"kind": "queue", "id": "no-such-queue"},
            "agent": {"kind": "user", "id": "no-such-user"},
            "known": {"kind": "queue", "id": QUEUE.upper()},
            "number": {"kind": "number", "id": "+358401234567"},
        },
        "rules": [
            make_rule("a", {"fact": "caller.columns.no_such_column", "op": "exists"}),
            make_rule("b", {"fact": "caller.vip", "op": "is", "value": "yes"}, redirect="known", priority=3),
            make_rule("c", {"fact": "time.open", "op": "is", "value": True}, redirect="agent"),
        ],
        "tests": [{"name": "wrong", "call": {"anum": "+358501234567"}, "expect": {"redirect": "number"}}],
    }
    async with open_with_enreach(tmp_path) as service:
        admin = Administrator(service)
        draft = await admin.draft(document)

        answer = await admin.publish(draft, None)

        assert (answer.status_code, answer.json()["type"]) == (422, "urn:smartrouting:problem:publish-refused")
        found = {(error["code"], error["pointer"]) for error in answer.json()["errors"] if error["severity"] == "error"}
        assert found == {
            ("unknown-column", "/rules/0/when/fact"),
            ("wrong-type", "/rules/1/when/value"),
            ("no-wire-key", "/rules/1/then/priority"),
            ("unknown-calendar", "/rules/2/when/fact"),
            ("failing-test", "/tests/0"),
            ("unknown-queue", "/destinations/vip-queue/id"),
            ("unknown-user", "/destinations/agent/id"),
        }
        assert (await admin.send("GET", "/admin/rulesets/current")).status_code == 404
        judged = await admin.send("POST", f"{draft.path}/validate")
        assert not judged.json()["publishable"]


@pytest.fixture
def unpausing() -> Iterator[None]:
    """Let requests be repeated without the pauses in between."""
    with stamina.set_testing(True, attempts=3):
        yield


@pytest.mark.usefixtures("unpausing")
async def test_silent_enreach_only_warns(tmp_path: Path) -> None:
    """When Enreach does not answer, publishing goes on with a warning, unless the administrator said otherwise."""
    async with open_with_enreach(tmp_path, enreach=httpx.MockTransport(_refuse)) as service:
        admin = Administrator(service)
        document = {"destinations": {"q": {"kind": "queue", "id": QUEUE}}, "rules": [make_rule("a", redirect="q")]}
        draft = await admin.draft(document)
        lenient = (await admin.publish(draft, None, dry_run=True)).json()["gates"]

        limits = await admin.send("GET", "/admin/rulesets/publish-limits")
        body = {**limits.json(), "refuse_when_enreach_silent": True}
        changed = await admin.send("PUT", "/admin/rulesets/publish-limits", body, etag=limits.headers["ETag"])

        strict = (await admin.publish(draft, None, dry_run=True)).json()["gates"]
        assert changed.status_code == 200
        assert [(f["code"], f["severity"]) for f in lenient["findings"]] == [("enreach-silent", "warning")]
        assert [(f["code"], f["severity"]) for f in strict["findings"]] == [("enreach-silent", "error")]
        assert (lenient["publishable"], strict["publishable"]) == (True, False)


async def test_too_many_changes_are_refused(tmp_path: Path) -> None:
    """A draft that decides more recorded calls otherwise than the limit allows is not published."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        for _ in range(3):
            await service.call()
        await service.list_decisions(3)
        unset = await admin.send("GET", "/admin/rulesets/publish-limits")
        limits = {"max_changed_calls": 2, "max_changed_percent": None, "days": 1, "calls": 100}
        path = "/admin/rulesets/publish-limits"
        first = await admin.send("PUT", path, limits, etag=unset.headers["ETag"])
        draft = await admin.change("PUT", await admin.draft(), "", STAY)

        refused = await admin.publish(draft, 1)
        raised = await admin.send("PUT", path, {**limits, "max_changed_calls": 3}, etag=first.headers["ETag"])
        accepted = await admin.publish(draft, 1)

        assert (await admin.send("PUT", path, limits)).status_code == 428
        assert (await admin.send("PUT", path, limits, etag=unset.headers["ETag"])).status_code == 412
        assert (refused.status_code, [e["code"] for e in refused.json()["errors"]]) == (422, ["too-many-changes"])
        assert "3 calls, 3 change: 3 VIP service -> " in refused.json()["errors"][0]["detail"]
        assert (raised.status_code, accepted.status_code) == (200, 200)
        assert accepted.json()["gates"]["replay"]["changed"] == 3


async def test_limits_judge_all_recorded_calls(tmp_path: Path) -> None:
    """A limit counts changes to the end of the replay: those of the latest calls refuse a draft like any other."""
    now = time.time()
    same, other = {"call.target_id": "SAME"}, {"call.target_id": "OTHER"}
    rules = [make_rule("other", {"fact": "call.target_id", "op": "is", "value": "OTHER"}, disconnect=True)]
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await record(service, [_make_stay(now - 900 + number, same) for number in range(700)])
        await record(service, [_make_stay(now - 100 + number, other) for number in range(30)])
        unset = await admin.send("GET", "/admin/rulesets/publish-limits")
        limits = {"max_changed_calls": 29, "days": 1, "calls": 20_000}
        await admin.send("PUT", "/admin/rulesets/publish-limits", limits, etag=unset.headers["ETag"])
        draft = await admin.draft({"rules": rules})

        refused = await admin.publish(draft, 1)

        assert refused.status_code == 422
        detail = refused.json()["errors"][0]["detail"]
        assert (
            detail == "Replayed over recorded calls: 730 calls, 30 change: 30 OTHER -> disconnected; the limit is 29."
        )


async def test_rollback_to_an_unreadable_revision_is_refused(tmp_path: Path) -> None:
    """A revision that this version of the program cannot load is not brought back, and the live one stays."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await admin.publish(await admin.change("PUT", await admin.draft(), "", STAY), 1)
        lost = {"rules": [make_rule("x", redirect="nowhere")]}
        for document, pointer in (
            ({"rules": [{"id": "x", "magic": True}]}, "/rules/0"),
            (lost, "/rules/0/then/redirect"),
        ):
            await _overwrite_revision(service, 1, document)

            refused = await admin.send("POST", "/admin/rulesets/1/rollback", {"comment": "x", "expected_revision": 2})

            assert refused.status_code == 422
            assert pointer in [error["pointer"] for error in refused.json()["errors"]]
        assert [item["revision"] for item in (await admin.read("/admin/rulesets/revisions"))["items"]] == [2, 1]
        assert (await service.call()).status_code == 204
        assert "ruleset.rolled_back" not in [entry["what"] for entry in (await admin.read("/admin/audit"))["items"]]


async def test_two_drafts_published_at_once(tmp_path: Path) -> None:
    """Of two drafts published at the same moment over the same revision one wins and the other gets 409."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        drafts = [await admin.draft(source="current", name=f"draft {number}") for number in range(4)]

        answers = await asyncio.gather(*(admin.publish(draft, 1) for draft in drafts))

        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        assert len((await admin.read("/admin/rulesets/revisions"))["items"]) == 2
        assert len((await admin.read("/admin/rulesets/drafts"))["items"]) == 3


async def test_rollback_is_a_new_revision(tmp_path: Path) -> None:
    """Going back publishes the old rules again under a new number and a new ETag."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await admin.publish(await admin.change("PUT", await admin.draft(), "", STAY), 1)
        etags = [(await admin.send("GET", f"/admin/rulesets/{number}")).headers["ETag"] for number in (1, 2)]

        body = {"comment": "too quiet", "expected_revision": 2}
        answer = await admin.send("POST", "/admin/rulesets/1/rollback", body)
        late = await admin.send("POST", "/admin/rulesets/1/rollback", body)

        assert (answer.status_code, late.status_code) == (200, 409)
        assert (answer.json()["revision"]["revision"], answer.json()["revision"]["rollback_of"]) == (3, 1)
        assert answer.headers["ETag"] not in etags
        assert (await admin.read("/admin/rulesets/current"))["document"] == VIP_RULES
        assert (await service.call()).json() == VIP_ANSWER


async def test_changes_are_audited(tmp_path: Path) -> None:
    """Every change leaves a record of who did what, and publishing one of what changed."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        thrown = await admin.draft()
        await admin.send("DELETE", thrown.path, etag=thrown.etag)
        draft = await admin.change("POST", await admin.draft(source="current"), "/rules", STAY["rules"][0])
        await admin.publish(draft, 1)
        await admin.send("POST", "/admin/rulesets/1/rollback", {"comment": "back", "expected_revision": 2})

        entries = (await admin.read("/admin/audit"))["items"][::-1]

        assert [(entry["who"], entry["what"]) for entry in entries] == [
            ("deployment", "ruleset.published"),
            ("anna", "draft.created"),
            ("anna", "draft.deleted"),
            ("anna", "draft.created"),
            ("anna", "draft.changed"),
            ("anna", "ruleset.published"),
            ("anna", "ruleset.rolled_back"),
        ]
        published = entries[5]["after"]
        assert [(change["kind"], change["id"]) for change in published["changes"]] == [("added", "stay")]
        assert (published["revision"], published["comment"]) == (2, "because")


async def test_publish_is_live_in_another_process(tmp_path: Path) -> None:
    """A second process on the same database decides by the new revision a moment later."""
    async with open_service(tmp_path, rules=VIP_RULES) as first:
        store = {"url": first.settings.store.url, "journal": tmp_path / "other-journal"}
        async with open_service(tmp_path, store=store) as second:
            assert (await second.call()).json() == VIP_ANSWER
            admin = Administrator(first)
            await admin.publish(await admin.change("PUT", await admin.draft(), "", STAY), 1)

            async def call_second() -> httpx.Response | None:
                answer = await second.call()
                return answer if answer.status_code == 204 else None

            await wait_for(call_second)


async def test_loop_between_queues_is_refused(tmp_path: Path) -> None:
    """Rules that may send a call to and fro between queues warn; a test whose call goes round keeps a draft back."""
    queues = {name: {"kind": "queue", "id": f"id-{name}", "label": name.title()} for name in ("a", "b")}
    rules = [
        make_rule("to-b", {"fact": "call.queue_id", "op": "is", "value": "id-a"}, redirect="b"),
        make_rule("to-a", {"fact": "call.queue_id", "op": "is", "value": "id-b"}, redirect="a"),
    ]
    test = {
        "name": "from A",
        "call": {"anum": "+358501234567", "extradata": {"CurrQueueId": "id-a"}},
        "expect": {"rule": "to-b"},
    }
    async with open_service(tmp_path) as service:
        admin = Administrator(service)
        draft = await admin.draft({"destinations": queues, "rules": rules})
        rehearsed = (await admin.publish(draft, None, dry_run=True)).json()["gates"]
        tested = await admin.draft({"destinations": queues, "rules": rules, "tests": [test]})
        refused = await admin.publish(tested, None)
        tested = await admin.change("PUT", tested, "/destinations/b", {**queues["b"], "webhook": False})
        accepted = await admin.publish(tested, None)

        way = 'A -> B -> A, by the rules "to-b", "to-a".'
        [warning] = rehearsed["findings"]
        [error] = [found for found in refused.json()["errors"] if found["severity"] == "error"]
        assert (rehearsed["publishable"], warning["severity"]) == (True, "warning")
        assert (warning["code"], warning["pointer"]) == ("redirect-loop", "/rules/0/then/redirect")
        assert warning["detail"] == f"The same call can go in a circle, {way}"
        assert (error["code"], error["pointer"]) == ("redirect-loop", "/tests/0")
        assert error["detail"] == f'The call of test "from A" goes in a circle, {way}'
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:smartrouting:problem:publish-refused")
        assert (accepted.status_code, accepted.json()["gates"]["findings"]) == (200, [])


async def test_recorded_call_that_goes_round_refuses(tmp_path: Path) -> None:
    """Where rules could send calls to and fro, a call of the last days that they would send so keeps the draft back."""
    queues = {name: {"kind": "queue", "id": f"id-{name}", "label": name.title()} for name in ("a", "b")}
    when = {
        "all": [
            {"fact": "call.queue_id", "op": "is", "value": "id-a"},
            {"fact": "caller.vip", "op": "is", "value": True},
        ]
    }
    rules = [
        make_rule("to-b", when, redirect="b"),
        make_rule("to-a", {"fact": "call.queue_id", "op": "is", "value": "id-b"}, redirect="a"),
    ]
    async with open_service(tmp_path) as service:
        admin = Administrator(service)
        draft = await admin.draft({"destinations": queues, "rules": rules})
        await service.call("+358401112233", extradata={"CurrQueueId": "id-a"})
        await service.list_decisions(1)
        quiet = (await admin.publish(draft, None, dry_run=True)).json()["gates"]
        await service.call("+358501234567", extradata={"CurrQueueId": "id-a"})
        newest = (await service.list_decisions(2))[0]["id"]
        refused = await admin.publish(draft, None)

    assert (quiet["publishable"], [found["severity"] for found in quiet["findings"]]) == (True, ["warning"])
    [error] = [found for found in refused.json()["errors"] if found["severity"] == "error"]
    assert (error["code"], error["pointer"], error["rule"]) == ("redirect-loop", "/rules/0/then/redirect", "to-b")
    assert error["detail"] == (
        f'The recorded call {newest} goes in a circle, A -> B -> A, by the rules "to-b", "to-a".'
    )


async def test_call_under_way_keeps_its_revision(tmp_path: Path) -> None:
    """A call that waits for the CRM while rules are published is decided by the revision it began with, and says so."""
    asked, answered = asyncio.Event(), asyncio.Event()
    crm = httpx.ASGITransport(create_dataverse_emulator(static_tokens={"token-of-the-emulator": CLIENT_ID}))

    async def wait(request: httpx.Request) -> httpx.Response:
        asked.set()
        await answered.wait()
        return await crm.handle_async_request(request)

    upstreams = Upstreams(dataverse=httpx.MockTransport(wait))
    webhook = {"deadline_ms": 4000}
    async with open_service(tmp_path, rules=VIP_RULES, upstreams=upstreams, webhook=webhook) as service:
        admin = Administrator(service)
        draft = await admin.draft(STAY)
        asked.clear()
        first = asyncio.create_task(service.call())
        await asked.wait()
        published = await admin.publish(draft, 1)
        answered.set()

        answers = [await first, await service.call()]

        assert published.status_code == 200
        assert [answer.status_code for answer in answers] == [200, 204]
        assert answers[0].json() == VIP_ANSWER
        assert [item["revision"] for item in await service.list_decisions(2)] == [2, 1]


async def _overwrite_revision(service: Service, number: int, document: object) -> None:
    database = open_database(service.settings.store.url)
    async with database.write() as connection:
        await connection.execute(update(revisions).where(revisions.c.number == number).values(document=document))
    await database.close()


def _make_stay(at: float, facts: dict[str, object]) -> DecisionRecord:
    stay = {"outcome": Outcome.NO_CHANGE, "decision": {"outcome": "no_change", "no_change": True}, "rule": None}
    return make_record(at, id=make_id(at), facts=facts, target_id=facts["call.target_id"], queue_id=None, **stay)


@asynccontextmanager
async def open_with_enreach(folder: Path, *, enreach: httpx.AsyncBaseTransport | None = None) -> AsyncIterator[Service]:
    """Open a service that is connected to an emulated Enreach API."""
    dataverse = create_dataverse_emulator(static_tokens={"token-of-the-emulator": CLIENT_ID})
    upstreams = Upstreams(
        dataverse=httpx.ASGITransport(dataverse),
        enreach=enreach or httpx.ASGITransport(create_enreach_emulator(clock=_read_clock)),
    )
    settings = {"url": "http://127.0.0.1", "user": "voice.api@contoso.example", "secret": "demo-enreach-secret"}
    async with open_service(folder, upstreams=upstreams, enreach=settings) as service:
        yield service


def _read_clock() -> datetime:
    return datetime.now(UTC)


def _refuse(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody there")
