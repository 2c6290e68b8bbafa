"""Identifiers that sort by the time they were made."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.observability.requests import make_id, new_id

NANOSECONDS = st.integers(min_value=0, max_value=2**48 * 10**6 - 1)


@given(NANOSECONDS, st.integers(min_value=0, max_value=2**64 - 1))
def test_every_identifier_is_a_uuid_of_version_7_with_its_time(unix_ns: int, random: int) -> None:
    """The identifier is a well-formed UUIDv7 that holds the millisecond (RFC 9562, section 5.7)."""
    made = UUID(make_id(unix_ns, random))

    assert (made.version, made.variant, made.int >> 80) == (7, "specified in RFC 4122", unix_ns // 10**6)


@given(NANOSECONDS, st.integers(min_value=245, max_value=10**9))
def test_identifiers_sort_by_time_even_within_a_millisecond(unix_ns: int, later: int) -> None:
    """The later of two identifiers is the greater, whatever their random bits, once 244 ns have passed."""
    unix_ns = min(unix_ns, 2**48 * 10**6 - 1 - later)

    assert make_id(unix_ns, 2**64 - 1) < make_id(unix_ns + later, 0)


def test_new_identifiers_differ() -> None:
    """A thousand identifiers made at once are a thousand identifiers."""
    assert len({new_id() for _ in range(1000)}) == 1000
