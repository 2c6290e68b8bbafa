"""The client against the emulated API."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from dirty_equals import IsPartialDict
from pydantic import SecretStr

from app.emulators.enreach import EnreachEmulator
from app.enreach.client import EnreachClient, Rows
from app.enreach.errors import EnreachNotConfiguredError, EnreachUnauthorizedError
from app.enreach.periods import CallTime, Period
from app.enreach.records import (
    CallDirection,
    CallRecord,
    EnreachQueue,
    EnreachUser,
    OpenStatus,
    QueueKind,
    QueueStatus,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
VIP_QUEUE = "1a89fc22-517a-e611-80c9-00505689257e"
AINO = {"Id": "11111111-1111-4111-8111-111111111111", "UserName": "aino@contoso.example", "OrganizationID": "org-1"}


async def test_own_user_is_the_one_the_key_belongs_to(client: EnreachClient, emulator: EnreachEmulator) -> None:
    """Asking for oneself proves URL and key in one request."""
    user = await client.fetch_own_user()

    assert user.email == "voice.api@contoso.example"
    assert [(seen.method, seen.path) for seen in emulator.requests] == [("GET", "/users/me")]


async def test_users_are_all_listed(client: EnreachClient, emulator: EnreachEmulator) -> None:
    """Every user of the organisation comes, typed, in the order of the answer."""
    emulator.tables["users"][:] = [AINO, {"Id": "2", "Name": "ignored"}]

    assert await client.list_users() == Rows(
        (
            EnreachUser(id=AINO["Id"], email="aino@contoso.example", organization_id="org-1"),
            EnreachUser(id="2", email=None, organization_id=None),
        )
    )


async def test_rows_that_cannot_be_understood_are_reported(client: EnreachClient, emulator: EnreachEmulator) -> None:
    """An odd row costs only itself, and the report names fields, not values."""
    emulator.tables["queues"][:] = [
        {"Name": "no id"},
        {"Id": "q1", "TypeId": 4, "Status": {"OpenStatus": 5, "QueueLength": "many", "FreeAgents": []}},
        {"Id": "q2", "TypeId": 99, "Numbers": None, "Status": None},
        {"Id": "  ", "TypeId": 4},
        {"Id": 7, "Numbers": "+358912345678"},
    ]

    assert await client.list_queues() == Rows(
        (EnreachQueue(id="q2", kind=QueueKind.OTHER),),
        ("row 0: Id", "row 1: Status.QueueLength, Status.FreeAgents", "row 3: Id", "row 4: Numbers"),
    )


async def test_wrong_secret_is_unauthorized_and_asked_once(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """A refused key is not tried again."""
    client = EnreachClient(
        http=http, base_url="https://enreach.example", user="voice.api@contoso.example", secret=SecretStr("wrong")
    )

    with pytest.raises(EnreachUnauthorizedError):
        await client.list_users()

    assert len(emulator.requests) == 1


async def test_queues_are_typed(client: EnreachClient) -> None:
    """Kind, numbers and live state of a queue come as values."""
    queues = {queue.id: queue for queue in await client.list_queues()}

    assert queues[VIP_QUEUE] == EnreachQueue(
        id=VIP_QUEUE,
        kind=QueueKind.SERVICE,
        name="VIP service",
        numbers=("+358912340001",),
        status=QueueStatus(
            open_status=OpenStatus.OPEN,
            max_wait_seconds=12,
            queue_length=0,
            ongoing_calls=1,
            agents_on_wrap_up=0,
            free_agents=2,
            serving_agents=3,
        ),
    )
    assert {queue.kind for queue in queues.values()} == set(QueueKind) - {QueueKind.OTHER}


async def test_calls_of_a_period_are_typed(client: EnreachClient, emulator: EnreachEmulator) -> None:
    """Times get their zone, codes their meaning, and absent keys are None."""
    emulator.tables["calls"][:] = [
        {
            "CallId": "c1",
            "TimeStamp": "2026-03-02T11:00:00",
            "StartTime": "2026-03-02T11:00:00",
            "ANum": "+358501234567",
            "BNum": "+358912345678",
            "UserName": "aino@contoso.example",
            "CallTypeString": "ServiceCall",
            "Direction": 0,
            "Duration": 61,
            "EndResult": 0,
            "RecordingIds": ["r1"],
            "AnswerQueueId": VIP_QUEUE,
        },
        {"CallId": "c2", "StartTime": "2026-03-02T11:30:00Z", "Direction": 1, "EndResult": 4, "RecordingIds": None},
    ]
    eleven = datetime(2026, 3, 2, 11, tzinfo=UTC)

    assert await client.list_calls(Period(NOW - timedelta(hours=2), NOW)) == Rows(
        (
            CallRecord(
                call_id="c1",
                recorded_at=eleven,
                started_at=eleven,
                caller_number="+358501234567",
                called_number="+358912345678",
                user_name="aino@contoso.example",
                call_type="ServiceCall",
                direction=CallDirection.INBOUND,
                duration_seconds=61,
                answered=True,
                recording_ids=("r1",),
                answer_queue_id=VIP_QUEUE,
            ),
            CallRecord(
                call_id="c2",
                started_at=eleven + timedelta(minutes=30),
                direction=CallDirection.OUTBOUND,
                answered=False,
            ),
        )
    )
    assert emulator.requests[-1].query == {"StartTime": "2026-03-02 10:00:00", "EndTime": "2026-03-02 12:00:00"}


async def test_long_periods_are_asked_in_windows_and_each_record_comes_once(
    client: EnreachClient, emulator: EnreachEmulator
) -> None:
    """A call on the boundary of two windows is in both answers but once in the result; one call id may stay twice."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    boundary = start + timedelta(days=31)
    emulator.tables["calls"][:] = [
        {"CallId": "c", "StartTime": f"{boundary:%Y-%m-%dT%H:%M:%S}", "CallTypeString": kind, "_user_id": user}
        for kind, user in [("ServiceCall", "u"), ("DirectCall", "u")]
    ]

    calls = await client.list_calls(Period(start, start + timedelta(days=70)))

    assert [call.call_type for call in calls] == ["ServiceCall", "DirectCall"]
    assert [seen.query for seen in emulator.requests] == [
        {"StartTime": "2026-01-01 00:00:00", "EndTime": "2026-02-01 00:00:00"},
        {"StartTime": "2026-02-01 00:00:00", "EndTime": "2026-03-04 00:00:00"},
        {"StartTime": "2026-03-04 00:00:00", "EndTime": "2026-03-12 00:00:00"},
    ]


