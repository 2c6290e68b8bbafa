"""What the queue is answered, by payload."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsPartialDict

from app.routing.wire import FIELDS
from tests.support.service import VIP_ANSWER, VIP_RULES, Service, open_service

EXTRA = {
    "CallId": "d59d7a2f-318a-469e-bdc0-b092a8fedbc1",
    "LegId": "66299cde606b3db6d413cd208f7e5cab@192.0.2.1_br1",
    "CurrQueueId": "6f3c2f6e-0d0c-4c2e-8e55-0f6f4b1c9a01",
    "CurrUserId": "",
    "IsInternalCaller": False,
    "DYN_PAR_Culture": "en-GB",
}
WITHHELD = ("", "   ", None, "anonymous", "Anonymous", "ANONYMOUS", "unknown", "private", "restricted", "unavailable")
WITHHELD_DIGITS = ("+266696687", "266696687", "00266696687", "sip:anonymous@anonymous.invalid", "<sip:anonymous@x>")
ODD = ("1", "100", "12345", "+", "++358", "Ann", "+358", "+9991234567", "0" * 400, True, False, 1.5, [], {}, ["+3585"])
SAME_NUMBER = (
    *("+358501234567", "00358501234567", "0501234567", "050 123 4567", "+358 50 123 4567", "+358 (0)50 123 4567"),
    *("+358.50.123.4567", "050/1234567", "tel:+358501234567", "sip:+358501234567@pbx.example;user=phone"),
    *('"Ann" <sip:+358501234567@pbx.example>', "+358501234567 ext 22", "+358501234567;ext=22", "050-1234567"),
    *("sip:+358501234567;cpc=ordinary@pbx.example", "sip:0501234567;phone-context=+358@pbx.example;user=phone"),
    *(
        "tel:0501234567;phone-context=+358",
        "tel:+358-50-1234567;cpc=ordinary",
        "<sip:+358501234567;ext=22;cpc=emergency@x>",
    ),
    "\uff0b\uff13\uff15\uff18\uff15\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
    " +358501234567 ",
    358501234567,
)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Send VIP callers of the sample organisation to the VIP queue."""
    async with open_service(tmp_path, rules=VIP_RULES) as opened:
        yield opened


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"bnum": "+358912345678"},
        {"bnum": "+358912345678", "targetid": "SALES_QUEUE", "extradata": EXTRA},
        {"bnum": 12, "targetid": ["x"], "extradata": "none", "anything": {"else": [None]}},
        {"extradata": {"Unheard": {"of": 1}, "CallId": 7, "CurrQueueId": [], "IsInternalCaller": "maybe"}},
    ],
)
async def test_vip_is_redirected_by_every_payload(service: Service, members: dict[str, Any]) -> None:
    """Both generations of payload are understood; unknown keys and odd types beside `anum` change nothing."""
    answer = await service.call("+358501234567", **members)

    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (200, "application/json", VIP_ANSWER)
    assert answer.headers["cache-control"] == "no-store"


async def test_no_change_has_no_body(service: Service) -> None:
    """A caller whom no rule names gets the status of no change, without a body and its type."""
    answer = await service.call("+358401112233")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert "content-length" not in answer.headers


async def test_profile_may_say_no_change_as_404(tmp_path: Path) -> None:
    """With the profile set to 404, no change is 404 without a body, and the OpenAPI document says so."""
    async with open_service(tmp_path, rules=VIP_RULES, response={"no_change_status": 404}) as service:
        answer = await service.call("+358401112233")
        document = (await service.client.get("/openapi.json")).json()

    assert (answer.status_code, answer.content) == (404, b"")
    assert sorted(document["paths"]["/smartrouting"]["post"]["responses"]) == [
        *("200", "401", "403", "404", "408", "413", "422")
    ]


async def test_call_without_rules_stays_where_it_is(tmp_path: Path) -> None:
    """Before any ruleset is published nothing changes."""
    async with open_service(tmp_path) as service:
        answer = await service.call("+358501234567")
        explained = await service.explain_last()

    assert (answer.status_code, answer.content) == (204, b"")
    assert explained == IsPartialDict(revision=None, rule=None, outcome="no_change", trace_agrees=True)


