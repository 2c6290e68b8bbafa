"""Replays: what a draft would have done with recorded calls."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.calls.store import DecisionStore
from app.operations.store import JobStore
from app.routing.decisions import DecisionRecord, Outcome
from app.store.database import open_database
from tests.support.records import make_id, make_record
from tests.support.rulesets import Administrator, make_rule, record
from tests.support.service import PROGRAM_KEY, USER_KEY, VIP_RULES, Service, open_service, wait_for

SALES = "queue-of-sales"
DRAFT: dict[str, Any] = {
    "destinations": {
        **VIP_RULES["destinations"],
        "sales": {"kind": "queue", "id": SALES, "label": "Sales"},
    },
    "rules": [
        {
            "id": "night",
            "when": {"fact": "call.target_id", "op": "is", "value": "NIGHT"},
            "then": {"redirect": "vip-queue", "on_fail": "overflow"},
        },
        {"id": "vip", "when": {"fact": "caller.vip", "op": "is", "value": True}, "then": {"redirect": "sales"}},
    ],
}
_VIP_DECISION = {
    "outcome": "redirect",
    "rule": "vip",
    "redirect": "vip-queue",
    "target": {"kind": "queue", "id": "queue-of-vips", "name": "vip-queue"},
    "on_fail": "overflow",
    "fail_target": {"kind": "number", "id": "+358401234567", "name": "overflow"},
}


async def test_replay_counts_and_explains(tmp_path: Path) -> None:
    """A replay says how many calls change and how, lists them, and explains each by both rulesets."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await record(service, [*_make_vips(8), *_make_strangers(29, target="NIGHT"), *_make_strangers(5)])
        draft = await admin.draft(DRAFT)

        state = await admin.replay(draft.id)

        result = state["result"]
        assert (state["state"], state["done"], state["total"], state["percent"]) == ("done", 42, 42, 100.0)
        assert result["summary"] == "42 calls, 37 change: 29 Sales -> VIP service, 8 VIP service -> Sales"
        assert [(group["before"], group["after"], group["calls"]) for group in result["groups"]] == [
            ("Sales", "VIP service", 29),
            ("VIP service", "Sales", 8),
        ]
        assert result["ruleset"] == {"ref": draft.id, "label": 'draft "Summer"', "version": draft.etag.strip('"')}
        path = f"/admin/replays/{state['id']}/diffs"
        page = await admin.read(path, group=1, limit=2)
        assert (page["total"], len(page["items"])) == (8, 2)
        diff = page["items"][0]
        assert (diff["before"], diff["after"]) == (
            {"to": "VIP service", "rule": "vip", "revision": 1},
            {"to": "Sales", "rule": "vip"},
        )
        detail = await admin.read(f"{path}/{diff['decision']}")
        assert (detail["before"]["decision"]["redirect"], detail["after"]["decision"]["redirect"]) == (
            "vip-queue",
            "sales",
        )
        assert await admin.read(f"/admin/decisions/{diff['decision']}/replay", ref=draft.id) == detail
        assert "+358501234567" not in json.dumps([state, page, detail])


async def test_replay_takes_facts_as_recorded(tmp_path: Path) -> None:
    """A fact that was unknown at the time stays unknown, and one that nobody had fetched is counted."""
    rules = [
        make_rule("big", {"fact": "account.columns.revenue", "op": "gt", "value": 1000}),
        make_rule("silent", {"fact": "caller.open_cases", "op": "is_unknown"}, disconnect=True),
    ]
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        facts = {
            "account.id": "a",
            "caller.open_cases": {"unknown": "timeout", "detail": "Dataverse timed out at 1.2 s"},
        }
        await record(service, _make_strangers(3, **facts))
        draft = await admin.draft({"destinations": VIP_RULES["destinations"], "rules": rules})

        result = (await admin.replay(draft.id))["result"]

        assert result["summary"] == "3 calls, 3 change: 3 NORMAL -> disconnected"
        assert result["missing_facts"] == {"account.columns.revenue": 3}


