"""What callers hear while Dataverse is down."""

from asyncio import gather
from pathlib import Path
from time import time

import httpx
import pytest
from dirty_equals import IsFloat, IsPartialDict, IsStr
from structlog.testing import capture_logs

from app.bootstrap.upstreams import Upstreams
from app.emulators.faults import Fault, FaultKind
from tests.support.service import UNHURRIED, VIP_ANSWER, VIP_RULES, open_service

FAULTS = {
    "server error": (Fault(kind=FaultKind.STATUS, status=500), "error"),
    "unavailable": (Fault(kind=FaultKind.STATUS, status=503), "error"),
    "forbidden": (Fault(kind=FaultKind.STATUS, status=403), "error"),
    "token refused": (Fault(kind=FaultKind.STATUS, status=401), "error"),
    "throttled": (Fault(kind=FaultKind.STATUS, status=429, retry_after_s=30), "throttled"),
    "garbage": (Fault(kind=FaultKind.GARBAGE), "error"),
    "half an answer": (Fault(kind=FaultKind.TRUNCATED), "error"),
    "a web page": (Fault(kind=FaultKind.WRONG_TYPE), "error"),
    "connection reset": (Fault(kind=FaultKind.RESET), "error"),
    "hang": (Fault(kind=FaultKind.HANG), "timeout"),
    "late": (Fault(kind=FaultKind.DELAY, seconds=5), "timeout"),
    "drip": (Fault(kind=FaultKind.DRIP, seconds=1), "timeout"),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_call_is_answered_whatever_dataverse_does(tmp_path: Path, name: str) -> None:
    """Within the deadline nothing changes, and the decision log tells the cause; only `is_unknown` sees it."""
    fault, cause = FAULTS[name]
    deadline = {"deadline_ms": 300} if cause == "timeout" else UNHURRIED
    async with open_service(tmp_path, rules=VIP_RULES, webhook=deadline) as service:
        service.dataverse.faults.add(fault)
        answer = await service.call("+358501234567")
        explained = await service.explain_last()
        metrics = await service.read_metrics()

    assert (answer.status_code, answer.content) == (204, b"")
    assert explained == IsPartialDict(
        caller_status="unavailable",
        caller_cause=cause,
        caller_source="none",
        caller_age_seconds=None,
        rule=None,
        outcome="no_change",
        status=204,
        body=None,
        trace_agrees=True,
    )
    assert explained["facts"]["caller.vip"] == {"unknown": cause, "detail": IsStr(min_length=1)}
    assert explained["trace"]["rules"][0] == IsPartialDict(id="vip", verdict="unknown", decided=False)
    counted = f'smartrouting_decisions_total{{caller_status="unavailable",cause="{cause}",outcome="no_change"}} 1.0'
    assert counted in metrics


async def test_rule_may_ask_whether_the_crm_is_silent(tmp_path: Path) -> None:
    """A rule with `is_unknown` decides calls whose caller nobody could tell."""
    silent = {"id": "silent", "when": {"fact": "caller.vip", "op": "is_unknown"}, "then": {"redirect": "overflow"}}
    rules = VIP_RULES | {"rules": [silent]}
    async with open_service(tmp_path, rules=rules) as service:
        known = await service.call("+358401112233")
        service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=500))
        unknown = await service.call("+358501234567")

    assert known.status_code == 204
    assert (unknown.status_code, unknown.json()) == (200, {"InitialTarget": "+358401234567"})


async def test_last_known_caller_answers_for_a_silent_crm(tmp_path: Path) -> None:
    """A caller known from before is recognised while Dataverse is down, also after a restart."""
    async with open_service(tmp_path, rules=VIP_RULES, cache={"fresh_seconds": 0}) as service:
        await service.call("+358501234567")
        service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=500))
        stale = await service.call("+358501234567")
        stale_source = (await service.list_decisions(2))[0]["caller_source"]
    async with open_service(tmp_path, rules=VIP_RULES, cache={"fresh_seconds": 0}) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=500))
        restored = await service.call("+358501234567")
        restored_source = (await service.list_decisions(3))[0]["caller_source"]

    assert (stale.status_code, stale.json(), stale_source) == (200, VIP_ANSWER, "stale")
    assert (restored.status_code, restored.json(), restored_source) == (200, VIP_ANSWER, "snapshot")


