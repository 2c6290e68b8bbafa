"""Numbers as records hold them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.routing.stored_numbers import read_stored_numbers
from tests.routing.notations import read_typed_numbers

MOBILE = "+358405551359"
OFFICE = "+35891234567"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("040 5551359", [MOBILE]),
        (358405551359, [MOBILE]),
        ("Mob. 040-5551359 (work)", [MOBILE]),
        ("040 5551359 Anna", [MOBILE]),
        ("+358(0)40 5551359", [MOBILE]),
        ("040 5551359,,12", [MOBILE]),
        ("040 5551359 / 09 1234567", [MOBILE, OFFICE]),
        ("040 5551359/+358 9 1234567", [MOBILE, OFFICE]),
        ("040 5551359, 09 1234567", [MOBILE, OFFICE]),
        ("040 5551359 tai 09 1234567", [MOBILE, OFFICE]),
        ("040 5551359\n+358 40 5551359", [MOBILE]),
        ("mob 040 5551359 office 09 1234567", [MOBILE, OFFICE]),
        ("040 123 / 09 456", []),  # neither is a whole number
        ("12345", []),
        ("anonymous", []),
        ("see notes", []),
        ("", []),
        (None, []),
        (True, []),
        ("9" * 5000, []),
    ],
)
def test_numbers_of_a_field(text: object, numbers: list[str]) -> None:
    """Labels and notes are left out, several numbers are several, and what is no number is none."""
    assert [number.e164 for number in read_stored_numbers(text, "FI")] == numbers


@pytest.mark.parametrize(
    ("text", "region", "numbers"),
    [
        ("0171/2345678", "DE", ["+491712345678"]),
        ("0171 / 2345678", "DE", ["+491712345678"]),
        ("030/1234567, 030/1234568", "DE", ["+49301234567", "+49301234568"]),
        ("06/12/34/14/70", "FR", ["+33612341470"]),
        ("+33 140633900 / 140678900", "FR", ["+33140633900"]),
        ("22 12 34 56 / 91 23 45 67", "NO", ["+4722123456", "+4791234567"]),
        ("415-555-0123 or 212-555-0147", "US", ["+14155550123", "+12125550147"]),
        ("1-800-FLOWERS", "US", ["+18003569377"]),
        ("12345 Anna", "DE", []),
        ("+46 70 174 06 05", "FI", ["+46701740605"]),
        ("070-174 06 05", "SE", ["+46701740605"]),
    ],
)
def test_fields_of_other_countries(text: str, region: str, numbers: list[str]) -> None:
    """A slash divides numbers only where a whole one follows, and letters are digits only in numbers known for it."""
    assert [number.e164 for number in read_stored_numbers(text, region)] == numbers


@pytest.mark.parametrize("text", ["040 5551359 x12", "040 5551359, ext. 12", "tel:+358-40-5551359;ext=12"])
def test_extension(text: str) -> None:
    """An extension is kept apart, and does not hide the number."""
    assert [(number.e164, number.extension) for number in read_stored_numbers(text, "FI")] == [(MOBILE, "12")]


def test_every_typed_number_is_read() -> None:
    """All of the table are read, each as the one number it is."""
    misread = [
        row
        for row in read_typed_numbers()
        if [number.e164 for number in read_stored_numbers(row.typed, row.country)] != [row.e164]
    ]

    assert misread == []


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text("+0123456789 ()-/.;,@<>:extsipABCor\n"), st.integers(), st.none(), st.floats()))
def test_reading_never_fails(text: object) -> None:
    """Whatever a column holds, what is read are public numbers, each once."""
    numbers = [number.e164 for number in read_stored_numbers(text, "DE")]

    assert None not in numbers
    assert len(set(numbers)) == len(numbers)
