"""Destinations no call can go to: numbers that cannot be dialled, ids with characters that nobody can see."""

from collections.abc import Iterator

from app.errors import Finding
from app.routing.decisions import DestinationKind
from app.routing.documents import join_pointer
from app.routing.numbers import NumberKind, read_number
from app.routing.ruleset import DestinationSpec, Ruleset

__all__ = ["find_destination_faults"]

_DIALLED = frozenset({NumberKind.E164, NumberKind.SHORT})


def find_destination_faults(ruleset: Ruleset, *, region: str) -> Iterator[Finding]:
    """Find destinations whose id cannot be one; `region` (ISO 3166-1) completes numbers without a country code."""
    for name, spec in ruleset.destinations.items():
        if fault := _judge(spec, region):
            code, message, hint = fault
            yield Finding(code=code, pointer=join_pointer("destinations", name, "id"), message=message, hint=hint)


def _judge(spec: DestinationSpec, region: str) -> tuple[str, str, str] | None:
    if not spec.id.isprintable():
        return "unusable-id", "the id holds characters that cannot be seen", "type it anew instead of pasting it"
    if spec.kind is DestinationKind.NUMBER and read_number(spec.id, region).kind not in _DIALLED:
        return "unusable-number", "this is not a number that can be dialled", "write it like +358401234567"
    return None
