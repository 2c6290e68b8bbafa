"""Phone-call activities exist once, complete, whatever happens between the steps of writing them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

import httpx
import pytest

from app.dataverse import errors
from app.dataverse.connection import connect
from app.dataverse.phone_calls import PhoneCall, PhoneCallActivities, WriteOutcome, make_activity_id
from app.emulators.dataverse import DataverseEmulator, create_dataverse_emulator
from app.emulators.faults import Fault, FaultKind
from app.settings import DataverseSettings
from tests.dataverse.wire import HandedTokens
from tests.support.samples import make_tables

CONTACT = "c0000000-0000-4000-8000-000000000001"
USER = "50000000-0000-4000-8000-000000000001"
CALL = PhoneCall(
    id=make_activity_id("d59d7a2f-318a-469e-bdc0-b092a8fedbc1", "aino.virtanen@contoso.example"),
    number="+358501234567",
    outgoing=False,
    started_at=1_795_334_400.0,
    seconds=190.0,
    user_id=USER,
    kind="contact",
    record_id=CONTACT,
)


@dataclass(frozen=True)
class Written:
    """An emulated organisation, and what writes into it."""

    emulator: DataverseEmulator
    activities: PhoneCallActivities

    def show(self, call: PhoneCall = CALL) -> dict[str, object] | None:
        """Return the stored activity, as far as this file looks at it."""
        row = self.emulator.tables.find("phonecalls", str(call.id))
        names = ("subject", "phonenumber", "directioncode", "actualstart", "actualend", "actualdurationminutes")
        wanted = (*names, "statecode", "statuscode", "_regardingobjectid_value", "_ownerid_value")
        return None if row is None else {name: row.get(name) for name in wanted}

    def count(self) -> int:
        """Count all activities."""
        return len(self.emulator.tables.rows("phonecalls"))


@pytest.fixture
async def place() -> AsyncIterator[Written]:
    emulator = create_dataverse_emulator(
        data=make_tables(None), static_tokens={"token": "0a0b0c0d-1111-4222-8333-444455556666"}
    )
    settings = DataverseSettings.model_validate({"url": "http://127.0.0.1", "auth": "token", "token": "token"})
    client = connect(settings, tokens=HandedTokens(["token"]), transport=httpx.ASGITransport(emulator))
    async with client:
        yield Written(emulator, PhoneCallActivities(client=client))


COMPLETE = {
    "subject": "Call from +358501234567",
    "phonenumber": "+358501234567",
    "directioncode": False,
    "actualstart": "2026-11-22T08:00:00Z",
    "actualend": "2026-11-22T08:03:10Z",
    "actualdurationminutes": 3,
    "statecode": 1,
    "statuscode": 4,
    "_regardingobjectid_value": CONTACT,
    "_ownerid_value": USER,
}


async def test_activity_is_created_and_completed(place: Written) -> None:
    """It holds what the contract asks for, with the parties by direction, and is completed."""
    assert await place.activities.write([CALL]) == [WriteOutcome.CREATED]

    parties = [row for row in place.emulator.tables.rows("activityparties") if row["_activityid_value"] == str(CALL.id)]
    assert place.show() == COMPLETE
    assert [(row["participationtypemask"], row["_partyid_value"]) for row in parties] == [(1, CONTACT), (2, USER)]


async def test_call_of_nobody_known_keeps_its_number(place: Written) -> None:
    """Without a record in Dynamics the other party is a name that leads nowhere."""
    stranger = replace(CALL, kind=None, record_id=None, outgoing=True, answered=False)

    assert await place.activities.write([stranger]) == [WriteOutcome.CREATED]

    assert place.show() == {
        **COMPLETE,
        "subject": "Call to +358501234567 (not answered)",
        "directioncode": True,
        "statuscode": 2,
        "_regardingobjectid_value": None,
    }


async def test_hundred_activities_are_few_requests(place: Written) -> None:
    """Create and complete travel together, forty at a time."""
    calls = [replace(CALL, id=make_activity_id(str(number))) for number in range(100)]

    assert await place.activities.write(calls) == [WriteOutcome.CREATED] * 100

    assert len(place.emulator.requests) == 6


async def test_writing_again_or_at_the_same_time_makes_no_second_one(place: Written) -> None:
    """Whoever comes later finds it there."""
    before = place.count()
    await asyncio.gather(place.activities.write([CALL]), place.activities.write([CALL]))

    assert await place.activities.write([CALL]) == [WriteOutcome.EXISTED]
    assert (place.count(), place.show()) == (before + 1, COMPLETE)


async def test_half_written_activity_is_completed(place: Written) -> None:
    """An activity that was created and not completed is completed, not repeated."""
    place.emulator.tables.store("phonecalls", _open_row())

    assert await place.activities.write([CALL]) == [WriteOutcome.COMPLETED]
    assert place.show() == {**COMPLETE, "statecode": 1, "statuscode": 4}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"statecode": 2, "statuscode": 3}, WriteOutcome.EXISTED),
        ({"subject": "Asked for a quote", "modifiedon": "2026-11-22T09:00:00Z"}, WriteOutcome.LEFT),
    ],
)
async def test_activity_of_a_person_is_left_alone(
    place: Written, changes: dict[str, object], outcome: WriteOutcome
) -> None:
    """What somebody closed or changed stays as they left it."""
    row = place.emulator.tables.store("phonecalls", _open_row() | changes)

    assert await place.activities.write([CALL]) == [outcome]
    assert place.emulator.tables.find("phonecalls", str(CALL.id)) == row


async def test_refused_activity_keeps_no_other(place: Written) -> None:
    """One whose customer is gone gets its own error."""
    gone = replace(CALL, id=make_activity_id("gone"), record_id="c0000000-0000-4000-8000-00000000ffff")

    refused, written = await place.activities.write([gone, CALL])

    assert isinstance(refused, errors.RecordNotFoundError)
    assert (written, place.show(gone)) == (WriteOutcome.CREATED, None)


@pytest.mark.parametrize("status", [429, 503])
async def test_trouble_between_the_steps_is_made_up_for(place: Written, status: int) -> None:
    """When Dataverse fails after some were created, writing all again completes every one."""
    calls = [replace(CALL, id=make_activity_id(str(number))) for number in range(3)]
    place.emulator.faults.add(Fault(kind=FaultKind.STATUS, status=status, retry_after_s=0, table="phonecalls", times=1))

    with pytest.raises(errors.DataverseError):
        await place.activities.write(calls)

    outcomes = await place.activities.write(calls)
    assert [show and show["statecode"] for show in map(place.show, calls)] == [1, 1, 1]
    assert sorted(map(str, outcomes)) == ["completed", "completed", "created"]


def test_id_comes_from_the_call() -> None:
    """The same call has the same activity, whatever the case of its id; another part of it has another."""
    assert make_activity_id("D59D7A2F") == make_activity_id(" d59d7a2f") != make_activity_id("d59d7a2f", "anna")
    assert make_activity_id("d59d7a2f") == UUID("4ab1f915-4afe-5692-8ac3-4aa749d104e1")


def _open_row() -> dict[str, object]:
    stamps = {"createdon": "2026-11-22T08:05:00Z", "modifiedon": "2026-11-22T08:05:00Z"}
    return {"activityid": str(CALL.id), **COMPLETE, "statecode": 0, "statuscode": 1, **stamps}
