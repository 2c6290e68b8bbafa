"""What callers hear while Dataverse is down."""

from pathlib import Path
from time import monotonic

import httpx
import pytest
from dirty_equals import IsPartialDict, IsStr

from app.assembly.outside import Outside
from app.emulators.faults import Fault, FaultKind
from tests.support.service import VIP_ANSWER, VIP_RULES, open_service

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
    async with open_service(tmp_path, rules=VIP_RULES, webhook={"deadline_ms": 300}) as service:
        service.dataverse.faults.add(fault)
        started = monotonic()
        answer = await service.call("+358501234567")
        seconds = monotonic() - started
        explained = await service.explain_last()
        metrics = await service.read_metrics()

    assert (answer.status_code, answer.content) == (204, b"")
    assert seconds < 0.6
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


async def test_token_failure_is_an_outage(tmp_path: Path) -> None:
    """When no token can be had, the call is answered all the same."""

    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"error": {"code": "0x80048306", "message": "no"}}, request=request)

    world = Outside(dataverse=httpx.MockTransport(refuse))
    async with open_service(tmp_path, rules=VIP_RULES, outside=world) as service:
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

    world = Outside(dataverse=httpx.MockTransport(answer))
    async with open_service(tmp_path, rules=VIP_RULES, outside=world) as service:
        status = (await service.call("+358501234567")).status_code
        explained = await service.explain_last(reveal=True)

    assert (status, explained["caller_status"], explained["trace_agrees"]) == (204, "identified", True)
