"""Whatever happens in between, a first read and the deltas after it add up to the tables as they are."""

from typing import Any

import anyio
import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from app.emulators.dataverse import DataverseEmulator, create_dataverse_emulator, read_tables

COLUMNS = {
    "contacts": "lastname,mobilephone,statecode,merged,_masterid_value,_parentcustomerid_value",
    "accounts": "name,telephone1,statecode,merged,_masterid_value,_parentaccountid_value",
}
KEYS = {"contacts": "contactid", "accounts": "accountid"}
PHONES = {"contacts": "mobilephone", "accounts": "telephone1"}
PHONE_VALUES = ("09 1", *(f"{code} {value}" for code in ("040", "050") for value in range(4)))
PARENTS = {"contacts": "parentcustomerid_account", "accounts": "parentaccountid"}
ROOT = "https://org.example/api/data/v9.2/"


def guid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


places = st.tuples(st.sampled_from(sorted(KEYS)), st.integers(1, 6))
steps = st.one_of(
    st.tuples(st.just("create"), places, st.integers(0, 3)),
    st.tuples(st.just("phone"), places, st.integers(0, 3)),
    st.tuples(st.just("state"), places, st.integers(0, 1)),
    st.tuples(st.just("move"), places, st.integers(1, 6)),
    st.tuples(st.just("delete"), places, st.just(0)),
    st.tuples(st.just("merge"), places, st.integers(1, 6)),
    st.tuples(st.just("put"), places, st.integers(0, 3)),
    st.tuples(st.just("take"), places, st.just(0)),
    st.tuples(st.just("read"), places, st.just(0)),
)


class Mirror:
    """Follows one table a page at a time, as a client with a local copy does."""

    def __init__(self, api: httpx.AsyncClient, entity_set: str) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self._api = api
        self._key = KEYS[entity_set]
        self._link = f"{entity_set}?$select={COLUMNS[entity_set]}"

    async def read_page(self) -> bool:
        """Read the next page; true after the last one of a reading."""
        prefer = {"Prefer": "odata.track-changes,odata.maxpagesize=2"}
        body = (await self._api.get(self._link, headers=prefer)).json()
        for change in body["value"]:
            if change.get("reason") == "deleted":
                self.rows.pop(change["id"], None)
            else:
                self.rows[change[self._key]] = change
        self._link = body.get("@odata.nextLink") or body["@odata.deltaLink"]
        return "@odata.deltaLink" in body

    async def catch_up(self) -> None:
        """Finish the reading under way, and follow its delta link to the end."""
        for _ in range(2):
            while not await self.read_page():
                pass


class Organisation:
    """Carries steps out by the Web API or past it; one that is refused changes nothing."""

    def __init__(self, api: httpx.AsyncClient) -> None:
        self._api = api

    async def take(self, action: str, entity_set: str, number: int, value: int) -> None:
        path, key, phone = f"{entity_set}({guid(number)})", KEYS[entity_set], PHONES[entity_set]
        match action:
            case "create":
                await self._api.post(entity_set, json={key: guid(number), phone: f"040 {value}"})
            case "phone":
                await self._api.patch(path, json={phone: f"040 {value}"}, headers={"If-Match": "*"})
            case "state":
                await self._api.patch(path, json={"statecode": value}, headers={"If-Match": "*"})
            case "move":
                bind = {f"{PARENTS[entity_set]}@odata.bind": f"/accounts({guid(value)})"}
                await self._api.patch(path, json=bind, headers={"If-Match": "*"})
            case "delete":
                await self._api.delete(path)
            case "merge":
                await self._merge(entity_set, number, value)
            case "put":
                row = {key: guid(number), phone: f"050 {value}"}
                await self._api.put("https://org.example/_emulator/rows", json={entity_set: [row]})
            case "take":
                await self._api.delete(f"https://org.example/_emulator/rows/{entity_set}/{guid(number)}")

    async def _merge(self, entity_set: str, target: int, subordinate: int) -> None:
        kind = {"@odata.type": f"Microsoft.Dynamics.CRM.{entity_set.removesuffix('s')}"}
        body = {
            "Target": {KEYS[entity_set]: guid(target)} | kind,
            "Subordinate": {KEYS[entity_set]: guid(subordinate)} | kind,
            "PerformParentingChecks": False,
        }
        await self._api.post("Merge", json=body)


def make_emulator() -> DataverseEmulator:
    """Return an organisation of four accounts and four contacts."""
    accounts = [{"accountid": guid(number), "telephone1": "09 1"} for number in range(1, 5)]
    contacts = [{"contactid": guid(number), "_parentcustomerid_value": guid(number)} for number in range(1, 5)]
    return create_dataverse_emulator(data=read_tables({"accounts": accounts, "contacts": contacts}))


async def scan(api: httpx.AsyncClient, entity_set: str, condition: str = "") -> dict[str, dict[str, Any]]:
    """Read a table as it is now."""
    body = (await api.get(f"{entity_set}?$select={COLUMNS[entity_set]}{condition}")).json()
    return {row[KEYS[entity_set]]: row for row in body["value"]}


async def play(script: list[tuple[str, tuple[str, int], int]]) -> None:
    emulator = make_emulator()
    headers = {"Authorization": f"Bearer {emulator.issue_token()}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator), base_url=ROOT, headers=headers) as api:
        mirrors = {entity_set: Mirror(api, entity_set) for entity_set in KEYS}
        organisation = Organisation(api)
        for action, (entity_set, number), value in script:
            if action == "read":
                await mirrors[entity_set].read_page()
                await scan(api, entity_set, f"&$filter={PHONES[entity_set]} eq '040 1'")
            else:
                await organisation.take(action, entity_set, number, value)
        for entity_set, mirror in mirrors.items():
            await mirror.catch_up()
            rows = await scan(api, entity_set)
            assert mirror.rows == rows
            for phone in PHONE_VALUES:
                found = await scan(api, entity_set, f"&$filter={PHONES[entity_set]} eq '{phone}'")
                assert found == {key: row for key, row in rows.items() if row[PHONES[entity_set]] == phone}


@settings(max_examples=40, deadline=None)
@given(script=st.lists(steps, max_size=30))
def test_a_first_read_and_its_deltas_are_the_table(script: list[tuple[str, tuple[str, int], int]]) -> None:
    """After creates, updates, state changes, moves, merges and removals between any two pages; filters agree too."""
    anyio.run(play, script)
