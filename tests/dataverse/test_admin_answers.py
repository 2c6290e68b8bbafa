"""What administrators are told when Dataverse answers 200 with something else, or must not be asked."""

import json
from pathlib import Path

import httpx
import pytest

from app.emulators.faults import Fault, FaultKind
from tests.support.organisation import NOORA, open_organisation
from tests.support.service import VIP_ANSWER, VIP_RULES, wait_for

ROW = {
    "systemuserid": NOORA,
    "roleid": "d0000000-0000-4000-8000-000000000003",
    "name": "Voice User",
    "teamid": "70000000-0000-4000-8000-000000000001",
    "msdyn_appconfigurationid": "90000000-0000-4000-8000-000000000001",
}
QUESTIONS = [
    ("systemusers", "/admin/users"),
    (f"systemusers({NOORA})", f"/admin/users/{NOORA}"),
    ("roles", f"/admin/users/{NOORA}"),
    ("teams", f"/admin/users/{NOORA}"),
    ("teamrolescollection", f"/admin/users/{NOORA}"),
    ("systemuserrolescollection", f"/admin/users/{NOORA}"),
    ("teammemberships", f"/admin/users/{NOORA}"),
    ("msdyn_appconfigurations", f"/admin/users/{NOORA}"),
    ("msdyn_appconfiguration_systemuserset", f"/admin/users/{NOORA}"),
]
"""What is asked of Dataverse, and on whose behalf."""


def wrap(*rows: object) -> str:
    """Write rows as a page of Dataverse."""
    return json.dumps({"value": list(rows)})


MISSHAPEN: dict[str, str] = {
    "a web page": "<!doctype html><title>Sign in</title>",
    "nothing": "",
    "half a page": wrap(ROW)[:-20],
    "a list": json.dumps([ROW]),
    "a text": '"value"',
    "a number": "17",
    "null": "null",
    "an object without rows": json.dumps({"error": "none"}),
    "rows that are an object": json.dumps({"value": {"0": ROW}}),
    "rows that are null": json.dumps({"value": None}),
    "rows that are texts": wrap("a", "b"),
    "a row that is a list": wrap([ROW]),
    "a row without its id": wrap({"name": "Voice User"}),
    "a row whose ids are numbers": wrap(dict.fromkeys(ROW, 17) | {"name": "Voice User"}),
    "a row whose ids are lists": wrap({key: [NOORA] for key in ROW} | {"name": "Voice User"}),
    "a row whose ids are objects": wrap({key: {"id": NOORA} for key in ROW} | {"name": "Voice User"}),
}


class Detour(httpx.AsyncBaseTransport):
    """Puts another body into the answers to one question, with the status 200 they had."""

    def __init__(self, network: httpx.AsyncBaseTransport, asked: str) -> None:
        self._network = network
        self._asked = asked
        self.body: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the network, and answer something else."""
        answer = await self._network.handle_async_request(request)
        if self.body is not None and request.url.path.rpartition("/")[2] == self._asked:
            return httpx.Response(200, text=self.body, request=request)
        return answer


@pytest.mark.parametrize(("asked", "path"), QUESTIONS)
async def test_what_is_no_answer_is_told_as_such(asked: str, path: str, tmp_path: Path) -> None:
    """Whatever stands where rows of users, roles, teams or profiles should: 502, and that it cannot be read."""
    detours: list[Detour] = []

    def lead(network: httpx.AsyncBaseTransport) -> httpx.AsyncBaseTransport:
        detours.append(Detour(network, asked))
        return detours[-1]

    told = {}
    async with open_organisation(tmp_path, through=lead) as organisation:
        usual = await organisation.get(path)
        for name, body in MISSHAPEN.items():
            detours[0].body = body
            answer = await organisation.get(path)
            told[name] = (answer.status_code, answer.json()["type"])

    assert usual.status_code == 200
    assert told == dict.fromkeys(MISSHAPEN, (502, "urn:smartrouting:problem:dataverse-unreadable-answer"))


async def test_spent_request_budget_is_said_as_such(tmp_path: Path) -> None:
    """Administrators' share of it ends before that of calls: they are told whose limit it is, and when to come back."""
    settings = {"requests_per_5_minutes": 30}
    async with open_organisation(tmp_path, rules=VIP_RULES, dataverse=settings) as organisation:

        async def exhaust() -> httpx.Response | None:
            answer = await organisation.get(f"/admin/users/{NOORA}")
            return None if answer.status_code == 200 else answer

        refused = await wait_for(exhaust)
        sent = len(organisation.dataverse.requests)
        health = (await organisation.get("/health/dependencies")).json()["dependencies"][0]
        call = await organisation.service.call("+358501234567")

    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (503, "urn:smartrouting:problem:request-budget-spent")
    assert problem["detail"] == "The requests of five minutes are spent; what is left is kept for calls."
    assert 0 < int(refused.headers["Retry-After"]) <= 300
    assert health == {"name": "dataverse", "state": "degraded", "detail": problem["detail"].rstrip(".").lower()}
    assert (call.status_code, call.json()) == (200, VIP_ANSWER)
    assert sent == 24


async def test_throttling_is_passed_on_with_its_time(tmp_path: Path) -> None:
    """Who asks while Dataverse wants to be left alone is told so and for how long, and Dataverse is not asked again."""
    async with open_organisation(tmp_path) as organisation:
        organisation.dataverse.faults.add(Fault(kind=FaultKind.STATUS, status=429, retry_after_s=40, times=1))
        answers = [await organisation.get(f"/admin/users/{NOORA}") for _ in range(2)]

    told = [(each.status_code, each.json()["type"], 38 <= int(each.headers["Retry-After"]) <= 40) for each in answers]
    assert told == [(503, "urn:smartrouting:problem:dataverse-throttled", True)] * 2
