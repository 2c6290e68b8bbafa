"""Phone-call activities: one for each call, complete, and with who took part."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.dataverse.client import DataverseClient
from app.dataverse.connection import connect
from app.dataverse.errors import DataverseError, RecordNotFoundError, UnreachableError
from app.dataverse.phone_calls import PhoneCall, WriteOutcome, make_activity_id, write_phone_call, write_phone_calls
from app.emulators.dataverse import CLIENT_ID, DataverseEmulator, create_dataverse_emulator
from app.emulators.faults import Fault, FaultKind
from app.routing.callers import CallerKind
from app.settings import DataverseSettings
from tests.dataverse.wire import ORG, HandedTokens
from tests.support.samples import make_tables

USER = "50000000-0000-4000-8000-000000000013"
CALL = PhoneCall(
    call_id="5D2C7F0A-1111-4222-8333-944445555666",
    subject="Call from +358501234567",
    number="+358501234567",
    outgoing=False,
    started_at=datetime(2026, 11, 22, 8, 0, tzinfo=UTC),
    ended_at=datetime(2026, 11, 22, 8, 3, 10, tzinfo=UTC),
    description="routed to VIP service",
)


def connect_to(transport: httpx.AsyncBaseTransport) -> DataverseClient:
    return connect(
        DataverseSettings(url=ORG, auth="token", token="token-1"), tokens=HandedTokens(["token-1"]), transport=transport
    )


def open_emulator() -> DataverseEmulator:
    return create_dataverse_emulator(data=make_tables(None), static_tokens={"token-1": CLIENT_ID})


async def read_activity(client: DataverseClient) -> dict[str, Any]:
    path = (
        f"phonecalls({make_activity_id(CALL.call_id)})?$select=subject,phonenumber,directioncode,description,actualstart,"
        "actualend,actualdurationminutes,statecode,statuscode&$expand=phonecall_activity_parties("
        "$select=participationtypemask,addressused,unresolvedpartyname)"
    )
    row: dict[str, Any] = await client.get_json(path)
    parties = row.pop("phonecall_activity_parties")
    kept = {name: value for name, value in row.items() if not name.startswith(("@", "activityid"))}
    return kept | {
        "parties": [
            {name: value for name, value in party.items() if "@" not in name and name != "activitypartyid"}
            for party in parties
        ]
    }


async def test_a_call_of_nobody_known_becomes_a_completed_activity() -> None:
    """An unknown caller is told by the number."""
    async with connect_to(httpx.ASGITransport(open_emulator())) as client:
        assert await write_phone_call(client, CALL)

        assert await read_activity(client) == {
            "subject": "Call from +358501234567",
            "phonenumber": "+358501234567",
            "directioncode": False,
            "description": "routed to VIP service",
            "actualstart": "2026-11-22T08:00:00Z",
            "actualend": "2026-11-22T08:03:10Z",
            "actualdurationminutes": 3,
            "statecode": 1,
            "statuscode": 4,
            "parties": [
                {"participationtypemask": 1, "addressused": CALL.number, "unresolvedpartyname": CALL.number},
            ],
        }


async def test_an_outgoing_call_names_customer_and_user() -> None:
    """The activity is regarding the customer and owned by the user, who is the sender of an outgoing call."""
    async with connect_to(httpx.ASGITransport(open_emulator())) as client:
        contact = (await client.get_rows("contacts?$select=contactid&$top=1"))[0]["contactid"]
        call = PhoneCall(
            call_id="c-2",
            subject="Call",
            number="+358501234567",
            outgoing=True,
            customer=(CallerKind.CONTACT, contact),
            user_id=USER,
        )
        await write_phone_call(client, call)

        path = (
            f"phonecalls({make_activity_id('c-2')})?$select=statuscode,_regardingobjectid_value,_ownerid_value"
            "&$expand=phonecall_activity_parties($select=participationtypemask,_partyid_value)"
        )
        row = await client.get_json(path)

    assert (row["statuscode"], row["_regardingobjectid_value"], row["_ownerid_value"]) == (2, contact, USER)
    parties = [(each["participationtypemask"], each["_partyid_value"]) for each in row["phonecall_activity_parties"]]
    assert parties == [(2, contact), (1, USER)]


async def test_two_who_write_about_one_call_make_one_activity() -> None:
    """However often and by how many a call is told, its id allows one activity; only one of them created it."""
    emulator = open_emulator()
    async with connect_to(httpx.ASGITransport(emulator)) as one, connect_to(httpx.ASGITransport(emulator)) as other:
        created = await asyncio.gather(*(write_phone_call(client, CALL) for client in (one, other, one, other)))
        rows = await one.get_rows("phonecalls?$select=statecode&$filter=description eq 'routed to VIP service'")

    assert sorted(created) == [False, False, False, True]
    assert [row["statecode"] for row in rows] == [1]


class _BreaksBeforeCompletion(httpx.AsyncBaseTransport):
    """Loses the request that completes the activity, once."""

    def __init__(self, network: httpx.AsyncBaseTransport) -> None:
        self._network = network
        self._broken = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry everything else."""
        if b"If-Match" in await request.aread() and not self._broken:
            self._broken = True
            raise httpx.ConnectError("gone")
        return await self._network.handle_async_request(request)


