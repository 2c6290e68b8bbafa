"""A plausible day of calls: more in the morning than at night, some callers again, some nobody knows."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.emulators.dataverse import sample_tables
from app.routing.numbers import read_number

__all__ = ["TrafficCall", "make_day"]

_HOURS: Final = (1, 1, 0, 0, 1, 2, 6, 18, 60, 80, 74, 58, 46, 62, 66, 54, 34, 18, 10, 8, 6, 4, 3, 2)
"""How many calls begin in each hour of the day, compared with each other."""
_QUEUES: Final = {
    "SALES_QUEUE": ("6f3c2f6e-0d0c-4c2e-8e55-0f6f4b1c9a01", 5),
    "SUPPORT_QUEUE": ("6f3c2f6e-0d0c-4c2e-8e55-0f6f4b1c9a02", 4),
    "INVOICE_QUEUE": ("6f3c2f6e-0d0c-4c2e-8e55-0f6f4b1c9a03", 1),
}
"""Target id -> the queue's id, and its part of the calls."""
_CUSTOMERS, _STRANGERS, _WITHHELD = 60, 30, 10
"""Per cent of the calls."""
_REGULARS: Final = 12
"""Customers who call most: half of what all customers call."""


@dataclass(frozen=True, slots=True)
class TrafficCall:
    """One call to post."""

    at: float
    """The part of the day that has passed, 0 to 1."""
    payload: dict[str, object]


def make_day(calls: int, *, seed: int) -> list[TrafficCall]:
    """Make up that many calls to the sample organisation, in the order of their time; a seed gives the same day."""
    chance = random.Random(seed)  # noqa: S311 - calls, not secrets
    customers = _list_customers()
    strangers = [f"+3584099{chance.randrange(100_000):05}" for _ in range(calls // 4 + 1)]
    hours = chance.choices(range(24), _HOURS, k=calls)
    times = sorted((hour + chance.random()) / 24 for hour in hours)
    return [TrafficCall(at, _make_call(chance, customers, strangers, number)) for number, at in enumerate(times)]


def _list_customers() -> list[str]:
    tables = sample_tables()
    stored = [row.get(column) for row in tables.list_rows("contacts") for column in ("mobilephone", "telephone1")]
    stored += [row.get("telephone1") for row in tables.list_rows("accounts")]
    numbers = (read_number(text, "FI").e164 for text in stored if isinstance(text, str))
    return list(dict.fromkeys(number for number in numbers if number))


def _make_call(
    chance: random.Random, customers: Sequence[str], strangers: Sequence[str], number: int
) -> dict[str, object]:
    kind = chance.choices(("customer", "stranger", "withheld"), (_CUSTOMERS, _STRANGERS, _WITHHELD))[0]
    target = chance.choices(list(_QUEUES), [part for _, part in _QUEUES.values()])[0]
    known = customers[:_REGULARS] if chance.random() < 0.5 else customers  # noqa: PLR2004 - half of them
    caller = {"customer": chance.choice(known), "stranger": chance.choice(strangers), "withheld": "anonymous"}[kind]
    extra = {"CallId": f"demo-{number}-{chance.getrandbits(32):08x}", "CurrQueueId": _QUEUES[target][0]}
    return {"anum": caller, "bnum": "+358912345678", "targetid": target, "extradata": extra}
