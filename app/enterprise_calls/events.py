"""Rows of Enreach as call events: one for each user's part in a call, however many rows it has."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from app.dataverse.phone_calls import make_activity_id
from app.enreach.records import CallDirection, CallRecord, ClassifiedCall
from app.enterprise_calls.rules import CallEvent
from app.routing.numbers import read_number

__all__ = ["ReadCalls", "read_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCalls:
    """What some rows say."""

    work: tuple[CallEvent, ...]
    """In the order they began."""
    not_work: frozenset[str]
    """Ids of events that are not, or not any more, classified as work; nothing else is known of them."""


def read_events(rows: Iterable[ClassifiedCall], *, work_values: Iterable[str], region: str) -> ReadCalls:
    """Read rows; several of one user and one call are one event, which is work only when all of them say so.

    `region` completes numbers without a country code.
    """
    values = {value.strip().casefold() for value in work_values}
    events: dict[str, CallEvent] = {}
    not_work: set[str] = set()
    for row in rows:
        key = str(make_activity_id(row.record.call_id, row.record.user_name or ""))
        if (row.classification or "").casefold() not in values:
            not_work.add(key)
        else:
            event = _read(key, row.record, region)
            events[key] = _merge(events[key], event) if key in events else event
    work = (event for key, event in events.items() if key not in not_work)
    ordered = sorted(work, key=lambda event: (event.started_at or 0.0, event.id))
    return ReadCalls(work=tuple(ordered), not_work=frozenset(not_work))


def _read(key: str, record: CallRecord, region: str) -> CallEvent:
    outgoing = record.direction is CallDirection.OUTBOUND
    number = read_number(record.called_number if outgoing else record.caller_number, region)
    started = record.started_at or record.recorded_at
    return CallEvent(
        id=key,
        call_id=record.call_id,
        user_name=record.user_name,
        started_at=None if started is None else started.timestamp(),
        seconds=record.duration_seconds or 0.0,
        outgoing=outgoing,
        answered=bool(record.answered),
        number=number.e164,
        number_kind=number.kind,
    )


def _merge(first: CallEvent, second: CallEvent) -> CallEvent:
    """Make one event of two rows: the longer one tells the call, the earlier one when it began."""
    told, other = (first, second) if (first.seconds, first.id) >= (second.seconds, second.id) else (second, first)
    starts = [event.started_at for event in (told, other) if event.started_at is not None]
    return replace(
        told,
        started_at=min(starts, default=None),
        answered=told.answered or other.answered,
        number=told.number or other.number,
        number_kind=told.number_kind if told.number else other.number_kind,
    )
