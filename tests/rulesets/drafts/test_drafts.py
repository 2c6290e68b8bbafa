"""Drafts: made from something, changed from a known version, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from tests.support.rulesets import Administrator, make_rule
from tests.support.service import PROGRAM_KEY, USER_KEY, VIP_RULES, open_service

WIDE = make_rule("wide", {"fact": "caller.vip", "op": "is", "value": False})


async def test_draft_starts_from_current(tmp_path: Path) -> None:
    """A draft of the current revision holds its rules and says what it is based on."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)

        draft = await admin.draft(source="current")

        shown = await admin.read(draft.path)
        assert (shown["kind"], shown["document"], shown["draft"]["based_on"]) == ("draft", VIP_RULES, 1)
        assert f'"{shown["draft"]["etag"]}"' == draft.etag
        assert [item["id"] for item in (await admin.read("/admin/rulesets/drafts"))["items"]] == [draft.id]


async def test_draft_is_built_part_by_part(tmp_path: Path) -> None:
    """Rules, destinations, calendars and tests can be added, replaced, moved and removed one by one."""
    calendar = {"time_zone": "Europe/Helsinki", "weekly": {"mon": ["08:00-16:00"]}}
    async with open_service(tmp_path) as service:
        admin = Administrator(service)
        draft = await admin.draft()
        draft = await admin.change("PUT", draft, "/destinations/vip-queue", {"kind": "queue", "id": "Q"})
        draft = await admin.change("PUT", draft, "/destinations/other", {"kind": "number", "id": "+358401"})
        draft = await admin.change("POST", draft, "/rules", make_rule("a"))
        draft = await admin.change("POST", draft, "/rules", make_rule("b"), position=0)
        draft = await admin.change("POST", draft, "/rules", make_rule("c"))
        draft = await admin.change("PUT", draft, "/rules/a", {"name": "New", "then": {"no_change": True}})
        draft = await admin.change("POST", draft, "/rules/c/move", {"position": 0})
        draft = await admin.change("DELETE", draft, "/rules/b")
        draft = await admin.change("PUT", draft, "/calendars/office", calendar)
        draft = await admin.change("PUT", draft, "/calendars/unused", calendar)
        draft = await admin.change("DELETE", draft, "/calendars/unused")
        test = {"call": {"anum": "+358501234567"}, "expect": {"rule": "c"}}
        draft = await admin.change("PUT", draft, "/tests/a VIP/first", test)
        draft = await admin.change("PUT", draft, "/tests/second", test)
        draft = await admin.change("DELETE", draft, "/tests/second")
        draft = await admin.change("DELETE", draft, "/destinations/other")

        assert (await admin.read(draft.path))["document"] == {
            "destinations": {"vip-queue": {"kind": "queue", "id": "Q"}},
            "rules": [make_rule("c"), {"id": "a", "name": "New", "then": {"no_change": True}}],
            "calendars": {"office": calendar},
            "tests": [{**test, "name": "a VIP/first"}],
        }


async def test_change_needs_a_version(tmp_path: Path) -> None:
    """Without If-Match a change is refused with 428, from an old version with 412, and nothing is lost."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        first = await admin.draft(source="current")
        second = await admin.change("POST", first, "/rules", WIDE)
        changes = [
            ("PUT", "", VIP_RULES),
            ("DELETE", "", None),
            ("POST", "/rules", WIDE),
            ("PUT", "/rules/vip", WIDE),
            ("POST", "/rules/vip/move", {"position": 0}),
            ("DELETE", "/rules/vip", None),
            ("PUT", "/destinations/x", {"kind": "queue", "id": "x"}),
            ("PUT", "/tests/x", {"call": {}, "expect": {}}),
            ("POST", "/publish", {"comment": "x", "expected_revision": 1}),
        ]

        for method, part, body in changes:
            path = second.path + part
            assert (await admin.send(method, path, body)).status_code == 428, part
            assert (await admin.send(method, path, body, etag="*")).status_code == 428, part
            assert (await admin.send(method, path, body, etag=first.etag)).status_code == 412, part
        shown = await admin.send("GET", second.path)
        assert shown.headers["ETag"] == f'"{shown.json()["draft"]["etag"]}"' == second.etag
        assert [rule["id"] for rule in shown.json()["document"]["rules"]] == ["vip", "wide"]


async def test_two_editors_at_once(tmp_path: Path) -> None:
    """Of several who edit the same version at the same time exactly one succeeds."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.draft(source="current")

        answers = await asyncio.gather(
            *(
                admin.send("POST", f"{draft.path}/rules", make_rule(f"r{number}"), etag=draft.etag)
                for number in range(5)
            )
        )

        assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
        assert len((await admin.read(draft.path))["document"]["rules"]) == 2


