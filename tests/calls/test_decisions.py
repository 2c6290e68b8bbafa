"""`/admin/decisions`: what was answered, why, and who may see whom it concerned."""

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dirty_equals import IsFloat, IsPartialDict, IsPositiveFloat, IsStr, IsUUID

from app.store.audit import AuditEntry, AuditStore
from app.store.database import open_database
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, USER_KEY, VIP_ANSWER, VIP_RULES, Service, open_service

NUMBER = "+358501234567"
NAME = "Helena Aaltonen"
RULES = VIP_RULES | {
    "rules": [
        {
            "id": "named",
            "when": {
                "any": [
                    {"fact": "caller.name", "op": "is", "value": "Somebody Else"},
                    {"not": {"fact": "call.caller", "op": "starts_with", "value": "+358"}},
                    {"fact": "call.caller", "op": "in", "value": ["+358501111111", "+358502222222"]},
                    {"fact": "call.parameters.DYN_NOTE", "op": "is", "value": "private matter"},
                    {"fact": "caller.columns.jobtitle", "op": "is", "value": "Director"},
                ]
            },
            "then": {"no_change": True},
        },
        *VIP_RULES["rules"],
    ]
}
EXTRA = {"CallId": "call-1", "CurrQueueId": "queue-1", "DYN_NOTE": "about my divorce"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """Serve the sample organisation."""
    async with open_service(tmp_path, rules=RULES) as opened:
        yield opened


async def read_audit(service: Service, what: str = "decision.revealed") -> list[AuditEntry]:
    """Read the audit of one kind from the database."""
    database = open_database(service.settings.store.url)
    page = await AuditStore(database=database).page(limit=50, what=what)
    await database.close()
    return list(page.items)


async def test_entry_tells_what_was_answered(service: Service) -> None:
    """The decision log holds what went out, who was recognised, by which rule, and how the time was spent."""
    before = datetime.now(UTC)
    headers = {"X-Benemen-APIKey": "webhook-key-for-tests", "X-Request-ID": "req-abcdefgh"}
    payload = {"anum": "050 1234567", "bnum": "+358912345678", "targetid": "SALES", "extradata": EXTRA}

    answer = await service.post(payload, headers)
    explained = await service.explain_last()

    assert {name: value for name, value in explained.items() if name not in {"facts", "trace"}} == {
        "id": IsUUID(7),
        "at": IsStr(),
        "call_id": "call-1",
        "caller": "+35850*****67",
        "called": "+358912345678",
        "target_id": "SALES",
        "queue_id": "queue-1",
        "caller_status": "identified",
        "caller_cause": None,
        "caller_age_seconds": IsFloat(ge=0, le=5),
        "caller_source": "live",
        "revision": 1,
        "settings_version": 0,
        "rule": "vip",
        "outcome": "redirect",
        "status": answer.status_code,
        "milliseconds": explained["waterfall"]["total"],
        "deadline_ms": 4900,
        "credential": "queue",
        "drill": None,
        "request_id": "req-abcdefgh",
        "caller_raw": IsStr(regex=r"050 1\*+67"),
        "called_raw": "+358912345678",
        "decision": {
            "outcome": "redirect",
            "rule": "vip",
            "redirect": "vip-queue",
            "target": {"kind": "queue", "id": "queue-of-vips", "name": "vip-queue"},
            "on_fail": "overflow",
            "fail_target": {"kind": "number", "id": "+358401234567", "name": "overflow"},
        },
        "body": answer.text,
        "waterfall": IsPartialDict(
            receive=IsFloat(ge=0), look_up=IsPositiveFloat, rules=IsPositiveFloat, record=IsPositiveFloat
        ),
        "hops": 0,
        "trace_agrees": True,
        "revealed": False,
    }
    assert json.loads(explained["body"]) == VIP_ANSWER
    assert list(explained["waterfall"])[-1] == "total"
    assert explained["waterfall"].keys() >= {"look_up.turn", "look_up.token", "look_up.dataverse"}
    stages = [explained["waterfall"][stage] for stage in ("receive", "look_up", "rules", "record")]
    assert explained["waterfall"]["total"] == pytest.approx(sum(stages), abs=0.01)
    assert before - timedelta(seconds=1) < datetime.fromisoformat(explained["at"]) < datetime.now(UTC)


async def test_trace_explains_every_rule(service: Service) -> None:
    """Each rule is there with every condition, what it expected and what it found."""
    await service.call(NUMBER, extradata=EXTRA)

    trace = (await service.explain_last())["trace"]

    assert [(rule["id"], rule["verdict"], rule["decided"]) for rule in trace["rules"]] == [
        ("named", "false", False),
        ("vip", "true", True),
    ]
    assert trace["rules"][1]["when"]["all"][0] == {
        "fact": "caller.vip",
        "op": "is",
        "expected": True,
        "actual": True,
        "verdict": "true",
        "cause": None,
        "detail": "",
        "pointer": "/rules/1/when",
    }


async def test_numbers_and_names_are_hidden(service: Service) -> None:
    """Neither list nor detail tells who called, nor does the trace, nor what the queue said about them."""
    await service.call(NUMBER, extradata=EXTRA)
    detail = await service.explain_last()
    listed = (await service.list_decisions(1))[0]

    text = json.dumps([detail, listed], ensure_ascii=False)
    for secret in (NUMBER, NUMBER[1:], NAME, "Helena", "divorce", "+358501111111", "Somebody Else", "private matter"):
        assert secret not in text
    assert listed["caller"] == "+35850*****67"
    assert detail["facts"] == IsPartialDict(
        {"call.caller": "+35850*****67", "caller.name": "(hidden)", "call.parameters.DYN_NOTE": "(hidden)"}
    )
    assert await read_audit(service) == []


async def test_revealing_needs_the_role_and_is_audited(service: Service) -> None:
    """An administrator may see number and name, and each time that is written down with who it was."""
    await service.call(NUMBER, extradata=EXTRA)
    path = f"/admin/decisions/{(await service.list_decisions(1))[0]['id']}"

    revealed = await service.ask(path, reveal=True)
    refused = await service.ask(path, key=PROGRAM_KEY, reveal=True)
    missing = await service.ask("/admin/decisions/0190a000-0000-7000-8000-000000000000", reveal=True)

    assert (revealed.status_code, refused.status_code, missing.status_code) == (200, 403, 404)
    assert revealed.json() == IsPartialDict(caller=NUMBER, caller_raw=NUMBER, revealed=True)
    facts = revealed.json()["facts"]
    assert facts == IsPartialDict(
        {"call.caller": NUMBER, "caller.name": NAME, "call.parameters.DYN_NOTE": "about my divorce"}
    )
    assert [(entry.who, entry.what, entry.target) for entry in await read_audit(service)] == [
        ("anna", "decision.revealed", f"decision/{path.rsplit('/', 1)[-1]}")
    ]


@pytest.mark.parametrize("path", ["/admin/decisions", "/admin/decisions/0190a000-0000-7000-8000-000000000000"])
async def test_roles(service: Service, path: str) -> None:
    """Administrators and programs may read; an end user may not; a stranger is asked for a token."""
    found = 200 if path.endswith("decisions") else 404

    answers = [await service.ask(path, key=key) for key in (ADMIN_KEY, PROGRAM_KEY, USER_KEY, "nobody")]
    bare = await service.client.get(path)
    basic = await service.client.get(path, auth=("anna", ADMIN_KEY))

    assert [answer.status_code for answer in answers] == [found, found, 403, 401]
    assert (bare.status_code, basic.status_code) == (401, 401)
    for answer in (*answers[2:], bare, basic):
        assert answer.headers["content-type"] == "application/problem+json"
    assert "Voice ApiUser" in answers[2].json()["detail"]
    assert all(a.headers["www-authenticate"].startswith("Bearer ") for a in (answers[3], bare, basic))


async def test_paging_visits_each_once(service: Service) -> None:
    """Pages follow each other newest first without gaps or repetitions, also while new calls come in."""
    for turn in range(23):
        await service.call(NUMBER, extradata={"CallId": f"c{turn:02}"})
    await service.list_decisions(23)

    seen: list[str] = []
    after: str | None = None
    while True:
        page = (await service.ask("/admin/decisions", limit=5, **({"after": after} if after else {}))).json()
        seen += [item["call_id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
        await service.call(NUMBER, extradata={"CallId": "later"})

    assert seen == [f"c{turn:02}" for turn in reversed(range(23))]


async def test_filters(service: Service) -> None:
    """Each filter keeps exactly the decisions it names, and several hold together."""
    await service.call(NUMBER, targetid="SALES", extradata={"CallId": "vip", "CurrQueueId": "q1"})
    await service.call("+358401112233", targetid="SALES", extradata={"CallId": "plain", "CurrQueueId": "q2"})
    await service.call(None, targetid="HELP", extradata={"CallId": "hidden", "CurrQueueId": "q1"})
    await service.list_decisions(3)
    middle = (await service.list_decisions(3))[1]["at"]

    async def find(**query: Any) -> list[str]:
        answer = await service.ask("/admin/decisions", **query)
        assert answer.status_code == 200
        return [item["call_id"] for item in answer.json()["items"]]

    assert await find(outcome="redirect") == ["vip"]
    assert await find(outcome="no_change") == ["hidden", "plain"]
    assert await find(rule="vip") == ["vip"]
    assert await find(caller_status="withheld") == ["hidden"]
    assert await find(caller_cause="timeout") == []
    assert await find(queue_id="q1") == ["hidden", "vip"]
    assert await find(target_id="SALES", queue_id="q1") == ["vip"]
    assert await find(call_id="plain") == ["plain"]
    assert await find(caller=NUMBER) == ["vip"]
    assert await find(revision=1) == ["hidden", "plain", "vip"]
    assert await find(revision=2) == []
    assert await find(drill="true") == []
    assert await find(drill="false", limit=1) == ["hidden"]
    assert await find(since=middle) == ["hidden", "plain"]
    assert await find(until=middle) == ["vip"]
    assert await find(since="9999-12-31T23:59:59-14:00") == []


@pytest.mark.parametrize("query", [{"caller": NUMBER}, {"call_id": NUMBER}, {"queue_id": NUMBER[1:]}])
async def test_search_for_a_number_needs_the_role_and_is_audited(service: Service, query: dict[str, str]) -> None:
    """Who may not see numbers cannot find one by searching for it; who may leaves an audit record without it."""
    await service.call(NUMBER, extradata={"CallId": NUMBER, "CurrQueueId": NUMBER[1:]})
    await service.list_decisions(1)

    refused = await service.ask("/admin/decisions", key=PROGRAM_KEY, **query)
    found = await service.ask("/admin/decisions", **query)

    assert (refused.status_code, refused.json()["type"]) == (403, "urn:smartrouting:problem:forbidden")
    assert len(found.json()["items"]) == 1
    entries = await read_audit(service, "decisions.searched")
    assert [(entry.who, entry.target) for entry in entries] == [("anna", "decisions")]
    assert NUMBER[1:] not in str(entries)


@pytest.mark.parametrize(
    "query",
    [
        *(
            {"after": "x"},
            {"after": "\0"},
            {"limit": 0},
            {"limit": 201},
            {"caller": "0501234567"},
            {"caller": "+35850*"},
        ),
        *(
            {"since": "2026-01-01T00:00:00"},
            {"since": "yesterday"},
            {"outcome": "sold"},
            {"revision": 0},
            {"unheard": 1},
        ),
        *({"revision": 2**31}, {"drill": "maybe"}, {"caller_status": "VIP"}),
    ],
)
async def test_nonsense_is_refused(service: Service, query: dict[str, Any]) -> None:
    """A filter that cannot be meant is 422, as a problem that names it, if it is one, and does not repeat its value."""
    answer = await service.ask("/admin/decisions", **query)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert next(iter(query)) in answer.json()["errors"][0]["detail"]
    assert "0501234567" not in answer.text


async def test_unknown_decision_is_not_found(service: Service) -> None:
    """An id nobody gave is 404, whatever it looks like."""
    for name in ("0190a000-0000-7000-8000-000000000000", "x", "%00", "..%2Fkeys", "+358501234567"):
        answer = await service.ask(f"/admin/decisions/{name}")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
        assert "358501234567" not in answer.text


async def test_withheld_caller_has_no_number(service: Service) -> None:
    """A hidden number is null, or the word the queue sent."""
    await service.call(None)
    await service.call("")
    await service.call("anonymous")

    heads = [head["caller"] for head in await service.list_decisions(3)]

    assert heads == [IsStr(regex=r"ano\*+us"), None, None]


async def test_old_decisions_are_explained_by_their_own_revision(tmp_path: Path) -> None:
    """After other rules are published, a decision is still explained by those that made it."""
    async with open_service(tmp_path, rules=RULES) as service:
        await service.call(NUMBER)
        first = (await service.list_decisions(1))[0]
    async with open_service(tmp_path, rules={"rules": []}) as service:
        await service.call(NUMBER)
        detail = (await service.ask(f"/admin/decisions/{first['id']}")).json()
        second = (await service.list_decisions(2))[0]

    assert (first["revision"], second["revision"]) == (1, 2)
    assert detail == IsPartialDict(revision=1, rule="vip", trace_agrees=True)
    assert [rule["id"] for rule in detail["trace"]["rules"]] == ["named", "vip"]


async def test_decisions_are_a_table_under_the_filters_of_the_list(service: Service) -> None:
    """All of them, however many a page holds, newest first, with the members of the list as columns."""
    for number in range(3):
        await service.call(NUMBER, targetid="SALES", extradata={"CallId": f"call-{number}"})
    await service.call("anonymous", targetid="=1+1")
    await service.list_decisions(4)
    items = (await service.ask("/admin/decisions", target_id="SALES")).json()["items"]

    answer = await service.ask("/admin/decisions", target_id="SALES", format="csv", limit=1)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="decisions.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["call_id"] for row in rows] == ["call-2", "call-1", "call-0"]
    assert list(rows[0]) == list(items[0])
    assert rows[0]["caller"] == "'" + items[0]["caller"]
    assert NUMBER not in answer.text
    formula = await service.ask("/admin/decisions", target_id="=1+1", format="csv")
    assert [row["target_id"] for row in csv.DictReader(io.StringIO(formula.text))] == ["'=1+1"]
    nothing = await service.ask("/admin/decisions", target_id="OTHER", format="csv")
    assert nothing.text == ",".join(items[0]) + "\r\n"


async def test_full_numbers_in_a_table_are_for_one_role_and_leave_a_record(service: Service) -> None:
    """Others are refused before anything is read."""
    await service.call(NUMBER)
    await service.list_decisions(1)

    shown = await service.ask("/admin/decisions", format="csv", reveal=True)
    refused = await service.ask("/admin/decisions", key=PROGRAM_KEY, format="csv", reveal=True)

    assert [row["caller"] for row in csv.DictReader(io.StringIO(shown.text))] == ["'" + NUMBER]
    assert refused.status_code == 403
    assert [(entry.who, entry.target) for entry in await read_audit(service, "decisions.revealed")] == [
        ("anna", "decisions")
    ]
