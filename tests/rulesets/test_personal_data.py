"""Numbers in rulesets: hidden from whoever may not see them, and gone once they are erased."""

import json
import re
from pathlib import Path
from typing import Any

from sqlalchemy import text as sql

from app.store.database import open_database
from tests.support.rulesets import Administrator, make_rule
from tests.support.service import PROGRAM_KEY, VIP_RULES, Service, open_service

NUMBER, NAME = "+358401112233", "Virtanen"
_RULES: dict[str, Any] = {
    "destinations": {**VIP_RULES["destinations"], "home": {"kind": "number", "id": "+358931111111"}},
    "define": {"known": {"any": [{"fact": "caller.name", "op": "is", "value": NAME}]}},
    "rules": [
        make_rule(
            "defined", {"all": [{"defined": "known"}, {"fact": "call.caller", "op": "in_table", "value": "list"}]}
        ),
        make_rule("him", {"fact": "call.caller", "op": "in", "value": [NUMBER, "0401112233"]}, no_change=True),
        make_rule(
            "name",
            {"any": [{"not": {"fact": "caller.name", "op": "is", "value": NAME}}]},
            redirect="home",
            messages=[{"culture": "en-GB", "text": f"Call {NUMBER}"}],
        ),
        {**make_rule("column", {"fact": "caller.columns.city", "op": "is", "value": NAME}), "name": f"not {NUMBER}"},
    ],
    "tests": [
        {
            "name": f"a call from {NUMBER}",
            "call": {"anum": NUMBER, "bnum": "+358912345678", "extradata": {"DYN_name": NAME}},
            "tables": {"list": {NUMBER: {"name": NAME}}},
            "caller": {"status": "identified", "vip": True, "name": NAME, "columns": {"city": NAME}},
            "facts": {"caller.name": NAME, "call.caller": NUMBER, "caller.vip": True},
            "expect": {"rule": "nobody"},
        }
    ],
}


async def test_who_may_not_see_numbers_finds_none_in_drafts(tmp_path: Path) -> None:
    """A program reads rules, differences, checks and counts, and nowhere a number or a name; an administrator does."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin, program = Administrator(service), Administrator(service, PROGRAM_KEY)
        draft = await admin.draft(_RULES, name=f"for {NUMBER}")

        shown = await program.read(draft.path)
        answers = [
            shown,
            await program.read("/admin/rulesets/drafts"),
            await program.read("/admin/rulesets/diff", new=draft.id),
            await program.read("/admin/rulesets/diff", old=draft.id, new="current"),
            (await program.send("POST", f"{draft.path}/validate")).json(),
            await program.read(f"{draft.path}/coverage"),
            await program.read(f"{draft.path}/shadow"),
        ]

        for number, answer in enumerate(answers):
            text = json.dumps(answer)
            assert not [secret for secret in (NUMBER, "401112233", NAME) if secret in text], (number, text)
        document = shown["document"]
        assert document["destinations"] == _RULES["destinations"]
        assert [rule["id"] for rule in document["rules"]] == ["defined", "him", "name", "column"]
        assert document["tests"][0]["caller"] == {
            "status": "identified",
            "vip": True,
            "name": "(hidden)",
            "columns": "(hidden)",
        }
        assert document["tests"][0]["expect"] == {"rule": "nobody"}
        assert (await admin.read(draft.path))["document"] == _RULES


async def test_change_of_a_hidden_value_is_hidden(tmp_path: Path) -> None:
    """A difference inside a condition or a test says where it is, and not what."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin, program = Administrator(service), Administrator(service, PROGRAM_KEY)
        first = await admin.draft(_RULES)
        second = await admin.draft(source=first.id)
        rule = make_rule("him", {"fact": "call.caller", "op": "in", "value": ["+358409998877", "12"]}, no_change=True)
        second = await admin.change("PUT", second, "/rules/him", rule)
        test = {**_RULES["tests"][0], "facts": {"caller.name": "Korhonen"}}
        second = await admin.change("PUT", second, f"/tests/{test['name']}", test)

        changes = (await program.read("/admin/rulesets/diff", old=first.id, new=second.id))["items"]

        assert {(change["kind"], change["part"]) for change in changes} == {("changed", "rule"), ("changed", "test")}
        assert {change["after"] for change in changes} <= {"(hidden)", None}
        assert not [secret for secret in (NAME, "Korhonen", "9998877", "1112233") if secret in json.dumps(changes)]


async def test_who_may_not_see_numbers_finds_none_in_replays(tmp_path: Path) -> None:
    """Neither the result of a replay nor its calls show a number that names a draft, a rule or a place."""
    rules = [make_rule(f"not {NUMBER}", disconnect=True)]
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin, program = Administrator(service), Administrator(service, PROGRAM_KEY)
        await service.call(targetid=f"target {NUMBER}")
        await service.list_decisions(1)
        draft = await admin.draft({"rules": rules}, name=f"for {NUMBER}")
        state = await program.replay(draft.id)

        path = f"/admin/replays/{state['id']}"
        diffs = await program.read(f"{path}/diffs")
        detail = await program.read(f"{path}/diffs/{diffs['items'][0]['decision']}")
        answers = [state, await program.read("/admin/replays"), diffs, detail]

        assert state["result"]["changed"] == 1
        assert "1112233" not in json.dumps(answers)
        assert NUMBER in json.dumps(await admin.read(path))


