"""An organisation of a few rows, a clock to turn, and clients to talk to it with."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator, read_tables

ROOT = "https://org.example/api/data/v9.2/"


@dataclass
class TurnableClock:
    """A clock that moves when told."""

    now: datetime = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


def guid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


@pytest.fixture
def make_id() -> Callable[[int], str]:
    """Spell a number as a GUID."""
    return guid


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


@pytest.fixture
def document() -> dict[str, Any]:
    """Three contacts, two accounts one above the other, two users, a team and roles in two business units."""
    return {
        "businessunits": [
            {"businessunitid": guid(1), "name": "Root"},
            {"businessunitid": guid(2), "name": "Branch", "_parentbusinessunitid_value": guid(1)},
        ],
        "systemusers": [
            {
                "systemuserid": guid(11),
                "fullname": "Ann Agent",
                "_businessunitid_value": guid(1),
                "new_enreachuserid": "e-1",
            },
            {"systemuserid": guid(12), "fullname": "Bob Gone", "_businessunitid_value": guid(1), "isdisabled": True},
            {
                "systemuserid": guid(19),
                "fullname": "# App",
                "applicationid": CLIENT_ID,
                "_businessunitid_value": guid(1),
            },
        ],
        "teams": [{"teamid": guid(21), "name": "Sales", "_businessunitid_value": guid(1), "teamtype": 0}],
        "teammemberships": [{"teamid": guid(21), "systemuserid": guid(11)}],
        "roles": [
            {"roleid": guid(31), "name": "Voice User", "_businessunitid_value": guid(1)},
            {
                "roleid": guid(32),
                "name": "Voice User",
                "_businessunitid_value": guid(2),
                "_parentrootroleid_value": guid(31),
            },
            {"roleid": guid(33), "name": "System Administrator", "_businessunitid_value": guid(1)},
        ],
        "systemuserrolescollection": [{"systemuserid": guid(19), "roleid": guid(33)}],
        "accounts": [
            {"accountid": guid(41), "name": "Contoso Group", "accountcategorycode": 1},
            {
                "accountid": guid(42),
                "name": "Contoso Oy",
                "_parentaccountid_value": guid(41),
                "telephone1": "09 4245 0200",
            },
        ],
        "contacts": [
            {
                "contactid": guid(51),
                "firstname": "Helena",
                "lastname": "Aaltonen",
                "mobilephone": "+358501234567",
                "parentcustomerid_account@odata.bind": f"/accounts({guid(42)})",
                "_ownerid_value": guid(11),
                "modifiedon": "2026-05-01T08:00:00Z",
                "new_vip": True,
            },
            {
                "contactid": guid(52),
                "firstname": "Eero",
                "lastname": "Laine",
                "mobilephone": "0401112233  ",
                "modifiedon": "2026-05-02T08:00:00Z",
            },
            {
                "contactid": guid(53),
                "firstname": "Mary",
                "lastname": "O'Brien",
                "telephone1": "(317) 555-0127",
                "statecode": 1,
            },
        ],
    }


@pytest.fixture
def emulator(document: dict[str, Any], clock: TurnableClock) -> DataverseEmulator:
    return create_dataverse_emulator(data=read_tables(document), clock=clock)


@pytest.fixture
async def api(emulator: DataverseEmulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the Web API with a good token."""
    headers = {"Authorization": f"Bearer {emulator.issue_token()}"}
    transport = httpx.ASGITransport(emulator)
    async with httpx.AsyncClient(transport=transport, base_url=ROOT, headers=headers) as client:
        yield client


@pytest.fixture
async def stranger(emulator: DataverseEmulator) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token, at the root of the host."""
    transport = httpx.ASGITransport(emulator)
    async with httpx.AsyncClient(transport=transport, base_url="https://org.example") as client:
        yield client
