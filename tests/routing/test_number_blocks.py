"""Number blocks of switchboards."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.routing.number_blocks import list_blocks


def test_blocks_of_a_number() -> None:
    """The longest comes first, the operator's extension before the bare head, and nothing as long as the number."""
    assert list_blocks("+493023125123") == (
        ("+49302312512", 0.9),
        ("+49302312510", 0.8),
        ("+4930231251", 0.8),
        ("+4930231250", 0.7),
        ("+493023125", 0.7),
        ("+493023120", 0.6),
        ("+49302312", 0.6),
    )


@pytest.mark.parametrize(
    ("number", "blocks"),
    [
        ("+4520123456", ["+452012345", "+452012340", "+45201234"]),
        ("+29932100", []),
        ("+14155550123", []),
        ("+18765550123", []),
    ],
)
def test_limits(number: str, blocks: list[str]) -> None:
    """Six national digits remain, and in the North American plan there are no blocks."""
    assert [block.e164 for block in list_blocks(number)] == blocks


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
def test_blocks_lie_in_the_callers_country(region: str) -> None:
    """A block is shorter than the number, in its country, keeps 6 national digits, and drops 4 at most."""
    number = phonenumbers.example_number(region)
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    for block in list_blocks(e164):
        parsed = phonenumbers.parse(block.e164)
        assert parsed.country_code == number.country_code != 1
        assert phonenumbers.region_code_for_number(parsed) in (None, phonenumbers.region_code_for_number(number))
        assert len(phonenumbers.national_significant_number(parsed)) >= 6
        assert len(e164) - 4 <= len(block.e164) < len(e164)
        assert 0.5 < block.confidence < 1
