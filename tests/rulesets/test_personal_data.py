"""Numbers in rulesets: hidden from whoever may not see them, and gone once they are erased."""

import json
from pathlib import Path
from typing import Any

from tests.support.rulesets import Administrator, make_rule
from tests.support.service import PROGRAM_KEY, VIP_RULES, open_service

NUMBER, NAME = "+358401112233", "Virtanen"
_RULES: dict[str, Any] = {
    "destinations": {**VIP_RULES["destinations"], "home": {"kind": "number", "id": "+358931111111"}},
    "rules": [
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
        assert [rule["id"] for rule in document["rules"]] == ["him", "name", "column"]
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

        changes = await program.read("/admin/rulesets/diff", old=first.id, new=second.id)

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