async def test_erased_number_leaves_drafts(tmp_path: Path) -> None:
    """A draft that names a number, however written, holds a pseudonym instead, and must be read again to be changed."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft, other = await admin.draft(_SPELLED, name="for 040 111 2233"), await admin.draft(source="1")

        receipt = await _erase(admin)

        shown = await admin.send("GET", draft.path)
        stale = await admin.send("POST", f"{draft.path}/rules", make_rule("x"), etag=draft.etag)
        assert receipt["drafts"] == 1
        assert not _find_number(shown.text)
        assert (shown.headers["ETag"] != draft.etag, stale.status_code) == (True, 412)
        assert (await admin.send("GET", other.path)).headers["ETag"] == other.etag
        assert shown.json()["document"]["rules"][0]["when"]["value"] == [_read_pseudonym(shown.text)] * 4 + [
            "+46401112233"
        ]
        assert (await _erase(admin))["drafts"] == 0


async def test_erased_number_leaves_revisions(tmp_path: Path) -> None:
    """A published rule that names a number recognises it no more, and still fits its test; what rules do stays."""
    rule = make_rule("him", {"fact": "call.caller", "op": "is", "value": NUMBER}, redirect="overflow")
    document = {
        **VIP_RULES,
        "rules": [{**rule, "then": {**rule["then"], "messages": _MESSAGES}}],
        "tests": [{"name": f"from {NUMBER}", "call": {"anum": NUMBER}, "expect": {"rule": "him"}}],
    }
    response = {"fields": {"messages": {"key": "Texts", "shape": "culture_map"}}}
    async with open_service(tmp_path, rules=document, response=response) as service:
        admin = Administrator(service)
        before = await service.call(NUMBER)

        receipt = await _erase(admin)

        after = await service.call(NUMBER)
        shown = await admin.read("/admin/rulesets/1")
        judged = (await admin.send("POST", "/admin/rulesets/1/validate")).json()
        assert (before.status_code, after.status_code) == (200, 204)
        assert receipt["revisions"] == 1
        [kept] = shown["document"]["rules"]
        assert (kept["then"]["messages"], kept["when"]["value"]) == (_MESSAGES, _read_pseudonym(json.dumps(shown)))
        assert not _find_number(json.dumps([shown["document"]["tests"], kept["when"]]))
        assert [finding["code"] for finding in judged["findings"] if finding["severity"] == "error"] == []


async def test_erased_number_leaves_replays_and_audit(tmp_path: Path) -> None:
    """Neither the rules that a replay keeps nor what the audit says of drafts hold the number."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        await service.call("+358501234567")
        await service.list_decisions(1)
        draft = await admin.draft({"rules": [make_rule("end", disconnect=True)]})
        draft = await admin.change("POST", draft, "/rules", make_rule("him", _CONDITION, no_change=True))
        path = f"/admin/replays/{(await admin.replay(draft.id))['id']}"
        diff = (await admin.read(f"{path}/diffs"))["items"][0]
        await admin.send("DELETE", draft.path, etag=draft.etag)

        receipt = await _erase(admin)

        assert (receipt["jobs"], receipt["audit"], receipt["drafts"]) == (1, 2, 0)
        assert not _find_number(json.dumps(await admin.read("/admin/audit")))
        assert (await admin.read(f"{path}/diffs/{diff['decision']}"))["after"]["decision"]["rule"] == "end"
        assert not _find_number(await _read_table(service, "jobs"))
        assert not _find_number(await _read_table(service, "audit"))


_CONDITION = {"fact": "call.caller", "op": "in", "value": [NUMBER, "00358 40 111 2233", "040-1112233", 358401112233]}
_SPELLED: dict[str, Any] = {
    "rules": [
        make_rule("him", {**_CONDITION, "value": [*_CONDITION["value"], "+46401112233"]}, no_change=True),
        make_rule("end", {"fact": "caller.columns.phone", "op": "is", "value": "+358 (0)40 111 2233"}, disconnect=True),
    ],
    "tests": [{"name": "him", "call": {"anum": "401112233"}, "expect": {"rule": "end"}}],
}
_MESSAGES = [{"culture": "en-GB", "text": "Call +358 40 111 2233."}]


async def _erase(admin: Administrator) -> dict[str, int]:
    answer = await admin.send("POST", "/admin/erasures", {"number": NUMBER})
    assert answer.status_code == 200, answer.text
    receipt: dict[str, int] = answer.json()["erased"]
    return receipt


def _find_number(text: str) -> bool:
    return re.search(r"40[ -]?111[ -]?2233", text.replace("+46401112233", "")) is not None


def _read_pseudonym(text: str) -> str:
    [pseudonym] = set(re.findall(r"erased-[0-9a-f]{12}", text))
    return pseudonym


async def _read_table(service: Service, table: str) -> str:
    database = open_database(service.settings.store.url)
    async with database.read() as connection:
        rows = [tuple(row) for row in await connection.execute(sql(f"SELECT * FROM {table}"))]  # noqa: S608 - ours
    await database.close()
    return repr(rows)
