"""Tables through the front door: put, looked up by the next call, changed, hidden, erased."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from dirty_equals import IsPartialDict

from tests.support.rulesets import Administrator
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, Service, open_service, wait_for

STRANGER, OTHER = "+358401112233", "+358401112244"
RULES = {
    "destinations": {
        "sales": {"kind": "queue", "id": "queue-of-sales"},
        "support": {"kind": "queue", "id": "queue-of-support"},
    },
    "tables": {"brands": {"key": "call.called"}},
    "rules": [
        {
            "id": "blocked",
            "when": {"fact": "call.caller", "op": "in_table", "value": "blocked"},
            "then": {"disconnect": True},
        },
        {"id": "brand", "then": {"redirect_to_column": "table.brands.queue"}},
    ],
}
BRANDS = "number,queue,brand\n+358912345678,sales,Alfa\n09 123 45679,support,Beta\n"
BLOCKED = "number\n040 1112233\n"
GONE = {"InitialTarget": "DISCONNECT:"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """A service whose rules read two tables."""
    async with open_service(tmp_path, rules=RULES) as service:
        yield service


async def put(
    service: Service,
    name: str,
    content: str | dict[str, Any],
    *,
    version: int | None = None,
    token: str = ADMIN_KEY,
    **query: Any,
) -> httpx.Response:
    """Put a table: a text as CSV, anything else as JSON."""
    headers = {"Authorization": f"Bearer {token}"} | ({} if version is None else {"If-Match": f'"{version}"'})
    if isinstance(content, str):
        body, kind = content, "text/csv"
    else:
        body, kind = json.dumps(content), "application/json"
    headers["Content-Type"] = kind
    return await service.client.put(f"/admin/tables/{name}", content=body, headers=headers, params=query)


async def call(service: Service, called: str = "+358912345678", caller: str = STRANGER) -> dict[str, Any] | None:
    """Make a call, and return the instructions, if any."""
    answer = await service.call(caller, bnum=called)
    return answer.json() if answer.content else None


async def test_the_next_call_looks_up(service: Service) -> None:
    """A blocked caller, a brand's queue from a column; what was seen is recorded and explains the decision again."""
    before = await call(service)
    made = await put(service, "brands", BRANDS)
    first, second = await call(service), await call(service, "+358912345679")
    await put(service, "blocked", BLOCKED)
    blocked, another = await call(service), await call(service, caller=OTHER)

    assert (before, first, second) == (None, {"InitialTarget": "queue-of-sales"}, {"InitialTarget": "queue-of-support"})
    assert (blocked, another) == (GONE, {"InitialTarget": "queue-of-sales"})
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    assert made.json() == IsPartialDict(
        name="brands",
        version=1,
        keyed_by="number",
        key="number",
        columns=["queue", "brand"],
        rows=2,
        author="anna",
    )
    newest = (await service.list_decisions(5))[1]
    detail = (await service.ask(f"/admin/decisions/{newest['id']}", reveal=True)).json()
    assert detail["facts"] == IsPartialDict({"in_table.blocked.call.caller": True, "table.brands.queue": "sales"})
    assert (detail["trace_agrees"], detail["rule"]) == (True, "blocked")


async def test_json_and_text_keys(service: Service) -> None:
    """JSON keeps numbers and truth values; keys may be texts, and their column any."""
    rows = [{"open": True, "office": "Helsinki", "floor": 3}, {"office": "Espoo", "note": "x"}]
    made = await put(service, "offices", {"rows": rows}, keyed_by="text", key="office")
    shown = (await service.ask("/admin/tables/offices")).json()

    assert made.json() == IsPartialDict(keyed_by="text", key="office", columns=["open", "floor", "note"], rows=2)
    assert shown["items"] == [
        {"office": "Espoo", "open": None, "floor": None, "note": "x"},
        {"office": "Helsinki", "open": True, "floor": 3, "note": None},
    ]


async def test_csv_comes_back_as_it_went_in(service: Service) -> None:
    """What is exported can be put again; semicolons and the mark of Excel do no harm."""
    await put(service, "brands", '\ufeffnumber;queue;brand\r\n+358912345678;sales;"Alfa; Oy"\r\n')
    exported = await service.ask("/admin/tables/brands", format="csv")
    again = await put(service, "brands", exported.text, version=1)

    assert exported.text == "number,queue,brand\r\n+358912345678,sales,Alfa; Oy\r\n"
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    history = (await service.ask("/admin/tables/brands/history")).json()["items"]
    assert [(each["version"], each["what"], each["added"], each["changed"]) for each in history] == [
        (2, "put", 0, 0),
        (1, "put", 1, 0),
    ]
    assert again.json()["version"] == 2


