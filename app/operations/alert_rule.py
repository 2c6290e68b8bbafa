"""What an administrator is woken for."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Check", "Find", "FiringAlert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringAlert:
    """One thing that is wrong now."""

    subject: str
    """What it is about, e.g. a queue; empty when the kind says it all. Holds nothing personal."""
    message: str
    """One sentence for a person, who may be asleep: what is wrong, and since when or how much."""
    facts: Mapping[str, object]
    """The numbers behind the sentence, as JSON values."""


Find = Callable[[], Awaitable[Sequence[FiringAlert]]]
"""Looks for troubles of one kind; raises AppError when it cannot be told now."""


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of trouble and how to find it."""

    kind: str
    """A word in snake case, e.g. `breaker_open`."""
    find: Find
    shared: bool = False
    """True when it is the same for all processes on one database, so that one of them looks for all."""
