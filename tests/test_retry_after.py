"""How long a server asks to be left alone."""

import pytest

from app.retry_after import read_retry_after

NOW = "Mon, 01 Sep 2025 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "99999999999999"}, 3600.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Mon, 01 Sep 2025 10:00:30 GMT", "date": NOW}, 30.0),
        ({"retry-after": "Mon, 01 Sep 2025 09:00:00 GMT", "date": NOW}, 0.0),
        ({"retry-after": "Mon, 01 Sep 2031 10:00:00 GMT", "date": NOW}, 3600.0),
        ({"retry-after": "Mon, 01 Sep 2025 10:00:30 GMT"}, None),
        ({"retry-after": "Mon, 01 Sep 2025 10:00:30", "date": NOW}, None),
        ({"retry-after": "Mon, 99 Sep 2025 10:00:30 GMT", "date": NOW}, None),
    ],
)
def test_seconds_and_dates_are_read_and_capped(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds count as they are and dates from the answer's own clock, an hour at most; anything else says nothing."""
    assert read_retry_after(headers) == seconds