async def test_pages(service: Service) -> None:
    """Rows come in the order of their keys, page by page; the list tells sizes only."""
    numbers = [f"+3584011122{place:02}" for place in range(5)]
    await put(service, "blocked", "number\n" + "\n".join(reversed(numbers)))

    found, after = [], "0"
    while after is not None:
        page = (await service.ask("/admin/tables/blocked", limit=2, after=after)).json()
        found += [row["number"] for row in page["items"]]
        after = page["next"]

    assert found == numbers
    listed = (await service.ask("/admin/tables")).json()
    assert (listed["next"], [(each["name"], each["rows"]) for each in listed["items"]]) == (None, [("blocked", 5)])


async def test_two_administrators(service: Service) -> None:
    """The second of two who change a table is told, and nothing is lost; a deleted table goes on counting."""
    await put(service, "blocked", BLOCKED)
    admin = Administrator(service)
    unsaid, stale = await put(service, "blocked", BLOCKED), await put(service, "blocked", BLOCKED, version=7)
    first = await admin.send("PATCH", "/admin/tables/blocked", {"rows": [{"number": OTHER}]}, etag='"1"')
    second = await admin.send("PATCH", "/admin/tables/blocked", {"remove": [OTHER]}, etag='"1"')

    assert [answer.status_code for answer in (unsaid, stale, first, second)] == [428, 412, 200, 412]
    assert (first.json()["version"], first.json()["rows"], await call(service, caller=OTHER)) == (2, 2, GONE)
    audit = (await service.ask("/admin/audit", target="table/blocked")).json()["items"]
    assert [(each["who"], each["what"], each["after"]) for each in reversed(audit)] == [
        ("anna", "table.put", {"version": 1, "rows": 1, "added": 1, "changed": 0, "removed": 0}),
        ("anna", "table.patched", {"version": 2, "rows": 2, "added": 1, "changed": 0, "removed": 0}),
    ]


async def test_rows_are_changed_one_by_one(service: Service) -> None:
    """A patch names the columns it changes, empties one with null, and removes rows by key."""
    await put(service, "brands", BRANDS)
    patch = {
        "rows": [{"number": "09 123 45678", "brand": None}, {"number": "+358912345680", "queue": "support"}],
        "remove": ["+358912345679", "+358912345699"],
    }
    changed = await Administrator(service).send("PATCH", "/admin/tables/brands", patch, etag='"1"')

    assert changed.status_code == 200, changed.text
    assert (await service.ask("/admin/tables/brands")).json()["items"] == [
        {"number": "+358912345678", "queue": "sales", "brand": None},
        {"number": "+358912345680", "queue": "support", "brand": None},
    ]


@pytest.mark.parametrize(
    ("content", "query", "told"),
    [
        ("number,queue\nabc,sales\n", {}, [("/rows/0/number", "Line 2, column number: this is no phone number.")]),
        (
            "number\n+358401112233\n040 1112233\n",
            {},
            [("/rows/1/number", "Line 3, column number: line 2 has this key too.")],
        ),
        ("office,floor\n,3\n", {"keyed_by": "text"}, [("/rows/0/office", "Line 2, column office: the key is empty")]),
        (
            "number,queue\n+358401112233\n",
            {},
            [("/rows/0/number", "Line 2, column number: the line has not 2 values.")],
        ),
        (
            {"rows": [{"number": "+358401112233", "tags": ["a"]}]},
            {},
            [("/rows/0/tags", "Row 1, column tags: a table holds short texts, numbers, true and false.")],
        ),
        ({"rows": [{"number": STRANGER}, 5]}, {}, [("/rows/1", "Must be an object of columns.")]),
        ({"row": []}, {}, []),
        ("number,num.ber\n", {}, []),
        ("number,number\n", {}, []),
        ("number\n", {"key": "phone"}, []),
        ("", {}, []),
    ],
)
async def test_mistakes_name_row_and_column(
    service: Service, content: str | dict[str, Any], query: dict[str, str], told: list[tuple[str, str]]
) -> None:
    """Each mistake is told with its row and column, and nothing is changed."""
    refused = await put(service, "offices", content, **query)

    assert refused.status_code == 422, refused.text
    found = [(error["pointer"], error["detail"]) for error in refused.json().get("errors", [])]
    assert [pointer for pointer, _ in found] == [pointer for pointer, _ in told]
    assert all(text.startswith(start) for (_, text), (_, start) in zip(found, told, strict=True)), found
    assert (await service.ask("/admin/tables/offices")).status_code == 404