async def test_replay_uses_the_drafts_calendars(tmp_path: Path) -> None:
    """A change of opening hours shows, because the clock is read at the recorded moment."""
    closed = {"office": {"time_zone": "UTC", "weekly": {}}}
    rules = [make_rule("closed", {"fact": "time.open", "op": "is", "value": False}, disconnect=True)]
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await record(service, _make_strangers(2, **{"time.open": True}))
        draft = await admin.draft({"rules": rules, "calendars": closed})

        assert (await admin.replay(draft.id))["result"]["changed"] == 2


async def test_replay_leaves_out_what_is_asked_for(tmp_path: Path) -> None:
    """Time range, queue and sample narrow a replay; drills and erased callers are never replayed."""
    now = time.time()
    drill = next(_make_vips(1, drill="crm-down"))
    erased = next(_make_vips(1, caller_e164="+358501111111"))
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        old = _make_vips(3, at=now - 9000)
        await record(service, [*_make_vips(4), *old, *_make_strangers(2, queue="other"), drill, erased])
        await _erase(service, "+358501111111")
        draft = await admin.draft(DRAFT)

        async def count(**body: object) -> int:
            calls: int = (await admin.replay(draft.id, **body))["result"]["calls"]
            return calls

        assert await count() == 9
        assert await count(since=_spell(now - 3600)) == 6
        assert await count(until=_spell(now - 3600)) == 3
        assert await count(queue_id="other") == 2
        assert await count(sample=4) == 4


async def test_replay_of_revision_on_its_own_calls(tmp_path: Path) -> None:
    """The live ruleset, replayed over the calls it decided, changes none."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        for number in ("+358501234567", "+358401112233", None, "12"):
            await service.call(number)
        await service.list_decisions(4)

        result = (await Administrator(service).replay("current"))["result"]

        assert result["summary"] == "4 calls, none changes"
        assert (result["other_rule"], result["skipped"]) == (0, 0)


async def test_progress_is_streamed(tmp_path: Path) -> None:
    """Server-sent events tell the progress and the end."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await record(service, _make_vips(300))
        started = await admin.send("POST", "/admin/rulesets/current/replay", {})

        answer = await admin.send("GET", started.headers["Location"] + "/events")

        assert answer.headers["Content-Type"].startswith("text/event-stream")
        events = [_read_event(block) for block in answer.text.strip().split("\n\n")]
        assert events[-1][0] == "done"
        assert {name for name, _ in events[:-1]} <= {"progress"}
        assert (events[-1][1]["state"], events[-1][1]["result"]["calls"]) == ("done", 300)
        assert (await admin.send("GET", "/admin/replays/nobody/events")).status_code == 404


async def test_replay_can_be_cancelled(tmp_path: Path) -> None:
    """A cancelled replay stops soon, keeps what it found, and cannot be cancelled again."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await record(service, _make_vips(20_000))
        draft = await admin.draft(DRAFT)
        started = await admin.send("POST", f"{draft.path}/replay", {})

        cancelled = await admin.send("POST", started.headers["Location"] + "/cancel")

        async def look() -> dict[str, Any] | None:
            state: dict[str, Any] = await admin.read(started.headers["Location"])
            return None if state["state"] == "running" else state

        state = await wait_for(look)
        assert (cancelled.status_code, state["state"]) == (200, "cancelled")
        assert 0 < state["result"]["calls"] < 20_000
        assert (await admin.send("POST", started.headers["Location"] + "/cancel")).status_code == 409


async def test_few_replays_run_at_once(tmp_path: Path) -> None:
    """Of many replays started at the same moment two of a role run, and the others are told to come back."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await record(service, _make_vips(5_000))

        started = await asyncio.gather(*(admin.send("POST", "/admin/rulesets/current/replay", {}) for _ in range(7)))

        assert sorted(answer.status_code for answer in started) == [202] * 2 + [429] * 5
        assert {answer.headers.get("Retry-After") for answer in started} == {None, "2"}


