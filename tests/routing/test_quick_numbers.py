"""Reading stored numbers quickly gives what reading them thoroughly gives."""

import random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

from app.routing.quick_numbers import list_e164
from app.routing.stored_numbers import read_stored_numbers

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
FORMATS = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)


def read_thoroughly(text: str, region: str) -> tuple[str | None, ...]:
    return tuple(number.e164 for number in read_stored_numbers(text, region))


@pytest.mark.parametrize("region", REGIONS)
def test_numbers_of_every_region(region: str) -> None:
    """Examples of each kind in each format, as they are and with digits changed, read at home and from Finland."""
    source = random.Random(region)  # noqa: S311 - nothing secret
    examples = [phonenumbers.example_number_for_type(region, kind) for kind in range(11)]
    texts = [phonenumbers.format_number(number, form) for number in examples if number for form in FORMATS]
    texts += [
        "".join(str(source.randrange(10)) if c.isdigit() and source.random() < 0.2 else c for c in t) for t in texts
    ]

    for text in texts:
        for read_in in (region, "FI"):
            assert list_e164(text, read_in) == read_thoroughly(text, read_in), (text, read_in)


@given(
    prefix=st.sampled_from(["", "0", "00", "+", "+0", "1", "(", "( +", " "]),
    text=st.text("0123456789 ().-", min_size=1, max_size=18),
    region=st.sampled_from(REGIONS),
)
def test_digits_and_separators_in_any_order(prefix: str, text: str, region: str) -> None:
    """Whatever is made of them."""
    assert list_e164(prefix + text, region) == read_thoroughly(prefix + text, region)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("+358 (0)40 5551359", ("+358405551359",)),
        ("040 5551359 / 09 1234567", ("+358405551359", "+35891234567")),
        ("Mob. 040 5551359 (work)", ("+358405551359",)),
        ("112", ()),
        ("ask the office", ()),
        ("", ()),
    ],
)
def test_texts_of_other_kinds(text: str, numbers: tuple[str, ...]) -> None:
    """What is no plain number is read thoroughly."""
    assert list_e164(text, "FI") == numbers
