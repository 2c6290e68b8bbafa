"""Whatever happens to the organisation and to the mirror, every number has the caller that a plain scan finds.

`MIRROR_OPERATIONS=10000` plays one long random script of so many operations, too.
"""

import os
import random
from collections.abc import Sequence
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.routing.callers import Selection
from app.store.database import open_database
from tests.directory.mirror.world import CONTACT_COLUMN, TOKEN, MirrorWorld

Step = tuple[str, tuple[str, int], int]
KEYS = {"contacts": "contactid", "accounts": "accountid"}
PARENTS = {"contacts": "parentcustomerid_account", "accounts": "parentaccountid"}
PHONES = {
    "contacts": ("mobilephone", "telephone1"),
    "accounts": ("telephone1",),
}
TEXTS = (
    "+358405550001",
    "040 5550001",
    "(040) 555-0002 ",
    "+358 40 5550002 ext 3",
    "0707 123 456",
    "040 5550001, 09 1234567",
    "ask the office",
    "112",
    None,
)
NUMBERS = ("+358405550001", "+358405550002", "+358707123456", "+46707123456", "+35891234567")
ACTIONS = (
    *("create", "phone", "phone", "country", "state", "vip", "move", "owner", "agent", "delete", "merge", "job"),
    *("work", "work", "work", "expire", "crash", "rules", "take", "put"),
)


def guid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


USERS = [guid(101), guid(102)]
places = st.tuples(st.sampled_from(sorted(KEYS)), st.integers(1, 6))
steps = st.tuples(st.sampled_from(ACTIONS), places, st.integers(0, 40))


def make_rows() -> dict[str, Any]:
    return {
        "systemusers": [{"systemuserid": user, "fullname": "Owner", "employeeid": None} for user in USERS],
        "accounts": [{"accountid": guid(number), "name": f"Account {number}"} for number in range(1, 5)],
        "contacts": [
            {"contactid": guid(number), "_parentcustomerid_value": guid(number), "mobilephone": TEXTS[number]}
            for number in range(1, 5)
        ],
    }


class Script:
    """Carries steps out; one that the organisation refuses changes nothing."""

    def __init__(self, world: MirrorWorld, api: httpx.AsyncClient) -> None:
        self._world = world
        self._api = api

    async def take(self, step: Step) -> None:
        action, (entity_set, number), value = step
        match action:
            case "work":
                await self._world.follower.step()
            case "expire":
                self._world.expire_tokens()
            case "crash":
                await self._world.crash(turns=3 * value)
            case "rules":
                wanted = frozenset({CONTACT_COLUMN}) if value % 2 else frozenset()
                self._world.selection = Selection(contact_columns=wanted)
            case _:
                await self._change(action, entity_set, number, value)

    async def _change(self, action: str, entity_set: str, number: int, value: int) -> None:
        path, key = f"{entity_set}({guid(number)})", KEYS[entity_set]
        phone, words = PHONES[entity_set][value % len(PHONES[entity_set])], TEXTS[value % len(TEXTS)]
        other = guid(value % 6 + 1)
        is_contact = entity_set == "contacts"
        vip = {"donotphone": bool(value % 2)} if is_contact else {"accountcategorycode": value % 2 + 1}
        patches: dict[str, tuple[str, dict[str, Any]]] = {
            "phone": (path, {phone: words}),
            "country": (path, {"address1_country": ("Sweden", "Suomi", None)[value % 3]}),
            "state": (path, {"statecode": value % 2}),
            "vip": (path, vip),
            "job": (f"contacts({guid(number)})", {CONTACT_COLUMN: f"Job {value}"}),
            "move": (path, {f"{PARENTS[entity_set]}@odata.bind": f"/accounts({other})"}),
            "owner": (path, {"ownerid@odata.bind": f"/systemusers({USERS[value % 2]})"}),
            "agent": (f"systemusers({USERS[number % 2]})", {"employeeid": f"agent-{value}"}),
        }
        if action in patches:
            path, changes = patches[action]
            await self._api.patch(path, json=changes, headers={"If-Match": "*"})
        elif action == "create":
            await self._api.post(entity_set, json={key: guid(number), phone: words})
        elif action == "delete":
            await self._api.delete(path)
        elif action == "take":
            await self._api.delete(f"https://org.example/_emulator/rows/{entity_set}/{guid(number)}")
        elif action == "put":
            row = {key: guid(number), phone: words}
            await self._api.put("https://org.example/_emulator/rows", json={entity_set: [row]})
        else:
            await self._merge(entity_set, number, other)

    async def _merge(self, entity_set: str, target: int, other: str) -> None:
        kind = {"@odata.type": f"Microsoft.Dynamics.CRM.{entity_set.removesuffix('s')}"}
        key = KEYS[entity_set]
        roles = {"Target": {key: guid(target)} | kind, "Subordinate": {key: other} | kind}
        await self._api.post("Merge", json=roles | {"PerformParentingChecks": False})


async def play(url: str, script: Sequence[Step], *, check_every: int) -> None:
    database = open_database(url)
    try:
        async with database.write() as connection:
            for table in ("generations", "positions", "records", "numbers"):
                await connection.execute(text(f"DELETE FROM mirror_{table}"))  # noqa: S608 - our own names
        async with MirrorWorld(database, make_rows()) as world:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            transport = httpx.ASGITransport(world.emulator)
            base = "https://org.example/api/data/v9.2/"
            async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as api:
                actor = Script(world, api)
                for index, step in enumerate(script, 1):
                    await actor.take(step)
                    if index % check_every == 0 or index == len(script):
                        await check(world)
    finally:
        await database.close()


async def check(world: MirrorWorld) -> None:
    await world.catch_up()
    found = {number: await world.look_up(number) for number in NUMBERS}
    assert found == {number: world.scan(number) for number in NUMBERS}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(script=st.lists(steps, min_size=1, max_size=25))
def test_the_mirror_equals_the_truth(database_url: str, script: list[Step]) -> None:
    """After creates, changes, merges, deletes, moves, expired tokens, other rules, crashes and starts in any order."""
    anyio.run(lambda: play(database_url, script, check_every=1000))


@pytest.mark.skipif("MIRROR_OPERATIONS" not in os.environ, reason="MIRROR_OPERATIONS says how many")
def test_the_mirror_equals_the_truth_in_the_long_run(database_url: str) -> None:
    """One script of many operations, compared every hundred."""
    source = random.Random(20_261_127)  # noqa: S311 - nothing secret
    script: list[Step] = [
        (source.choice(ACTIONS), (source.choice(sorted(KEYS)), source.randint(1, 6)), source.randint(0, 40))
        for _ in range(int(os.environ["MIRROR_OPERATIONS"]))
    ]
    anyio.run(lambda: play(database_url, script, check_every=100))