async def test_times_out_of_reach_are_refused(tmp_path: Path) -> None:
    """A time that some zone cannot show is refused, and the list of replays can still be read."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        for at in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
            for name in ("since", "until"):
                answer = await admin.send("POST", "/admin/rulesets/current/replay", {name: at})
                assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{name}")
        assert (await admin.read("/admin/replays"))["items"] == []


async def test_replay_is_refused(tmp_path: Path) -> None:
    """Unknown rulesets, rules that cannot run, odd times and users without the role are refused."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        broken = await admin.change("DELETE", await admin.draft(source="1"), "/destinations/vip-queue")

        assert (await _start(admin, "nobody")).status_code == 404
        assert (await _start(admin, broken.id)).json()["errors"][0]["pointer"] == "/rules/0/then/redirect"
        assert (await _start(admin, "1", since="2026-03-01T00:00:00")).status_code == 422
        assert (await _start(admin, "1", sample=0)).status_code == 422
        assert (await _start(Administrator(service, PROGRAM_KEY), "1")).status_code == 202
        assert (await _start(Administrator(service, USER_KEY), "1")).status_code == 403


async def test_streams_of_progress_are_limited(tmp_path: Path) -> None:
    """A role may follow eight replays at once; one more is told to come back, others are not, and an end makes room."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        database = open_database(service.settings.store.url)
        jobs = JobStore(database=database)
        job = await jobs.start("replay", author="another process", total=10, now=time.time() + 3600)
        program, path = Administrator(service, PROGRAM_KEY), f"/admin/replays/{job.id}/events"
        streams = [asyncio.create_task(program.send("GET", path)) for _ in range(9)]
        (refused,), _ = await asyncio.wait(streams, return_when=asyncio.FIRST_COMPLETED)
        other = asyncio.create_task(Administrator(service).send("GET", path))
        await jobs.fail(job.id, "the other process was stopped", now=time.time())
        ended = await asyncio.gather(*streams, other)
        again = await program.send("GET", path)
        await database.close()

    assert (refused.result().status_code, refused.result().headers["Retry-After"]) == (429, "2")
    assert sorted(answer.status_code for answer in ended) == [200] * 9 + [429]
    assert again.status_code == 200


async def _start(admin: Administrator, ref: str, **body: object) -> Any:
    return await admin.send("POST", f"/admin/rulesets/{ref}/replay", body)


async def _erase(service: Service, e164: str) -> None:
    database = open_database(service.settings.store.url)
    assert await DecisionStore(database=database).erase_number(e164) == 1
    await database.close()


def _make_vips(count: int, *, at: float | None = None, **changes: Any) -> Iterator[DecisionRecord]:
    now = time.time() if at is None else at
    for _ in range(count):
        facts = {"call.target_id": "NORMAL", "caller.status": "identified", "caller.vip": True}
        usual = {
            "queue_id": SALES,
            "target_id": "NORMAL",
            "facts": {"call.caller": "+358501234567", **facts},
            "revision": 1,
            "rule": "vip",
            "outcome": Outcome.REDIRECT,
            "decision": _VIP_DECISION,
        }
        yield make_record(now, id=make_id(now), **usual | changes)


def _make_strangers(
    count: int, *, target: str = "NORMAL", queue: str = SALES, **facts: object
) -> Iterator[DecisionRecord]:
    now = time.time()
    for _ in range(count):
        usual = {"call.caller": "+358501234567", "call.target_id": target, "caller.vip": False}
        yield make_record(
            now,
            id=make_id(now),
            queue_id=queue if not facts else "elsewhere",
            target_id=target,
            facts={**usual, **facts},
            revision=1,
            rule=None,
            outcome=Outcome.NO_CHANGE,
            decision={"outcome": "no_change", "no_change": True},
            status=204,
            body=None,
        )


def _spell(at: float) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}Z"


def _read_event(block: str) -> tuple[str, dict[str, Any]]:
    fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
    return fields["event"], json.loads(fields["data"])
