"""Times as the endpoints show them."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from app.web.parameters import show_time


@given(st.floats(0, 4_000_000_000))
def test_shown_time_is_never_after_the_moment(seconds: float) -> None:
    """What is listed since a shown time includes what was shown, and misses it by a microsecond at most."""
    shown = show_time(seconds).timestamp()

    assert 0 <= seconds - shown < 2e-6


@given(st.datetimes(datetime(1970, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_time_comes_back_as_it_was_given(moment: datetime) -> None:
    """A time that somebody gave, kept in seconds, is shown as it was given."""
    assert show_time(moment.timestamp()) == moment


def test_nothing_stays_nothing() -> None:
    """What did not happen has no time."""
    assert show_time(None) is None