async def test_live_rules_are_not_broken(service: Service) -> None:
    """A value that they cannot redirect to, a column that they read, and a table that they look up in stay sound."""
    await put(service, "brands", BRANDS)
    lost = await put(service, "brands", "number,queue\n+358912345678,nowhere\n+358912345679,+358401234567\n", version=1)
    column = await put(service, "brands", "number,brand\n+358912345678,Alfa\n", version=1)
    admin = Administrator(service)
    deleted = await admin.send("DELETE", "/admin/tables/brands", etag='"1"')
    await put(service, "offices", "office\nHelsinki\n", keyed_by="text")
    others = await admin.send("DELETE", "/admin/tables/offices", etag='"1"')

    assert [answer.status_code for answer in (lost, column, deleted, others)] == [422, 409, 409, 204]
    assert [(error["pointer"], error["detail"]) for error in lost.json()["errors"]] == [
        (
            "/rows/0/queue",
            'Row of [masked], column queue: "nowhere" is neither a destination of the live rules nor a number.',
        )
    ]


async def test_publishing_looks_into_tables(service: Service) -> None:
    """Publishing refuses tables and columns that do not exist, and columns that lead nowhere."""
    await put(service, "brands", BRANDS)
    admin = Administrator(service)
    draft = await admin.draft(
        {
            **RULES,
            "destinations": {"sales": RULES["destinations"]["sales"]},  # type: ignore[index]
        }
    )

    refused = await admin.publish(draft, 1)

    assert refused.status_code == 422
    assert [
        (error["code"], error["pointer"]) for error in refused.json()["errors"] if error["severity"] == "error"
    ] == [
        ("unknown-table", "/rules/0/when/value"),
        ("unknown-destination", "/rules/1/then/redirect_to_column"),
    ]
    assert 'holds "support"' in refused.json()["errors"][1]["detail"]


async def test_lesser_roles_find_no_numbers(service: Service) -> None:
    """A program sees masked keys and no values, and cannot ask a table by rules of its own."""
    await put(service, "blocked", BLOCKED)
    await put(service, "brands", BRANDS)
    program = Administrator(service, PROGRAM_KEY)
    shown = await program.read("/admin/tables/brands")
    exported = await program.send("GET", "/admin/tables/blocked", format="csv")
    refused = [
        await put(service, "brands", BRANDS, token=PROGRAM_KEY),
        await program.send("PATCH", "/admin/tables/blocked", {}, etag='"1"'),
        await program.send("DELETE", "/admin/tables/blocked", etag='"1"'),
        await service.simulate(key=PROGRAM_KEY, call={"anum": STRANGER}, caller={}, ruleset=RULES),
    ]
    published = await service.simulate(
        key=PROGRAM_KEY, call={"anum": OTHER, "bnum": "+358912345678"}, caller={"name": "x"}
    )
    own = {"blocked": {OTHER: {}}, "brands": {}}
    given = await service.simulate(key=PROGRAM_KEY, call={"anum": OTHER}, caller={}, ruleset=RULES, tables=own)

    assert shown["items"] == [
        {"number": "+35891*****78", "queue": "(hidden)", "brand": "(hidden)"},
        {"number": "+35891*****79", "queue": "(hidden)", "brand": "(hidden)"},
    ]
    assert exported.text == "number\r\n+35840*****33\r\n"
    assert [answer.status_code for answer in refused] == [403] * 4
    assert published.json()["facts"]["table.brands.queue"] == "(hidden)"
    assert given.json()["answer"]["body"] == GONE