async def test_hidden_numbers_are_decided(service: Service) -> None:
    """Every way to withhold a number is a caller with the status withheld, and nobody is asked."""
    spellings = [*WITHHELD, *WITHHELD_DIGITS]
    statuses = [(await service.call(spelling)).status_code for spelling in spellings]
    decisions = await service.list_decisions(len(spellings))

    assert statuses == [204] * len(spellings)
    assert [d["caller_status"] for d in decisions] == ["withheld"] * len(spellings)
    assert [r for r in service.dataverse.requests if "contacts" in r.path or "accounts" in r.path] == []


async def test_odd_callers_are_decided(service: Service) -> None:
    """Short, internal and impossible numbers, and values that are no text, are unknown callers; nobody is asked."""
    statuses = [(await service.call(spelling)).status_code for spelling in ODD]
    decisions = await service.list_decisions(len(ODD))

    assert statuses == [204] * len(ODD)
    assert [d["caller_status"] for d in decisions] == ["unknown"] * len(ODD)
    assert [r for r in service.dataverse.requests if "contacts" in r.path or "accounts" in r.path] == []


async def test_one_number_in_many_spellings_is_one_caller(service: Service) -> None:
    """However the queue spells the number, the VIP is recognised, and the CRM is asked once."""
    answers = {spelling: (await service.call(spelling)).status_code for spelling in SAME_NUMBER}

    assert answers == dict.fromkeys(SAME_NUMBER, 200)
    assert len([r for r in service.dataverse.requests if r.path.endswith("/contacts")]) == 1


async def test_extra_data_become_facts(service: Service) -> None:
    """What the queue tells about the call is there for the rules, `DYN_*` with any type of JSON."""
    dynamic = {
        "DYN_TEXT": "Gold",
        "DYN_INT": 7,
        "DYN_FLOAT": 0.5,
        "DYN_TRUE": True,
        "DYN_NULL": None,
        "DYN_LIST": [1, "ä", None],
        "DYN_OBJECT": {"b": {"c": []}},
        "dyn_lower": "is not ours",
    }

    await service.call("+358401112233", bnum="09 12345678", targetid=" SALES ", extradata=EXTRA | dynamic)
    explained = await service.explain_last(reveal=True)

    assert {name: value for name, value in explained["facts"].items() if name.startswith("call.")} == {
        "call.caller": "+358401112233",
        "call.called": "+358912345678",
        "call.country": "FI",
        "call.id": "d59d7a2f-318a-469e-bdc0-b092a8fedbc1",
        "call.target_id": "SALES",
        "call.queue_id": "6f3c2f6e-0d0c-4c2e-8e55-0f6f4b1c9a01",
        "call.user_id": None,
        "call.culture": "en-GB",
        "call.internal": False,
        "call.withheld": False,
        "call.parameters.DYN_PAR_Culture": "en-GB",
        "call.parameters.DYN_TEXT": "Gold",
        "call.parameters.DYN_INT": 7,
        "call.parameters.DYN_FLOAT": 0.5,
        "call.parameters.DYN_TRUE": True,
        "call.parameters.DYN_NULL": None,
        "call.parameters.DYN_LIST": '[1,"ä",null]',
        "call.parameters.DYN_OBJECT": '{"b":{"c":[]}}',
    }


async def test_every_field_goes_out_as_the_profile_spells_it(tmp_path: Path) -> None:
    """Fields and targets are spelled by the response profile, and nothing else is in the answer."""
    action = {
        "redirect": "vip-queue",
        "on_fail": "overflow",
        "required_agent": "call.parameters.DYN_AGENT",
        "preferred_agents": ["call.parameters.DYN_AGENT"],
        "priority": 3,
        "extra_priority": 10,
        "messages": [{"culture": "en-GB", "text": "Welcome back."}],
    }
    shapes = dict(zip(FIELDS, ("text", "comma_list", "number", "text", "culture_map"), strict=True))
    response = {
        "fields": {name: {"key": f"X_{name}", "shape": shape} for name, shape in shapes.items()},
        "targets": {"queue": "queue:{id}", "number": "tel:{id}"},
    }
    rules = VIP_RULES | {"rules": [{"id": "all", "then": action}]}
    async with open_service(tmp_path, rules=rules, response=response) as service:
        answer = await service.call("+358401112233", extradata={"DYN_AGENT": "agent-1"})

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "InitialTarget": "queue:queue-of-vips",
            "FailTarget": "tel:+358401234567",
            "X_required_agent": "agent-1",
            "X_preferred_agents": "agent-1",
            "X_priority": 3,
            "X_extra_priority": "10",
            "X_messages": {"en-GB": "Welcome back."},
        },
    )


