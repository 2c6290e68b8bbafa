"""Decisions to keep."""

import time
import uuid
from typing import Any

from app.routing.callers import CallerStatus
from app.routing.decisions import DecisionRecord, Outcome

__all__ = ["make_id", "make_record"]

NOON = time.time() // 86_400 * 86_400 - 43_200.0
"""Of yesterday, in seconds since the epoch: no purge has reached it yet."""


def make_id(at: float) -> str:
    """Make a UUID version 7 of this moment (RFC 9562, section 5.7)."""
    random = uuid.uuid4().int & ((1 << 76) - 1)
    value = (int(at * 1000) << 80) | (0x7 << 76) | random
    return str(uuid.UUID(int=value & ~(0x3 << 62) | (0x2 << 62)))


def make_record(at: float = NOON, **changes: Any) -> DecisionRecord:
    """Make the decision of an ordinary call at that time, with some members changed."""
    values: dict[str, Any] = {
        "id": make_id(at),
        "at": at,
        "request_id": "request-1",
        "credential": "main",
        "call_id": "call-1",
        "caller_raw": "050 123 4567",
        "caller_e164": "+358501234567",
        "called_raw": "+358912345678",
        "called_e164": "+358912345678",
        "target_id": "SALES_QUEUE",
        "queue_id": "queue-1",
        "facts": {
            "call.caller": "+358501234567",
            "call.country": "FI",
            "call.parameters.DYN_Ref": "A-17",
            "caller.name": "Aino Virtanen",
            "caller.vip": True,
            "caller.open_cases": {"unknown": "timeout", "detail": "Dataverse timed out at 1.2 s"},
            "account.name": None,
            "time.weekday": 3,
        },
        "caller_status": CallerStatus.IDENTIFIED,
        "caller_cause": None,
        "caller_age_seconds": 12.5,
        "caller_source": "fresh",
        "revision": 7,
        "rule": "vip",
        "outcome": Outcome.REDIRECT,
        "decision": {"redirect": "vip-queue", "extra_priority": 10},
        "status": 200,
        "body": '{"InitialTarget":"1a89fc22"}',
        "waterfall": {"parse": 0.1, "lookup": 80.25, "rules": 0.05, "total": 80.4},
    }
    return DecisionRecord(**values | changes)
