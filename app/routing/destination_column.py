"""Destinations that a table's column holds: names of destinations, and numbers."""

from collections.abc import Sequence

from app.routing.decisions import Destination, DestinationKind
from app.routing.evaluation import FALSE, TRUE, UNKNOWN, UNTOLD, Test, fold
from app.routing.rule_data import read_dialled
from app.routing.ruleset import Ruleset

__all__ = ["DestinationColumn"]


class DestinationColumn:
    """Reads values of a column as places that a call can go."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._known = {fold(name): ruleset.find_destination(name) for name in ruleset.destinations}

    def find(self, value: object) -> Destination | None:
        """Return the destination of that name (folded), or the number; `None` for anything else."""
        if value in self._known:
            return self._known[value]
        number = read_dialled(value)
        return None if number is None else Destination(DestinationKind.NUMBER, number)

    def compile(self, place: int) -> Test:
        """Compile whether the column, read at a place in the list of values, holds one."""

        def judge(values: Sequence[object]) -> int:
            value = values[place]
            if value is UNTOLD:
                return UNKNOWN
            return FALSE if self.find(value) is None else TRUE

        return judge
