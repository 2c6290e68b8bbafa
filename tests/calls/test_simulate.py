"""`/admin/simulate`: what would happen to a made-up call."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from dirty_equals import IsPartialDict, IsStr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import CLIENT_ID, create_dataverse_emulator
from app.emulators.faults import Fault, FaultKind
from tests.routing.examples import any_rule, make_document
from tests.support.service import (
    ADMIN_KEY,
    PROGRAM_KEY,
    USER_KEY,
    VIP_ANSWER,
    VIP_RULES,
    Service,
    open_service,
    wait_for,
)

VIP_CALL = {"anum": "+358501234567", "bnum": "+358912345678", "targetid": "SALES_QUEUE"}
CALM = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Serve the sample organisation."""
    async with open_service(tmp_path, rules=VIP_RULES) as opened:
        yield opened


async def test_real_caller_is_looked_up(service: Service) -> None:
    """Without a pretended caller the CRM is asked; the result shows decision, wire answer, facts and trace."""
    simulated = await service.simulate(call=VIP_CALL)

    assert simulated.status_code == 200
    result = simulated.json()
    assert result == {
        "caller": {
            "status": "identified",
            "cause": None,
            "detail": "",
            "kind": "contact",
            "vip": True,
            "vip_reason": "account Contoso Group Oyj is a preferred customer",
            "match": "exact",
            "confidence": 1.0,
            "matches": 1,
        },
        "source": "live",
        "decision": {
            "outcome": "redirect",
            "rule": "vip",
            "redirect": "vip-queue",
            "target": {"kind": "queue", "id": "queue-of-vips", "name": "vip-queue"},
            "on_fail": "overflow",
            "fail_target": {"kind": "number", "id": "+358401234567", "name": "overflow"},
        },
        "summary": "to queue VIP service, else number overflow",
        "answer": {"status": 200, "body": VIP_ANSWER},
        "facts": IsPartialDict({"caller.vip": True, "call.target_id": "SALES_QUEUE"}),
        "trace": IsPartialDict(revision=1, decision=result["decision"], near_misses=[]),
    }


async def test_simulation_and_webhook_agree(service: Service) -> None:
    """What is simulated is what the queue is answered, for callers of every kind."""
    for anum in ("+358501234567", "+358401112233", "0501234567", None, "anonymous", "12", "+4930123456", 7, {"a": 1}):
        simulated = (await service.simulate(call={"anum": anum})).json()["answer"]
        answer = await service.call(anum)
        assert simulated == {"status": answer.status_code, "body": answer.json() if answer.content else None}


async def test_nothing_is_logged(service: Service) -> None:
    """A simulation leaves no decision behind."""
    await service.simulate(call=VIP_CALL)
    await service.call("+358401112233")

    assert len(await service.list_decisions(1)) == 1
    assert 'outcome="redirect"' not in await service.read_metrics()


async def test_caller_may_be_pretended(service: Service) -> None:
    """A pretended caller is believed, and nobody is asked."""
    vip = (await service.simulate(call={"anum": "+358401112233"}, caller={"vip": True, "name": "Ann"})).json()
    away = (await service.simulate(call=VIP_CALL, caller={"status": "unavailable", "cause": "throttled"})).json()

    assert (vip["source"], vip["answer"]) == ("given", {"status": 200, "body": VIP_ANSWER})
    assert (away["caller"]["cause"], away["answer"]) == ("throttled", {"status": 204, "body": None})
    assert away["facts"]["caller.vip"] == {"unknown": "throttled", "detail": IsStr()}
    assert [r for r in service.dataverse.requests if r.path.endswith("/contacts")] == []


async def test_moment_and_rules_may_be_pretended(service: Service) -> None:
    """A draft decides instead of the published rules, at the moment that is given."""
    calendar = {"time_zone": "Europe/Helsinki", "weekly": {"mon": ["08:00-16:00"]}}
    rules = {
        "destinations": VIP_RULES["destinations"],
        "calendars": {"office": calendar},
        "rules": [
            {"id": "open", "when": {"fact": "time.open", "op": "is", "value": True}, "then": {"redirect": "overflow"}}
        ],
    }

    async def ask(at: str) -> dict[str, Any]:
        answer = await service.simulate(call=VIP_CALL, at=at, ruleset=rules)
        result: dict[str, Any] = answer.json()
        return result

    monday, sunday = await ask("2026-03-02T10:00:00+02:00"), await ask("2026-03-01T10:00:00+02:00")

    assert (monday["decision"]["rule"], monday["trace"]["revision"]) == ("open", None)
    assert (sunday["answer"], sunday["facts"]["time.weekday"]) == ({"status": 204, "body": None}, "sun")


async def test_silent_crm_is_part_of_the_result(service: Service) -> None:
    """When Dataverse does not answer, the result says so."""
    service.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=500))

    result = (await service.simulate(call=VIP_CALL)).json()

    assert result["caller"] == IsPartialDict(status="unavailable", cause="error", detail=IsStr(min_length=1))
    assert result["answer"] == {"status": 204, "body": None}


