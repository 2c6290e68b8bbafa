"""What rules read besides the call, the caller and the clock: the switches that administrators set."""

from collections.abc import Iterable, Mapping

import msgspec

from app.routing.callers import Cause
from app.routing.facts import FactValue, Unknown
from app.routing.registry import SWITCHES

__all__ = ["DataFacts", "RuleData", "Switch"]

_NO_SWITCH = Unknown(Cause.NOT_CONFIGURED, "no switch has this name")


class Switch(msgspec.Struct, frozen=True):
    """A state that administrators set, outside of the ruleset."""

    on: bool
    off_at: float | None = None
    """When it goes off by itself, in seconds since the epoch."""

    def is_on(self, at: float) -> bool:
        """Tell whether it is on at a moment, in seconds since the epoch."""
        return self.on and (self.off_at is None or at < self.off_at)


class RuleData(msgspec.Struct, frozen=True):
    """The switches of one moment; never changed, only replaced."""

    switches: Mapping[str, Switch] = {}


class DataFacts:
    """Tells the facts that rules take from switches."""

    def __init__(self, facts: Iterable[str]) -> None:
        """`facts` are those that the rules read, of any kind."""
        self._switches = tuple((fact, fact.removeprefix(SWITCHES)) for fact in facts if fact.startswith(SWITCHES))
        self.names = frozenset(fact for fact, _ in self._switches)
        """The facts it tells."""

    def tell(self, data: RuleData, at: float) -> dict[str, FactValue]:
        """Tell them for a moment, in seconds since the epoch."""
        found: dict[str, FactValue] = {}
        for fact, name in self._switches:
            switch = data.switches.get(name)
            found[fact] = _NO_SWITCH if switch is None else switch.is_on(at)
        return found