async def test_an_activity_that_was_left_open_is_completed_the_next_time() -> None:
    """A process may end between creating and completing; whoever tells of the call again finishes it."""
    async with connect_to(_BreaksBeforeCompletion(httpx.ASGITransport(open_emulator()))) as client:
        with pytest.raises(UnreachableError):
            await write_phone_call(client, CALL)
        assert (await read_activity(client))["statecode"] == 0

        assert not await write_phone_call(client, CALL)
        assert (await read_activity(client))["statecode"] == 1


def lay_half_written(emulator: DataverseEmulator, **changes: object) -> dict[str, Any]:
    """Put the activity of the call as a process left it that ended between the two steps."""
    stamps = {"createdon": "2026-11-22T08:05:00Z", "modifiedon": "2026-11-22T08:05:00Z"}
    key = str(make_activity_id(CALL.call_id))
    row = {"activityid": key, "subject": "Call", "statecode": 0, "statuscode": 1, **stamps, **changes}
    return emulator.tables.store("phonecalls", row)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"statecode": 2, "statuscode": 3}, WriteOutcome.EXISTED),
        ({"subject": "Asked for a quote", "modifiedon": "2026-11-22T09:00:00Z"}, WriteOutcome.LEFT),
    ],
)
async def test_activity_of_a_person_is_left_alone(changes: dict[str, object], outcome: WriteOutcome) -> None:
    """What somebody closed or changed stays as they left it."""
    emulator = open_emulator()
    row = lay_half_written(emulator, **changes)
    async with connect_to(httpx.ASGITransport(emulator)) as client:
        assert await write_phone_calls(client, [CALL]) == [outcome]

    assert emulator.tables.find("phonecalls", row["activityid"]) == row


async def test_hundred_activities_are_few_requests() -> None:
    """Create and complete travel together, forty at a time."""
    emulator = open_emulator()
    calls = [replace(CALL, call_id=str(number)) for number in range(100)]
    async with connect_to(httpx.ASGITransport(emulator)) as client:
        assert await write_phone_calls(client, calls) == [WriteOutcome.CREATED] * 100

    assert len(emulator.requests) == 6


async def test_refused_activity_keeps_no_other() -> None:
    """One whose customer is gone gets its own error."""
    gone = replace(CALL, call_id="gone", customer=(CallerKind.CONTACT, "c0000000-0000-4000-8000-00000000ffff"))
    async with connect_to(httpx.ASGITransport(open_emulator())) as client:
        refused, written = await write_phone_calls(client, [gone, CALL])

    assert (type(refused), written) == (RecordNotFoundError, WriteOutcome.CREATED)


@pytest.mark.parametrize("status", [429, 503])
async def test_trouble_within_a_batch_is_made_up_for(status: int) -> None:
    """When Dataverse fails after some were created, writing all again completes every one."""
    emulator = open_emulator()
    calls = [replace(CALL, call_id=str(number)) for number in range(3)]
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=status, retry_after_s=0, table="phonecalls", times=1))
    async with connect_to(httpx.ASGITransport(emulator)) as client:
        with pytest.raises(DataverseError):
            await write_phone_calls(client, calls)

        outcomes = await write_phone_calls(client, calls)

    assert sorted(map(str, outcomes)) == ["completed", "completed", "created"]
    ids = [str(make_activity_id(call.call_id)) for call in calls]
    assert [(emulator.tables.find("phonecalls", each) or {}).get("statecode") for each in ids] == [1, 1, 1]


def test_id_comes_from_the_call() -> None:
    """The same call has the same activity, whatever the case of its id; one user's part in it has its own."""
    assert make_activity_id("D59D7A2F") == make_activity_id(" d59d7a2f")
    assert make_activity_id("d59d7a2f", "Anna") == make_activity_id("d59d7a2f", "anna") != make_activity_id("d59d7a2f")