async def test_roles(service: Service) -> None:
    """Administrators and programs may simulate; an end user may not; a stranger is asked for a token."""
    statuses = [
        (await service.simulate(key=key, call=VIP_CALL)).status_code for key in (ADMIN_KEY, PROGRAM_KEY, USER_KEY)
    ]

    assert [*statuses, (await service.simulate(key="nobody", call=VIP_CALL)).status_code] == [200, 200, 403, 401]


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("caller.name", "Helena Aaltonen"),
        ("caller.columns.emailaddress1", "helena.aaltonen@example.com"),
        ("account.columns.revenue", 1),
    ],
)
async def test_rules_find_nothing_out_that_the_role_may_not_see(service: Service, fact: str, value: object) -> None:
    """Own rules over what is hidden are refused for a real caller, and work for a pretended one and with the role."""
    rules = {
        "rules": [
            {"id": "a", "when": {"not": {"fact": fact, "op": "is", "value": value}}, "then": {"disconnect": True}}
        ]
    }

    refused = await service.simulate(key=PROGRAM_KEY, call=VIP_CALL, ruleset=rules)
    agents = {"rules": [{"id": "a", "then": {"redirect_to_agent": "caller.columns.emailaddress1"}}]}
    refused_too = await service.simulate(key=PROGRAM_KEY, call=VIP_CALL, ruleset=agents)
    pretended = await service.simulate(key=PROGRAM_KEY, call=VIP_CALL, caller={}, ruleset=rules)
    allowed = await service.simulate(call=VIP_CALL, ruleset=rules)

    assert [answer.status_code for answer in (refused, refused_too, pretended, allowed)] == [403, 403, 200, 200]
    assert refused.json()["type"] == "urn:smartrouting:problem:forbidden"
    assert fact in refused.json()["detail"]