async def test_disconnect_is_spelled_as_a_target(tmp_path: Path) -> None:
    """A call that is to end gets the target for that."""
    rules = {"rules": [{"id": "end", "then": {"disconnect": True}}]}
    async with open_service(tmp_path, rules=rules) as service:
        answer = await service.call("+358401112233")

    assert (answer.status_code, answer.json()) == (200, {"InitialTarget": "DISCONNECT:"})


async def test_target_that_cannot_be_spelled_is_no_change(tmp_path: Path) -> None:
    """A target taken from data that cannot be written as one leaves the call where it is, and the log says why."""
    rules = {"rules": [{"id": "agent", "then": {"redirect_to_agent": "call.parameters.DYN_AGENT"}}]}
    async with open_service(tmp_path, rules=rules) as service:
        answer = await service.call("+358401112233", extradata={"DYN_AGENT": "a\x01b"})
        explained = await service.explain_last()

    assert (answer.status_code, answer.content) == (204, b"")
    assert explained == IsPartialDict(
        rule="agent",
        outcome="no_change",
        status=204,
        body=None,
        decision=IsPartialDict(no_change=True, reason="the target has no usable spelling"),
        trace_agrees=True,
    )


async def test_call_that_goes_in_circles_is_left_alone(tmp_path: Path) -> None:
    """Queues that redirect to each other get no further redirect for a call that came back too often."""
    rules = VIP_RULES | {"rules": [{"id": "always", "then": {"redirect": "vip-queue"}}]}
    async with open_service(tmp_path, rules=rules) as service:
        statuses = [
            (await service.call(extradata={"CallId": "one", "CurrQueueId": f"queue-{turn % 2}"})).status_code
            for turn in range(10)
        ]
        other = await service.call(extradata={"CallId": "two", "CurrQueueId": "queue-0"})
        explained = (await service.list_decisions(11))[1]
        detail = (await service.ask(f"/admin/decisions/{explained['id']}")).json()

    assert statuses == [200] * 6 + [204] * 4
    assert other.status_code == 200
    assert detail == IsPartialDict(outcome="no_change", rule="always", trace_agrees=True, hops=9)


async def test_repeating_a_call_is_no_circle(tmp_path: Path) -> None:
    """The same queue may ask for the same call as often as it likes."""
    rules = VIP_RULES | {"rules": [{"id": "always", "then": {"redirect": "vip-queue"}}]}
    async with open_service(tmp_path, rules=rules) as service:
        extra = {"CallId": "one", "CurrQueueId": "queue-0"}
        statuses = [(await service.call(extradata=extra)).status_code for _ in range(20)]

    assert statuses == [200] * 20


async def test_burst_is_answered_and_never_throttled(tmp_path: Path) -> None:
    """Many simultaneous calls are all decided; none is told to come back later."""
    numbers = ["+358501234567"] * 20 + [f"+35840222{n:04}" for n in range(30)]

    async with open_service(tmp_path, rules=VIP_RULES) as service:
        answers = await asyncio.gather(*(service.call(number) for number in numbers))

    assert [answer.status_code for answer in answers] == [200] * 20 + [204] * 30
    assert service.dataverse.log.most_in_flight <= service.settings.dataverse.max_connections
    asked = [r for r in service.dataverse.requests if "+358501234567" in r.query and r.path.endswith("/contacts")]
    assert len(asked) == 1


async def test_other_methods_are_refused(service: Service) -> None:
    """The webhook is for POST; anything else is told so as a problem."""
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = await service.client.request(method, "/smartrouting")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert answer.headers["content-type"] == "application/problem+json"
