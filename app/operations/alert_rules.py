"""Alert rules, and those about this process: late answers, an open circuit breaker, a journal that piles up."""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from app.store.errors import StoreError, StoreUnavailableError

__all__ = [
    "AlertRule",
    "Find",
    "FiringAlert",
    "LateAnswers",
    "find_backlog",
    "find_gone_receiver",
    "find_guessing",
    "find_late_mirror",
    "find_open_breaker",
    "find_store_away",
    "find_switches_on",
    "find_unwritable_journal",
    "find_unwritable_store",
]

_WINDOW_SECONDS = 300.0
_MIN_LATE = 3
"""Fewer late answers do not fire, so that one hiccup of a quiet night wakes nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringAlert:
    """One thing that is wrong now."""

    subject: str
    """What it is about, e.g. a queue; empty when the kind says it all. Holds nothing personal."""
    message: str
    """One sentence for an administrator, who may be asleep: what is wrong, and since when or how much."""
    facts: Mapping[str, object]
    """The numbers behind the sentence, as JSON values."""


Find = Callable[[], Awaitable[Sequence[FiringAlert]]]
"""Finds what is wrong of one kind; raises AppError when it cannot be told now."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One kind of alert and how to find out whether it fires."""

    kind: str
    """A word in snake case, e.g. `breaker_open`."""
    find: Find
    shared: bool = False
    """True when it is the same for all processes on one database, so that the leader evaluates it for all."""


class LateAnswers:
    """Fires on the share of answers that left after their deadline."""

    def __init__(
        self,
        *,
        count: Callable[[], tuple[int, int]],
        read_percent: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """`count` tells answers and late answers since the start, `read_percent` how many of 100 may be late.

        `monotonic` gives seconds.
        """
        self._count = count
        self._read_percent = read_percent
        self._monotonic = monotonic
        self._samples: deque[tuple[float, int, int]] = deque()

    async def find(self) -> Sequence[FiringAlert]:
        """Compare with the counts of one window ago."""
        now = self._monotonic()
        answers, late = self._count()
        self._samples.append((now, answers, late))
        while len(self._samples) > 1 and self._samples[1][0] <= now - _WINDOW_SECONDS:
            self._samples.popleft()
        _, answers_before, late_before = self._samples[0]
        answers, late = answers - answers_before, late - late_before
        if late < _MIN_LATE or late * 100 <= self._read_percent() * answers:
            return ()
        message = f"{late} of {answers} answers left after the deadline within {_WINDOW_SECONDS / 60:.0f} minutes."
        return (FiringAlert(subject="", message=message, facts={"late": late, "answers": answers}),)


def find_open_breaker(state: Callable[[], str]) -> Find:
    """Fire while Dataverse is not asked because it fails."""

    async def find() -> Sequence[FiringAlert]:
        if state() == "closed":
            return ()
        message = "Dataverse fails or asks for a pause, so callers are answered from memory or not recognised."
        return (FiringAlert(subject="", message=message, facts={"breaker": state()}),)

    return find


def find_backlog(backlog: Callable[[], int], read_most: Callable[[], int]) -> Find:
    """Fire while more decisions than `read_most` says are on disk and not in the database."""

    async def find() -> Sequence[FiringAlert]:
        count = backlog()
        if count <= read_most():
            return ()
        message = f"{count} decisions wait in the journal for the database; none is lost while the disk has room."
        return (FiringAlert(subject="", message=message, facts={"backlog": count}),)

    return find


def find_unwritable_journal(read_detail: Callable[[], str]) -> Find:
    """Fire while decisions cannot be written down; `read_detail` says why, or nothing."""

    async def find() -> Sequence[FiringAlert]:
        detail = read_detail()
        if not detail:
            return ()
        message = f"Calls are answered, but decisions cannot be written to the journal: {detail}."
        return (FiringAlert(subject="", message=message, facts={"reason": detail}),)

    return find


def find_late_mirror(explain: Callable[[], str]) -> Find:
    """Fire while the mirror misses changes; `explain` says since when and why, or nothing."""

    async def find() -> Sequence[FiringAlert]:
        reason = explain()
        if not reason:
            return ()
        message = f"The mirror does not keep up with Dataverse: {reason}."
        return (FiringAlert(subject="", message=message, facts={"reason": reason}),)

    return find


def find_guessing(count_addresses: Callable[[], int]) -> Find:
    """Fire while an address keeps sending wrong credentials; `count_addresses` counts them."""

    async def find() -> Sequence[FiringAlert]:
        addresses = count_addresses()
        if not addresses:
            return ()
        message = "Wrong keys or passwords keep coming, and are answered slowly; the log names the addresses."
        return (FiringAlert(subject="", message=message, facts={"addresses": addresses}),)

    return find


def find_store_away(read_error: Callable[[], StoreError | None]) -> Find:
    """Fire while the database does not answer; `read_error` tells why it cannot be written, or `None`."""

    async def find() -> Sequence[FiringAlert]:
        error = read_error()
        if not isinstance(error, StoreUnavailableError):
            return ()
        message = "The database does not answer; calls are decided by the rules and callers at hand."
        return (FiringAlert(subject="", message=message, facts={"reason": error.detail}),)

    return find


def find_unwritable_store(read_error: Callable[[], StoreError | None]) -> Find:
    """Fire while the database answers and cannot be written; `read_error` tells why, or `None`."""

    async def find() -> Sequence[FiringAlert]:
        error = read_error()
        if error is None or isinstance(error, StoreUnavailableError):
            return ()
        message = "The database cannot be written: decisions wait in the journal, and administrators change nothing."
        return (FiringAlert(subject="", message=message, facts={"reason": error.detail}),)

    return find


class SetSwitch(Protocol):
    """A switch that is on."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def at(self) -> float:
        """When it was turned on, in seconds since the epoch."""

    @property
    def off_at(self) -> float | None:
        """When it goes off by itself, in seconds since the epoch."""


def find_switches_on(list_on: Callable[[], Sequence[SetSwitch]]) -> Find:
    """Fire for each switch that is on, as long as it is."""

    async def find() -> Sequence[FiringAlert]:
        return [_describe_switch(switch) for switch in list_on()]

    return find


def _describe_switch(switch: SetSwitch) -> FiringAlert:
    since, until = _show_time(switch.at), None if switch.off_at is None else _show_time(switch.off_at)
    end = f"until {until}" if until else "until somebody turns it off"
    message = f'The switch "{switch.name}" is on since {since}, {end}; GET /admin/switches/{switch.name} says why.'
    return FiringAlert(subject=switch.name, message=message, facts={"since": since, "until": until})


def _show_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def find_gone_receiver(is_gone: Callable[[], bool]) -> Find:
    """Fire while alerts are sent to nobody since their receiver said that it is gone."""

    async def find() -> Sequence[FiringAlert]:
        if not is_gone():
            return ()
        message = (
            "The receiver of alerts answered 410 (gone) and gets nothing more: correct SMARTROUTING_ALERTS__URL, "
            "or restart the service to try again."
        )
        return (FiringAlert(subject="", message=message, facts={"status": 410}),)

    return find
