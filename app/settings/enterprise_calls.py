"""How calls become phone-call activities in Dynamics."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field

from app.settings.base import Group, require_zone

__all__ = ["PhoneCallSyncSettings"]

_TIME = r"([01]\d|2[0-3]):[0-5]\d"


_Hours = Annotated[str, Field(pattern=rf"^{_TIME}-([01]\d|2[0-4]):[0-5]\d$", description="Such as 08:00-16:00.")]
_Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class PhoneCallSyncSettings(Group):
    """The synchronisation of calls (administrator guide, "Enterprise Calls")."""

    enabled: bool = Field(default=False, description="Whether calls are synchronised.")
    privacy_field: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Key of Enreach's calls that tells work from private; absent stops the synchronisation.",
    )
    privacy_work_values: tuple[str, ...] = Field(
        default=("Work",), min_length=1, max_length=20, description="Values of that key that mean a work call."
    )
    call_duration_limit_s: int = Field(default=0, ge=0, le=3600, description="Shorter calls are left out.")
    call_start_margin_s: int = Field(
        default=60, ge=0, le=3600, description="An activity that begins so near to a call is taken for the same call."
    )
    default_crm_assignee: UUID | None = Field(
        default=None, description="User of Dynamics who owns the activity when the Enreach user is nobody there."
    )
    time_zone: Annotated[str, AfterValidator(require_zone)] = Field(
        default="Europe/Helsinki", max_length=60, description="Of the office hours."
    )
    office_hours: dict[_Weekday, tuple[_Hours, ...]] = Field(
        default=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), ("08:00-16:00",)),
        description="Weekday -> hours in which numbers that are saved late are still matched.",
    )
    overnight_from: str = Field(default="22:00", pattern=f"^{_TIME}$", description="Begin of the overnight run, UTC.")
    overnight_until: str = Field(default="23:30", pattern=f"^{_TIME}$", description="End of the overnight run, UTC.")
