"""What the API's codes mean."""

import pytest
from pydantic import TypeAdapter

from app.enreach.records import CallDirection, CallRecord, EnreachQueue, OpenStatus, QueueKind, QueueStatus

QUEUE, STATUS, CALL = TypeAdapter(EnreachQueue), TypeAdapter(QueueStatus), TypeAdapter(CallRecord)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, QueueKind.USER_DIRECT),
        (2, QueueKind.PERSONAL_WORK),
        (3, QueueKind.OTHER),
        (4, QueueKind.SERVICE),
        ("4", QueueKind.SERVICE),
        (5, QueueKind.IVR),
        (6, QueueKind.SHORT_NUMBER),
        (7, QueueKind.TECHNICAL),
        (None, QueueKind.OTHER),
        (True, QueueKind.OTHER),
        ({}, QueueKind.OTHER),
    ],
)
def test_queue_kinds(code: object, kind: QueueKind) -> None:
    """Every code of the contract has its kind, everything else is `other`."""
    assert QUEUE.validate_python({"Id": "q", "TypeId": code}).kind is kind


@pytest.mark.parametrize(
    ("codes", "status"),
    [
        ((0, 2, 4, 6), OpenStatus.DYNAMIC),
        ((1, 3), OpenStatus.CLOSED),
        ((5,), OpenStatus.OPEN),
        ((7, -1, None, "open"), OpenStatus.OTHER),
    ],
)
def test_open_statuses(codes: tuple[object, ...], status: OpenStatus) -> None:
    """Every code of the contract has its status, everything else is `other`."""
    assert {STATUS.validate_python({"OpenStatus": code}).open_status for code in codes} == {status}


def test_directions() -> None:
    """Zero is inbound, anything else outbound, nothing is nothing."""
    assert [CALL.validate_python({"CallId": "c", "Direction": code}).direction for code in (0, 1, 2, None)] == [
        CallDirection.INBOUND,
        CallDirection.OUTBOUND,
        CallDirection.OUTBOUND,
        None,
    ]
