"""The components of stored numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.numbers.corrections import Corrections
from app.numbers.hygiene import Hygiene
from app.settings import Settings

__all__ = ["NumberComponents", "NumbersState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberComponents:
    """What the routes of this capability use."""

    hygiene: Hygiene
    corrections: Corrections
    read_settings: Callable[[], Settings]


class NumbersState(TypedDict):
    """Its place in the lifespan state."""

    numbers: NumberComponents
