"""Periods and their windows."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.enreach.periods import MAX_WINDOW, Period

MOMENTS = st.datetimes(
    min_value=datetime(2015, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2035, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(start=MOMENTS, span=st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=400)))
def test_windows_cover_the_period_without_a_gap(start: datetime, span: timedelta) -> None:
    """Windows are short enough, touch each other and hold the whole period."""
    windows = list(Period(start, start + span).split())

    assert all(timedelta(0) <= window.end - window.start <= MAX_WINDOW for window in windows)
    assert all(left.end == right.start for left, right in pairwise(windows))
    assert timedelta(0) <= start - windows[0].start < timedelta(seconds=1)
    assert timedelta(0) <= windows[-1].end - (start + span) < timedelta(seconds=1)


def test_times_are_sent_in_utc() -> None:
    """A time in another zone is converted, not relabelled."""
    helsinki = timezone(timedelta(hours=2))
    period = Period(datetime(2026, 1, 1, 1, tzinfo=helsinki), datetime(2026, 1, 1, 3, tzinfo=helsinki))

    assert period.describe() == {"StartTime": "2025-12-31 23:00:00", "EndTime": "2026-01-01 01:00:00"}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), id="wrong way round"),
        pytest.param(datetime(2026, 1, 1), datetime(2026, 1, 2), id="no zone"),  # noqa: DTZ001
    ],
)
def test_impossible_periods_are_refused(start: datetime, end: datetime) -> None:
    """A period that means nothing cannot be made."""
    with pytest.raises(ValueError, match="period"):
        Period(start, end)