async def test_erasure_removes_rows(service: Service, tmp_path: Path) -> None:
    """The row of a number is gone from the table, from memory and from disk; elsewhere a word stands for it."""
    await put(service, "blocked", f"number,note\n{STRANGER},x\n{OTHER},like {STRANGER}\n")
    files = tmp_path / "journal" / "live-tables"

    async def saved() -> bool | None:
        return (files / "blocked.jsonl").exists() or None

    await wait_for(saved)
    erased = await Administrator(service).send("POST", "/admin/erasures", {"number": STRANGER})

    assert erased.json()["erased"] == IsPartialDict(tables=2)
    assert (await service.ask("/admin/tables/blocked")).json()["items"] == [{"number": OTHER, "note": "like erased"}]
    assert (await call(service, "+3589000"), await call(service, "+3589000", OTHER)) == (None, GONE)
    assert STRANGER not in (files / "blocked.jsonl").read_text(encoding="utf-8")


async def test_last_known_tables_without_the_database(service: Service, tmp_path: Path) -> None:
    """After a start without the database calls look up in what was put last."""
    await put(service, "blocked", BLOCKED)

    async def saved() -> bool | None:
        return (tmp_path / "journal" / "live-tables" / "blocked.jsonl").exists() or None

    await wait_for(saved)
    with closing(sqlite3.connect(tmp_path / "smartrouting.db", isolation_level=None, timeout=60)) as locker:
        locker.execute("BEGIN EXCLUSIVE")
        async with open_service(tmp_path) as other:
            assert await call(other) == GONE
            assert (await other.ask("/admin/tables/blocked")).json()["items"] == [{"number": STRANGER}]
        locker.execute("ROLLBACK")


async def test_another_process_takes_it_over(service: Service, tmp_path: Path) -> None:
    """What is put at one process is looked up by the other a moment later."""
    async with open_service(tmp_path, store={"journal": tmp_path / "other"}) as other:
        await put(other, "blocked", BLOCKED)

        async def look() -> bool | None:
            return await call(service) == GONE or None

        assert await wait_for(look)


async def test_replay_and_recorded_tests(service: Service) -> None:
    """A recorded call is replayed with the rows it saw; a draft that looks up anew reads the tables of now."""
    await put(service, "blocked", BLOCKED)
    await put(service, "brands", BRANDS)
    await call(service)
    (decision,) = await service.list_decisions(1)
    admin = Administrator(service)
    await admin.send("PATCH", "/admin/tables/blocked", {"remove": [STRANGER]}, etag='"1"')
    await put(service, "staff", BLOCKED)
    same = await admin.replay("current")
    rules = [{**RULES["rules"][0], "when": {"fact": "call.caller", "op": "in_table", "value": "staff"}}]  # type: ignore[dict-item]
    draft = await admin.draft({**RULES, "rules": rules})
    moved = await admin.replay(draft.id)
    test = await admin.send(
        "POST", f"/admin/decisions/{decision['id']}/test", etag=draft.etag, draft=draft.id, reveal=True
    )

    assert same["result"] == IsPartialDict(calls=1, changed=0)
    assert moved["result"] == IsPartialDict(calls=1, changed=0)
    assert test.status_code == 201, test.text


async def test_a_recorded_test_brings_its_rows(service: Service) -> None:
    """A call that was blocked becomes a test that passes whatever the table holds later."""
    await put(service, "blocked", BLOCKED)
    await put(service, "brands", BRANDS)
    await call(service)
    (decision,) = await service.list_decisions(1)
    admin = Administrator(service)
    draft = await admin.draft(source="current")

    added = await admin.send(
        "POST", f"/admin/decisions/{decision['id']}/test", etag=draft.etag, draft=draft.id, reveal=True
    )

    assert added.status_code == 201, added.text
    assert added.json()["document"]["tests"][-1]["tables"] == {"blocked": {STRANGER: {}}}
    report = (await admin.send("POST", f"{draft.path}/validate")).json()
    assert report["publishable"], report


async def test_a_hundred_thousand_rows(service: Service) -> None:
    """The largest table is put, found in and exported; one row more is refused, and so is a body beyond the limit."""
    lines = [f"+35840{place:07}" for place in range(100_001)]
    made = await put(service, "blocked", "number\n" + "\n".join(lines[:-1]))
    more = await put(service, "blocked", "number\n" + "\n".join(lines), version=1)
    large = await put(service, "blocked", "number,x\n" + "a" * 17_000_000, version=1)

    assert [answer.status_code for answer in (made, more, large)] == [200, 422, 413]
    assert (made.json()["rows"], await call(service, caller=lines[99_999])) == (100_000, GONE)
    assert len((await service.ask("/admin/tables/blocked", format="csv")).text.splitlines()) == 100_001