async def test_calls_can_be_asked_by_change(client: EnreachClient, emulator: EnreachEmulator) -> None:
    """The time a call was last changed has query keys of its own."""
    emulator.tables["calls"][:] = [{"CallId": "late", "_modified": "2026-03-02T11:59:00"}, {"CallId": "old"}]

    calls = await client.list_calls(Period(NOW - timedelta(hours=1), NOW, CallTime.MODIFIED))

    assert [call.call_id for call in calls] == ["late"]
    assert emulator.requests[-1].query == IsPartialDict(ModifiedAfter="2026-03-02 11:00:00")


async def test_sample_is_understood_in_full(client: EnreachClient) -> None:
    """Nothing in the sample organisation is reported as odd."""
    period = Period(NOW - timedelta(days=60), NOW)
    answers = (
        await client.list_users(),
        await client.list_queues(),
        await client.list_calls(period),
    )

    assert [rows.not_understood for rows in answers] == [()] * 3
    assert all(rows.rows for rows in answers)


def test_personal_data_stays_out_of_repr() -> None:
    """What ends up in a log by mistake shows neither numbers nor names."""
    call = CallRecord(call_id="c", caller_number="+358501234567", user_name="aino@contoso.example")

    assert "+358" not in repr(call)
    assert "aino" not in repr((call, EnreachUser(id="1", email="aino@contoso.example")))


@pytest.mark.parametrize(
    ("base_url", "user", "secret"),
    [
        pytest.param("", "u", "s", id="no URL"),
        pytest.param("http://enreach.example", "u", "s", id="key in the clear"),
        pytest.param("ftp://enreach.example", "u", "s", id="not HTTP"),
        pytest.param("https://u:p@enreach.example", "u", "s", id="credentials in the URL"),
        pytest.param("https://[", "u", "s", id="not a host"),
        pytest.param("https://enreach.example:port", "u", "s", id="not a URL"),
        pytest.param("https://enreach.example", "", "s", id="no user"),
        pytest.param("https://enreach.example", "u", "", id="no secret"),
    ],
)
async def test_unusable_settings_are_refused(http: httpx.AsyncClient, base_url: str, user: str, secret: str) -> None:
    """A client that could not work, or not safely, is never made."""
    with pytest.raises(EnreachNotConfiguredError):
        EnreachClient(http=http, base_url=base_url, user=user, secret=SecretStr(secret))
