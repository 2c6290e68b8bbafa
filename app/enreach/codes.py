"""The numbers and spellings the Enreach API uses for states, and what they mean (Enreach contract, section 4.2)."""

from datetime import UTC, datetime
from enum import StrEnum

__all__ = [
    "CallDirection",
    "OpenStatus",
    "QueueKind",
    "assume_utc",
    "read_answered",
    "read_direction",
    "read_open_status",
    "read_queue_kind",
    "read_text",
    "read_texts",
]


class QueueKind(StrEnum):
    """What a queue is for, by its `TypeId`."""

    USER_DIRECT = "user_direct"
    PERSONAL_WORK = "personal_work"
    SERVICE = "service"
    IVR = "ivr"
    SHORT_NUMBER = "short_number"
    TECHNICAL = "technical"
    OTHER = "other"
    """A number this service does not know."""


class OpenStatus(StrEnum):
    """Whether a queue takes calls, by its `OpenStatus`."""

    OPEN = "open"
    CLOSED = "closed"
    DYNAMIC = "dynamic"
    """Decided call by call, e.g. by opening hours or by who is there."""
    OTHER = "other"
    """A number this service does not know."""


class CallDirection(StrEnum):
    """Who began the call, seen from the user."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


_QUEUE_KINDS = {
    1: QueueKind.USER_DIRECT,
    2: QueueKind.PERSONAL_WORK,
    4: QueueKind.SERVICE,
    5: QueueKind.IVR,
    6: QueueKind.SHORT_NUMBER,
    7: QueueKind.TECHNICAL,
}
_OPEN_STATUSES = {
    0: OpenStatus.DYNAMIC,
    1: OpenStatus.CLOSED,
    2: OpenStatus.DYNAMIC,
    3: OpenStatus.CLOSED,
    4: OpenStatus.DYNAMIC,
    5: OpenStatus.OPEN,
    6: OpenStatus.DYNAMIC,
}


def read_queue_kind(value: object) -> QueueKind:
    """Map a `TypeId`; whatever is not in the contract is `other`."""
    return _QUEUE_KINDS.get(_read_code(value), QueueKind.OTHER)


def read_open_status(value: object) -> OpenStatus:
    """Map an `OpenStatus`; whatever is not in the contract is `other`."""
    return _OPEN_STATUSES.get(_read_code(value), OpenStatus.OTHER)


def read_direction(value: object) -> CallDirection | None:
    """Map a `Direction`: 0 is inbound, anything else outbound, nothing is None."""
    if value is None:
        return None
    return CallDirection.INBOUND if _read_code(value) == 0 else CallDirection.OUTBOUND


def read_answered(value: object) -> bool | None:
    """Map an `EndResult`: 0 is answered, anything else not, nothing is None."""
    return None if value is None else _read_code(value) == 0


def read_text(value: object) -> object:
    """Trim text and take blank text for absent; numbers become their digits, other values are left to be refused."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return (value.strip() or None) if isinstance(value, str) else value


def read_texts(value: object) -> object:
    """Keep the non-blank texts of a list; an absent list is empty."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        return value
    return tuple(text for text in map(read_text, value) if isinstance(text, str))


def assume_utc(moment: datetime) -> datetime:
    """Give a time its zone: the API speaks UTC even where it does not say so (Enreach contract, section 4.5)."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _read_code(value: object) -> int:
    """Read a code, also from text such as "4"; -1, which no table holds, for anything else."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1
