"""What the routes of app registrations use."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from app.operations.registrations.reader import RegistrationReader
from app.operations.registrations.registrations import AppRegistrations
from app.operations.registrations.renewals import Renewals

__all__ = ["RegistrationComponents", "RegistrationsState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationComponents:
    """What the routes use."""

    registrations: AppRegistrations
    reader: RegistrationReader
    renewals: Renewals
    clock: Callable[[], float]


class RegistrationsState(TypedDict):
    """Its place in the lifespan state."""

    registrations: RegistrationComponents