async def test_real_caller_is_hidden_from_who_may_not_see_them(tmp_path: Path) -> None:
    """Name and columns of somebody who was really looked up are for one role only, which leaves an audit record."""
    reads = {"fact": "caller.columns.emailaddress1", "op": "ends_with", "value": "@example.com"}
    rules = {"rules": [{"id": "a", "when": reads, "then": {"disconnect": True}}]}
    async with open_service(tmp_path, rules=rules) as service:
        hidden = (await service.simulate(key=PROGRAM_KEY, call=VIP_CALL)).json()
        shown = (await service.simulate(call=VIP_CALL)).json()
        audit = (await service.ask("/admin/audit", who="anna")).json()["items"]

    assert hidden["decision"] == shown["decision"]
    assert hidden["facts"] == IsPartialDict({"caller.name": "(hidden)", "caller.columns.emailaddress1": "(hidden)"})
    assert hidden["trace"]["rules"][0]["when"]["all"][0] == IsPartialDict(expected="(hidden)", actual="(hidden)")
    assert "elena" not in str(hidden)
    assert shown["facts"] == IsPartialDict({"caller.name": "Helena Aaltonen"})
    assert [(item["who"], item["what"], item["target"]) for item in audit] == [
        ("anna", "caller.simulated", "caller/+35850*****67")
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"call": {"bnum": "1"}},
        {"call": "+358501234567"},
        {"call": VIP_CALL, "unheard": 1},
        {"call": VIP_CALL, "caller": {"status": "rich"}},
        {"call": VIP_CALL, "at": "2026-03-02T10:00:00"},
        {"call": VIP_CALL, "at": "9999-12-31T23:59:59-14:00"},
        {"call": VIP_CALL, "at": "0001-01-01T00:00:00+14:00"},
        {"call": VIP_CALL, "ruleset": {"rules": [{"id": "a", "then": {"redirect": "nowhere"}}]}},
        {"call": VIP_CALL, "ruleset": {"rules": [{"id": "a", "when": {"fact": "caller.vipp"}, "then": {}}]}},
    ],
)
async def test_nonsense_is_refused(service: Service, body: dict[str, Any]) -> None:
    """What cannot be simulated is 422, as a problem."""
    answer = await service.simulate(**body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["type"] == "urn:smartrouting:problem:invalid-input"


async def test_unusable_ruleset_is_pointed_into(service: Service) -> None:
    """What is wrong in a ruleset that was sent along is found in the body, not in some document of its own."""
    rules = {"rules": [{"id": "a", "when": {"fact": "caller.vipp", "op": "exists"}, "then": {"no_change": True}}]}

    answer = await service.simulate(call=VIP_CALL, ruleset=rules)

    assert [error["pointer"] for error in answer.json()["errors"]] == ["/ruleset/rules/0/when/fact"]


@pytest.mark.parametrize(
    ("anum", "status", "detail"),
    [
        ("abc", "unknown", "this could not be read as a telephone number"),
        ("1234", "unknown", "a short number is not looked up"),
        ("anonymous", "withheld", "the number is withheld"),
    ],
)
async def test_caller_without_a_number_is_explained(service: Service, anum: str, status: str, detail: str) -> None:
    """When nobody can be looked up the answer says why."""
    caller = (await service.simulate(call={"anum": anum})).json()["caller"]

    assert (caller["status"], caller["detail"]) == (status, detail)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"call": {"anum": ' + b"[" * 900 + b"]" * 900 + b"}}"]
)
async def test_what_is_no_json_is_refused(service: Service, body: bytes) -> None:
    """A body that cannot be read is 422, as a problem, however it is broken."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}

    answer = await service.client.post("/admin/simulate", content=body, headers=headers)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


ANUMS = st.sampled_from(["+358501234567", "+358401112233", None, "12"])
TEXTS = st.none() | st.text(max_size=6) | st.sampled_from([" ", "a\x01b", "DISCONNECT:", "agent-1"])
CALLERS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["identified", "ambiguous", "unknown", "withheld", "unavailable"]),
        "vip": st.none() | st.booleans(),
        "owner_agent": TEXTS,
        "columns": st.fixed_dictionaries({"tier": TEXTS}),
        "account": st.fixed_dictionaries({"columns": st.fixed_dictionaries({"revenue": TEXTS})}),
    },
)


@CALM
@given(rules=st.lists(any_rule(), min_size=1, max_size=4), anum=ANUMS, caller=CALLERS)
async def test_200_is_never_empty_or_partial(
    service: Service, rules: list[dict[str, object]], anum: object, caller: dict[str, Any] | None
) -> None:
    """Whatever rules, caller and agents there are, a 200 names a target, and no change has no body."""
    with capture_logs():
        simulated = await service.simulate(call={"anum": anum}, caller=caller, ruleset=make_document(*rules))

    assert simulated.status_code == 200
    answer = simulated.json()["answer"]
    if answer["status"] == 200:
        assert answer["body"]["InitialTarget"].strip()
        assert "FailTarget" not in answer["body"] or answer["body"]["FailTarget"].strip()
    else:
        assert answer == {"status": 204, "body": None}


async def test_simulations_beyond_those_that_may_wait_are_told_to_come_back(tmp_path: Path) -> None:
    """Of many that one role asks for at once two run and sixteen wait; calls are answered meanwhile."""
    held = asyncio.Event()
    crm = httpx.ASGITransport(create_dataverse_emulator(static_tokens={"token-of-the-emulator": CLIENT_ID}))

    async def hold(request: httpx.Request) -> httpx.Response:
        await held.wait()
        return await crm.handle_async_request(request)

    async with open_service(tmp_path, upstreams=Upstreams(dataverse=httpx.MockTransport(hold))) as service:
        asked = [asyncio.create_task(service.simulate(key=PROGRAM_KEY, call=VIP_CALL)) for _ in range(30)]

        async def list_refused() -> list[httpx.Response] | None:
            ended = [task.result() for task in asked if task.done()]
            return ended if len(ended) >= 12 else None

        refused = await wait_for(list_refused)
        call = await service.call(None)
        held.set()
        answers = await asyncio.gather(*asked)

    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in refused} == {(429, "2")}
    assert call.status_code == 204
    assert sorted(answer.status_code for answer in answers) == [200] * 18 + [429] * 12


async def test_what_queue_and_administrators_say_may_be_pretended(tmp_path: Path) -> None:
    """Parameters, language, moment, switches and tables go into a simulation beside the call."""
    condition = {
        "all": [
            {"fact": "call.parameters.DYN_CUSTOMER", "op": "is", "value": "4711"},
            {"fact": "call.culture", "op": "is", "value": "fi-FI"},
            {"fact": "switch.night", "op": "is", "value": True},
            {"fact": "call.caller", "op": "in_table", "value": "staff"},
            {"fact": "time.weekday", "op": "is", "value": "thu"},
        ]
    }
    rules = {
        "time_zone": "Europe/Helsinki",
        "rules": [{"id": "all", "when": condition, "then": {"disconnect": True}}],
    }
    said: dict[str, Any] = {
        "call": {"anum": "+358401112233", "extradata": {"DYN_OTHER": "x"}},
        "caller": {},
        "parameters": {"DYN_CUSTOMER": "4711"},
        "culture": "fi-FI",
        "switches": {"night": True},
        "tables": {"staff": {"+358401112233": {"name": "Ann"}}},
        "at": "2026-12-24T07:30:00Z",
        "ruleset": rules,
    }
    async with open_service(tmp_path) as service:
        whole = (await service.simulate(**said)).json()
        parts = [
            (await service.simulate(**{**said, name: nothing})).json()["decision"].get("rule")
            for name, nothing in (("parameters", {}), ("culture", None), ("switches", {}), ("tables", {}), ("at", None))
        ]
        wrong = await service.simulate(**{**said, "parameters": {"CUSTOMER": "4711"}})

    assert whole["decision"]["rule"] == "all"
    assert whole["facts"]["call.parameters.DYN_OTHER"] == "x"
    assert parts[:4] == [None] * 4
    assert wrong.status_code == 422
