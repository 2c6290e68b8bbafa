"""Recorded calls as stored tests, and rules counted by calls."""

import json
from pathlib import Path
from typing import Any

from tests.support.records import make_id, make_record
from tests.support.rulesets import Administrator, Drafted, make_rule, record
from tests.support.service import VIP_RULES, open_service

VIP = "+358501234567"
_DAY = 86_400.0
_NOW = 1_790_000_000.0


async def test_decision_becomes_a_test(tmp_path: Path) -> None:
    """A recorded call becomes a test that reproduces it, without the caller's number, and passes the publish checks."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await service.call(VIP, bnum="+358912345678", targetid="SALES_QUEUE")
        decision = (await service.list_decisions(1))[0]
        draft = await admin.draft(source="current")

        answer = await _add(admin, decision["id"], draft)

        assert answer.status_code == 201
        tests = answer.json()["document"]["tests"]
        assert tests == [
            {
                "name": answer.json()["test"],
                "call": {"anum": "+358501234567", "bnum": "+358912345678", "targetid": "SALES_QUEUE"},
                "at": tests[0]["at"],
                "facts": {"caller.vip": True},
                "expect": {"rule": "vip", "redirect": "vip-queue", "on_fail": "overflow"},
            }
        ]
        judged = await admin.send("POST", f"{draft.path}/validate")
        assert judged.json() == {"publishable": True, "findings": [], "replay": None}


async def test_test_of_another_number_keeps_it_out(tmp_path: Path) -> None:
    """The real number is nowhere in the draft, and the test fails as soon as the rules decide otherwise."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await service.call("+358409998877")
        decision = (await service.list_decisions(1))[0]
        draft = await admin.draft({"rules": [make_rule("all", disconnect=True)]})

        answer = await _add(admin, decision["id"], draft, {"name": "a stranger stays"})

        assert "9998877" not in answer.text
        judged = (await admin.send("POST", f"{draft.path}/validate")).json()
        assert [(f["code"], f["pointer"]) for f in judged["findings"]] == [("failing-test", "/tests/0")]
        again = await _add(
            admin, decision["id"], Drafted(draft.id, answer.headers["ETag"]), {"name": "a stranger stays"}
        )
        assert again.status_code == 409


async def test_facts_about_the_person_need_revealing(tmp_path: Path) -> None:
    """When a rule reads who calls, the test keeps that only when it is revealed, which is audited."""
    rules = [make_rule("number", {"fact": "call.caller", "op": "starts_with", "value": "+35850"}, disconnect=True)]
    async with open_service(tmp_path, rules={"rules": rules}) as service:
        admin = Administrator(service)
        await service.call(VIP)
        decision = (await service.list_decisions(1))[0]
        draft = await admin.draft(source="current")

        hidden = await _add(admin, decision["id"], draft)
        shown = await _add(admin, decision["id"], draft, reveal=True)

        assert hidden.status_code == 422
        assert "call.caller" in hidden.json()["detail"]
        assert shown.json()["document"]["tests"][0]["facts"] == {"call.caller": VIP}
        judged = await admin.send("POST", f"{draft.path}/validate")
        assert judged.json()["publishable"]


async def test_unknown_facts_are_pinned(tmp_path: Path) -> None:
    """A fact that was unknown stays unknown in the test, with its cause."""
    rules = [make_rule("silent", {"fact": "caller.vip", "op": "is_unknown"}, disconnect=True)]
    unknown = {"unknown": "timeout", "detail": "Dataverse timed out at 1.2 s"}
    decided = {"outcome": "disconnect", "rule": "silent", "disconnect": True}
    async with open_service(tmp_path, rules={"rules": rules}) as service:
        admin = Administrator(service)
        item = make_record(_NOW, facts={"caller.vip": unknown}, rule="silent", decision=decided, queue_id="Q")
        await record(service, [item])
        draft = await admin.draft(source="current")

        answer = await _add(admin, item.id, draft)

        test = answer.json()["document"]["tests"][0]
        assert test["facts"] == {"caller.vip": unknown}
        assert test["call"]["extradata"] == {"CurrQueueId": "Q"}
        assert (await admin.send("POST", f"{draft.path}/validate")).json()["publishable"]


async def test_no_test_without_version_or_decision(tmp_path: Path) -> None:
    """The draft's version is needed, and the decision must be there."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.draft(source="current")
        item = make_record(_NOW)
        await record(service, [item])

        path = f"/admin/decisions/{item.id}/test"
        assert (await admin.send("POST", path, draft=draft.id)).status_code == 428
        assert (await admin.send("POST", path, draft=draft.id, etag='"old"')).status_code == 412
        assert (await _add(admin, "nobody", draft)).status_code == 404


async def test_coverage_counts_calls_by_rule(tmp_path: Path) -> None:
    """Each rule of a revision or a draft is listed with its calls, and so are calls by rules it does not have."""
    async with open_service(tmp_path, rules=VIP_RULES, clock=lambda: _NOW) as service:
        admin = Administrator(service)
        calls = [("vip", 1.0), ("vip", 2.0), ("gone", 3.0), (None, 4.0), ("vip", 40.0)]
        await record(service, [_make(rule, days) for rule, days in calls])
        draft = await admin.change("POST", await admin.draft(source="1"), "/rules", make_rule("new"))

        month = await admin.read(f"{draft.path}/coverage")
        year = await admin.read("/admin/rulesets/current/coverage", days=365)

        assert month == {
            "days": 30,
            "calls": 4,
            "rules": [
                {"rule": "vip", "name": "", "enabled": True, "calls": 2, "percent": 50.0},
                {"rule": "new", "name": "", "enabled": True, "calls": 0, "percent": 0.0},
            ],
            "unmatched": 1,
            "other_rules": {"gone": 1},
        }
        assert (year["calls"], year["rules"][0]["calls"]) == (5, 3)


async def test_rule_that_never_matches_is_a_warning(tmp_path: Path) -> None:
    """A rule that has been published for 30 days and matched nothing is warned of; a new one is not."""
    start = _NOW - 31 * _DAY
    moments = [start]
    document = {
        **VIP_RULES,
        "rules": [*VIP_RULES["rules"], make_rule("quiet", {"fact": "call.culture", "op": "exists"})],
    }
    async with open_service(tmp_path, rules=document, clock=lambda: moments[0]) as service:
        admin = Administrator(service)
        moments[0] = _NOW
        await record(service, [_make("vip", 1.0)])
        draft = await admin.change("POST", await admin.draft(source="1"), "/rules", make_rule("new"))

        judged: dict[str, Any] = (await admin.send("POST", f"{draft.path}/validate")).json()

        assert judged["publishable"]
        assert [(f["code"], f["pointer"], f["rule"], f["severity"]) for f in judged["findings"]] == [
            ("never-matched", "/rules/1", "quiet", "warning")
        ]
        assert json.dumps(judged).count("30 days") == 1


def _make(rule: str | None, days_ago: float) -> Any:
    at = _NOW - days_ago * _DAY
    return make_record(at, id=make_id(at), rule=rule)


async def _add(admin: Administrator, decision: str, draft: Drafted, body: object = None, **query: Any) -> Any:
    path = f"/admin/decisions/{decision}/test"
    return await admin.send("POST", path, body, etag=draft.etag, draft=draft.id, **query)