@pytest.mark.parametrize(
    ("part", "method", "body", "pointer", "code"),
    [
        ("/rules", "POST", make_rule("x", {"fact": "caller.vipp", "op": "exists"}), "/when/fact", "unknown-fact"),
        ("/rules", "POST", [1], "", "model-type"),
        ("/rules", "POST", make_rule("vip"), "/id", "duplicate-rule"),
        ("/rules/vip", "PUT", {"id": "vip", "then": {}}, "/then", "not-one-action"),
        ("/destinations/x", "PUT", {"kind": "planet", "id": "x"}, "/kind", "enum"),
        ("/calendars/x", "PUT", {"time_zone": "Mars/Base"}, "/time_zone", "unknown-time-zone"),
        ("/calendars/x", "PUT", {"time_zone": "UTC", "same_as": "x"}, "/same_as", "unknown-key"),
        ("/tests/x", "PUT", {"call": {}, "expect": {"rulee": 1}}, "/expect/rulee", "unknown-key"),
        ("", "PUT", {"rules": [{"id": "a"}]}, "/rules/0", "missing"),
    ],
)
async def test_bad_part_is_pointed_at(
    *, tmp_path: Path, part: str, method: str, body: object, pointer: str, code: str
) -> None:
    """What is wrong is named by JSON pointer into what was sent, and the draft stays as it was."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.draft(source="current")

        answer = await admin.send(method, draft.path + part, body, etag=draft.etag)

        assert answer.status_code == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (pointer, code) in [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
        assert (await admin.send("GET", draft.path)).headers["ETag"] == draft.etag


async def test_bad_new_draft_is_pointed_at(tmp_path: Path) -> None:
    """A file sent with a new draft is pointed into, and no draft is left behind."""
    async with open_service(tmp_path) as service:
        admin = Administrator(service)

        answer = await admin.send("POST", "/admin/rulesets/drafts", {"name": "x", "document": {"rules": [{"id": 1}]}})

        assert answer.status_code == 422
        assert "/document/rules/0/id" in [error["pointer"] for error in answer.json()["errors"]]
        assert (await admin.read("/admin/rulesets/drafts"))["items"] == []


async def test_monstrous_bodies_are_refused(tmp_path: Path) -> None:
    """Ten megabytes, nesting without end and text that is no JSON are refused, and nothing changes."""
    deep = b'{"rules": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    nested = orjson.dumps({"rules": [make_rule("x", _nest(200))]})
    async with open_service(tmp_path) as service:
        admin = Administrator(service)
        draft = await admin.draft()
        answers = {}
        for name, body in {
            "large": b'"' + b"x" * 10_000_000 + b'"',
            "deep": deep,
            "nested": nested,
            "odd": b"{",
        }.items():
            answer = await admin.send("PUT", draft.path, body, etag=draft.etag)
            answers[name] = (answer.status_code, [error["code"] for error in answer.json().get("errors", [])])

        created = await admin.send("POST", "/admin/rulesets/drafts", b'{"name": "x", "document": ' + deep + b"}")

        assert answers == {
            "large": (413, []),
            "deep": (422, ["too-deep"]),
            "nested": (422, ["too-deep"]),
            "odd": (422, ["not-json"]),
        }
        assert created.status_code in {400, 422}
        assert (await admin.send("GET", draft.path)).headers["ETag"] == draft.etag


async def test_unannounced_size_counts(tmp_path: Path) -> None:
    """A body that is sent in pieces without a length is refused as soon as it is too large, on any route."""

    async def pour() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b" " * 500_000

    async with open_service(tmp_path) as service:
        admin = Administrator(service)
        draft = await admin.draft()
        headers = {"Authorization": f"Bearer {admin.key}", "If-Match": draft.etag}
        for method, path in (("PUT", draft.path), ("POST", "/admin/rulesets/drafts")):
            answer = await service.client.request(method, path, content=pour(), headers=headers)

            assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")


async def test_unknown_things_are_404(tmp_path: Path) -> None:
    """What is not there is said to be not there."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.draft(source="current")
        for path in ("/admin/rulesets/7", "/admin/rulesets/nobody", "/admin/rulesets/99999999999"):
            assert (await admin.send("GET", path)).status_code in {404, 422}, path
        for part in ("/rules/x", "/destinations/x", "/calendars/x", "/tests/x"):
            assert (await admin.send("DELETE", draft.path + part, etag=draft.etag)).status_code == 404, part
        assert (await admin.send("PUT", "/admin/rulesets/1", {}, etag=draft.etag)).status_code == 404
        assert (await admin.send("PUT", "/admin/rulesets/current", {}, etag=draft.etag)).status_code == 404


async def test_only_administrators_edit(tmp_path: Path) -> None:
    """A program may read rulesets and change nothing; a user may do neither."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        program, user = Administrator(service, PROGRAM_KEY), Administrator(service, USER_KEY)

        assert (await program.send("GET", "/admin/rulesets/current")).status_code == 200
        assert (await program.send("POST", "/admin/rulesets/drafts", {"name": "x"})).status_code == 403
        assert (await user.send("GET", "/admin/rulesets/current")).status_code == 403
        assert (await service.client.get("/admin/rulesets/current")).status_code == 401
        assert (await program.send("PUT", "/admin/rulesets/current", b"not JSON", etag='"x"')).status_code == 403
        assert (await service.client.put("/admin/rulesets/current", content=b"not JSON")).status_code == 401


async def test_diff_names_what_changed(tmp_path: Path) -> None:
    """A draft is compared with the current revision part by part."""
    async with open_service(tmp_path, rules=VIP_RULES) as service:
        admin = Administrator(service)
        draft = await admin.change("POST", await admin.draft(source="1"), "/rules", WIDE)

        assert (await admin.read("/admin/rulesets/diff", new=draft.id))["items"] == [
            {"kind": "added", "part": "rule", "id": "wide", "pointer": "/rules/1", "before": None, "after": WIDE}
        ]
        assert (await admin.read("/admin/rulesets/diff", old=draft.id, new=draft.id))["items"] == []


def _nest(depth: int) -> object:
    when: object = {"fact": "caller.vip", "op": "exists"}
    for _ in range(depth):
        when = {"not": when}
    return when
