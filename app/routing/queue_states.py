"""Facts about how busy a queue is, as Enreach told it beside calls a moment ago."""

from collections.abc import Mapping

import msgspec

from app.routing.callers import Cause
from app.routing.facts import FactValue, Unknown
from app.routing.registry import QUEUES

__all__ = ["QUEUE_MEMBERS", "QueueState", "split_queue_fact", "tell_queue"]

QUEUE_MEMBERS: Mapping[str, type] = {
    "open": bool,
    "length": int,
    "longest_wait": int,
    "free_agents": int,
    "age_seconds": int,
}
"""What may be asked of a queue, and the type of the answer."""
_NOT_READ = Unknown(Cause.NOT_CONFIGURED, "the states of queues are not read, or Enreach tells none of this queue")
_UNDECIDED = Unknown(Cause.NOT_FETCHED, "Enreach decides call by call whether the queue is open")
_NOT_TOLD = Unknown(Cause.NOT_FETCHED, "Enreach does not tell it of this queue")


class QueueState(msgspec.Struct, frozen=True):
    """How busy a queue was."""

    at: float
    """When Enreach was asked, in seconds since the epoch."""
    max_age: float
    """In seconds: for how long it counts."""
    open: bool | None
    """`None` when that is decided call by call."""
    length: int | None
    """Callers waiting."""
    longest_wait: int | None
    """In seconds."""
    free_agents: int | None


def split_queue_fact(fact: str) -> tuple[str, str]:
    """Return the destination and the member of a fact such as `queue.sales.free_agents`."""
    name, _, member = fact.removeprefix(QUEUES).rpartition(".")
    return name, member


def tell_queue(state: QueueState | None, member: str, at: float) -> FactValue:
    """Tell a fact of a queue at a moment, in seconds since the epoch; unknown when the state is too old by then."""
    if state is None or member not in QUEUE_MEMBERS:
        return _NOT_READ
    # A state may be read between the arrival of a call and its decision.
    age = abs(at - state.at)
    if age > state.max_age:
        return Unknown(Cause.TIMEOUT, f"Enreach last told it more than {state.max_age:g} seconds ago")
    if member == "age_seconds":
        return round(age)
    value: int | None = getattr(state, member)
    if value is None:
        return _UNDECIDED if member == "open" else _NOT_TOLD
    return value
