"""Times as the endpoints take and show them: in UTC, where the parts inside count seconds since the epoch."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, overload

from pydantic import AwareDatetime, BeforeValidator, Field

__all__ = ["AnyMoment", "ShownTime", "show_time"]

AnyMoment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))]
"""A time from outside (1970 to 2999): near either end of what a machine can count, zones lead beyond it."""

_STEP: Final = timedelta(microseconds=1)


@overload
def show_time(seconds: float) -> datetime: ...
@overload
def show_time(seconds: float | None) -> datetime | None: ...
def show_time(seconds: float | None) -> datetime | None:
    """Turn seconds since the epoch into a time in UTC, rounded down to the microsecond; nothing stays nothing.

    Down, so that a list asked for `since` a shown time begins with what was shown, and one `until` it ends before.
    """
    if seconds is None:
        return None
    nearest = datetime.fromtimestamp(seconds, UTC)
    return nearest - _STEP if nearest.timestamp() > seconds else nearest


ShownTime = Annotated[datetime, BeforeValidator(show_time)]
"""A time of an answer that is read from seconds since the epoch."""
