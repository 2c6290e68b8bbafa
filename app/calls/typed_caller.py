"""Recognises by what they typed those whom their number does not identify."""

from dataclasses import replace
from typing import Final

from app.directory.lookup import LookupResult, Source
from app.directory.typed import TypedCallers
from app.routing.callers import CallerStatus, Selection
from app.routing.calls import Call

__all__ = ["recognise_typed"]

_RESERVE_SECONDS: Final = 0.05
"""Kept back from a call's time, so that the answer leaves in time."""
_DETAIL: Final = "recognised by what the caller typed"
_OPEN: Final = frozenset({CallerStatus.UNKNOWN, CallerStatus.WITHHELD, CallerStatus.AMBIGUOUS})


async def recognise_typed(
    call: Call,
    result: LookupResult,
    callers: TypedCallers,
    *,
    parameter: str | None,
    selection: Selection,
    until: float,
) -> LookupResult:
    """Return who is recognised by `parameter`, else the result of the number; takes until `until` (loop time) at most.

    Whom the number identifies is not asked for again: what somebody typed is a claim, and may be wrong.
    """
    typed = None if parameter is None else call.parameters.get(parameter)
    if typed is None or result.caller.status not in _OPEN:
        return result
    caller = await callers.find(typed, selection, until=until - _RESERVE_SECONDS)
    if caller is None:
        return result
    detail = "; ".join(filter(None, (_DETAIL, caller.detail)))
    return LookupResult(replace(caller, detail=detail), Source.LIVE, stages=result.stages)
