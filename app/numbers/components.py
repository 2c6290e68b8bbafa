"""The components of stored numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.dataverse.client import DataverseClient
from app.directory.mirror.store import Generation
from app.numbers.corrections import Corrections
from app.numbers.hygiene import Explainer, Hygiene
from app.numbers.store import NumberStore
from app.settings import Settings
from app.store.audit import AuditStore

__all__ = ["NumberComponents", "NumbersState", "open_numbers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberComponents:
    """What the routes of this capability use."""

    hygiene: Hygiene
    corrections: Corrections
    read_settings: Callable[[], Settings]


class NumbersState(TypedDict):
    """Its place in the lifespan state."""

    numbers: NumberComponents


def open_numbers(
    *,
    store: NumberStore,
    read_settings: Callable[[], Settings],
    read_live: Callable[[], Generation | None],
    mirrored: Explainer | None,
    dataverse: DataverseClient,
    audit: AuditStore,
    clock: Callable[[], float],
) -> NumberComponents:
    """Make them; `read_live` returns the index of the mirror and `mirrored` judges by it, where there is one.

    `dataverse` must be the client that leaves calls their part of the request budget.
    """
    return NumberComponents(
        hygiene=Hygiene(store=store, read_live=read_live, mirrored=mirrored, audit=audit, clock=clock),
        corrections=Corrections(
            store=store, dataverse=dataverse, read_settings=read_settings, audit=audit, clock=clock
        ),
        read_settings=read_settings,
    )
