"""How often a number called before, and where it went: from the decision log."""

import time
from pathlib import Path
from typing import Any

from app.calls.store import DecisionStore
from app.routing.decisions import DecisionRecord
from app.store.database import open_database
from tests.support.records import make_record
from tests.support.rulesets import Administrator
from tests.support.service import PROGRAM_KEY, Service, open_service, wait_for

NUMBER, OTHER = "+358401112233", "+358401112244"
FACTS = ("caller.calls.last_hour", "caller.calls.last_day", "caller.last_destination")
RULES: dict[str, Any] = {
    "destinations": {"again": {"kind": "queue", "id": "queue-of-repeated", "webhook": False}},
    "rules": [
        {
            "id": "sent",
            "when": {"fact": "caller.last_destination", "op": "is", "value": "elsewhere"},
            "then": {"no_change": True},
        },
        {"id": "day", "when": {"fact": "caller.calls.last_day", "op": "gt", "value": 99}, "then": {"disconnect": True}},
        {
            "id": "again",
            "when": {"fact": "caller.calls.last_hour", "op": "gte", "value": 2},
            "then": {"redirect": "again"},
        },
    ],
}


async def call(service: Service, number: str, call_id: str) -> int:
    """Call, and return the status of the answer."""
    return (await service.call(number, extradata={"CallId": call_id})).status_code


async def simulate(service: Service, **body: Any) -> dict[str, object]:
    """Return the facts of a simulated call."""
    facts = (await service.simulate(call={"anum": NUMBER}, **body)).json()["facts"]
    return {name: facts[name] for name in FACTS}


async def read_last(service: Service, calls: int) -> dict[str, object]:
    """Return what the rules were told at the last of so many calls of the number."""
    newest = (await service.list_decisions(calls, caller=NUMBER))[0]
    facts = (await service.ask(f"/admin/decisions/{newest['id']}")).json()["facts"]
    return {name: facts[name] for name in FACTS}


async def log_calls(service: Service, *records: DecisionRecord) -> None:
    """Put decisions into the log, as another process does."""
    database = open_database(service.settings.store.url)
    await DecisionStore(database=database).add(records)
    await database.close()


def make_call(ago: float, call_id: str, **changes: Any) -> DecisionRecord:
    """Make the decision of a call of so many seconds ago."""
    usual = {"caller_e164": NUMBER, "call_id": call_id, "decision": {"redirect": f"queue-{call_id}"}}
    return make_record(time.time() - ago, **usual | changes)


def tell(*values: object) -> dict[str, object]:
    return dict(zip(FACTS, values, strict=True))


async def test_a_repeated_call_is_told(tmp_path: Path) -> None:
    """The third call within an hour goes elsewhere; others, and a second question of one call, do not count."""
    calls = ((NUMBER, "1"), (OTHER, "x"), (NUMBER, "2"), (NUMBER, "2"), (NUMBER, "3"), (NUMBER, "4"))
    async with open_service(tmp_path, rules=RULES) as service:
        statuses = [await call(service, number, call_id) for number, call_id in calls]
        last = await read_last(service, 5)

    assert statuses == [204, 204, 204, 204, 200, 200]
    assert last == tell(3, 3, "again")


async def test_calls_before_the_start_count(tmp_path: Path) -> None:
    """What is in the log is known after a restart: of the last hour, of the last day, and where the last one went."""
    async with open_service(tmp_path) as service:
        await log_calls(
            service,
            make_call(600, "a", decision={"no_change": True}),
            make_call(5 * 3600, "b"),
            make_call(6 * 3600, "c"),
            make_call(26 * 3600, "old"),
            make_call(700, "drill", drill="slow"),
            make_call(800, "x", caller_e164=OTHER),
        )
    async with open_service(tmp_path, rules=RULES) as service:
        await call(service, NUMBER, "now")
        last, simulated = await read_last(service, 6), await simulate(service)

    assert last == tell(1, 3, "queue-b")
    assert simulated == tell(2, 4, "queue-b")


async def wait_until_known(service: Service) -> None:
    """Call until the rules know that the number has called."""

    async def read() -> bool | None:
        return await call(service, NUMBER, "probe") == 200 or None

    await wait_for(read)


async def test_calls_of_other_processes_count_within_seconds(tmp_path: Path) -> None:
    """Every process hears of what the others decided."""
    async with open_service(tmp_path, rules=RULES) as service:
        await log_calls(service, make_call(1, "a"), make_call(2, "b"))

        await wait_until_known(service)


async def test_a_long_log_is_read_behind_the_calls(tmp_path: Path) -> None:
    """However many calls there were, those of the last day are found; a number counts to a hundred at most."""
    many = [make_call(60 + number, f"{number}", caller_e164=f"+35840{number:07}") for number in range(700)]
    async with open_service(tmp_path) as service:
        await log_calls(service, *many, *(make_call(800 + number, f"{number}") for number in range(150)))
    async with open_service(tmp_path, rules=RULES) as service:
        await wait_until_known(service)
        last = await simulate(service)

    assert (last["caller.calls.last_hour"], last["caller.calls.last_day"]) == (100, 100)


async def test_erased_numbers_have_not_called(tmp_path: Path) -> None:
    """What is erased from the log is not remembered either."""
    async with open_service(tmp_path, rules=RULES) as service:
        before = [await call(service, NUMBER, call_id) for call_id in "123"]
        await service.list_decisions(3)
        await Administrator(service).send("POST", "/admin/erasures", {"number": NUMBER})
        after = await call(service, NUMBER, "4")
        last = await read_last(service, 1)

    assert (before, after) == ([204, 204, 200], 204)
    assert last == tell(0, 0, None)


async def test_hidden_numbers_have_no_history(tmp_path: Path) -> None:
    """Whoever hides the number cannot be told from others: nothing is there, and nothing is unknown."""
    async with open_service(tmp_path, rules=RULES) as service:
        for _ in range(3):
            assert (await service.call("anonymous")).status_code == 204
        facts = (await service.simulate(call={"anum": None})).json()["facts"]

    assert {name: facts[name] for name in FACTS} == tell(None, None, None)


async def test_a_pretended_caller_has_called_as_often_as_is_said(tmp_path: Path) -> None:
    """A simulation, and so a stored test, says how often somebody called."""
    called = {"calls": {"last_hour": 3}, "last_destination": "again"}
    async with open_service(tmp_path, rules=RULES) as service:
        assert await simulate(service, caller=called) == tell(3, 3, "again")
        assert await simulate(service, caller={}) == tell(0, 0, None)


async def test_whether_a_number_called_is_for_those_who_may_see_numbers(tmp_path: Path) -> None:
    """Whoever may not look for a number in the log does not learn of its calls by a simulation."""
    async with open_service(tmp_path, rules=RULES) as service:
        await call(service, NUMBER, "1")
        await service.list_decisions(1)
        facts = (await service.simulate(key=PROGRAM_KEY, call={"anum": NUMBER})).json()["facts"]

    assert [facts[name]["unknown"] for name in FACTS] == ["not_fetched"] * 3