async def test_vip_of_yesterday_is_recognised_after_a_restart_in_an_outage(tmp_path: Path) -> None:
    """Who called yesterday is still a VIP when the service starts while Dataverse is down; the age is a fact."""
    now = time()
    async with open_service(tmp_path, rules=VIP_RULES, clock=lambda: now - 93_600) as service:
        await service.call("+358501234567")
    async with open_service(tmp_path, rules=VIP_RULES, clock=lambda: now) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.HANG))
        with capture_logs() as lines:
            answer = await service.call("+358501234567")
        explained = await service.explain_last(calls=2)

    age = IsFloat(approx=93_600, delta=60)
    (line,) = [line for line in lines if line["event"] == "call.decided"]
    assert (answer.status_code, answer.json()) == (200, VIP_ANSWER)
    assert explained == IsPartialDict(caller_source="snapshot", caller_cause="timeout", caller_age_seconds=age)
    assert explained["facts"]["caller.age_seconds"] == age
    assert line == IsPartialDict(source="snapshot", caller_cause="timeout", caller_age_seconds=age)


async def test_crowd_beyond_what_can_wait_is_decided_at_once(tmp_path: Path) -> None:
    """When Dataverse hangs, so many calls wait as can be answered in time; the next are decided without waiting."""
    async with open_service(tmp_path, rules=VIP_RULES, webhook={"deadline_ms": 1000}) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.HANG))
        answers = await gather(*(service.call(f"+35840{index:07}") for index in range(500)))
        metrics = await service.read_metrics()
        decisions = await service.list_decisions(200, limit=200)

    shed = float(metrics.partition("\nsmartrouting_shed_total ")[2].partition("\n")[0])
    assert {answer.status_code for answer in answers} == {204}
    assert 0 < shed < 500
    assert {(item["caller_status"], item["caller_cause"]) for item in decisions} == {("unavailable", "timeout")}


async def test_token_failure_is_an_outage(tmp_path: Path) -> None:
    """When no token can be had, the call is answered all the same."""

    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"error": {"code": "0x80048306", "message": "no"}}, request=request)

    world = Upstreams(dataverse=httpx.MockTransport(refuse))
    async with open_service(tmp_path, rules=VIP_RULES, upstreams=world) as service:
        answer = await service.call("+358501234567")
        decision = (await service.list_decisions(1))[0]

    assert answer.status_code == 204
    assert decision == IsPartialDict(caller_status="unavailable", caller_cause="error")


async def test_half_of_a_look_up_is_no_answer(tmp_path: Path) -> None:
    """When only one of the two tables answers, nobody claims to know the caller."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=500, table="accounts"))
        answer = await service.call("+358501234567")
        decision = (await service.list_decisions(1))[0]

    assert answer.status_code == 204
    assert decision == IsPartialDict(caller_status="unavailable", caller_cause="error")


@pytest.mark.parametrize("name", [r"Nul \u0000", "Ä" * 160, "🙂", "'; drop table contacts", ""])
async def test_names_from_the_crm_are_never_an_obstacle(tmp_path: Path, name: str) -> None:
    """A NUL, a symbol or nothing as a name is decided and logged like any other name."""
    row = f'{{"contactid": "c1", "fullname": "{name}", "mobilephone": "+358501234567"}}'

    def answer(request: httpx.Request) -> httpx.Response:
        found = row if request.url.path.endswith("/contacts") else ""
        return httpx.Response(200, content=f'{{"value": [{found}]}}', headers={"Content-Type": "application/json"})

    world = Upstreams(dataverse=httpx.MockTransport(answer))
    async with open_service(tmp_path, rules=VIP_RULES, upstreams=world) as service:
        status = (await service.call("+358501234567")).status_code
        explained = await service.explain_last(reveal=True)

    assert (status, explained["caller_status"], explained["trace_agrees"]) == (204, "identified", True)
