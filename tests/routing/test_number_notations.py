"""The notations in which a number is looked for, against a table of numbers as people type them."""

from collections import Counter

import phonenumbers
import pytest
from phonenumbers import PhoneNumberType

from app.routing.numbers import list_spellings, read_number, spell_number
from tests.routing.notations import read_typed_numbers

COUNTRIES = ("FI", "SE", "NO", "DK", "DE", "NL", "PL", "GB", "FR", "US")


def test_table_of_typed_numbers() -> None:
    """The table has 240 rows and more, all different, about two dozen for each of ten countries."""
    rows = read_typed_numbers()

    assert len({(row.e164, row.typed) for row in rows}) == len(rows) >= 240
    assert {row.country for row in rows} == set(COUNTRIES)
    assert min(Counter(row.country for row in rows).values()) >= 24


def test_nine_of_ten_typed_numbers_are_spelled() -> None:
    """A stored text that is one of the spellings is found by equality; trailing blanks are not taken as ignored."""
    rows = read_typed_numbers()

    found = Counter(row.country for row in rows if row.typed in spell_number(row.e164))

    assert found == {
        "FI": 22,  # of 25
        "SE": 22,  # of 25
        "NO": 22,  # of 24
        "DK": 21,  # of 24
        "DE": 23,  # of 25
        "NL": 24,  # of 25
        "PL": 23,  # of 24
        "GB": 25,  # of 26
        "FR": 22,  # of 24
        "US": 24,  # of 26
    }
    assert found.total() >= 0.9 * len(rows)


@pytest.mark.parametrize(
    ("number", "spellings"),
    [
        (
            "+358501234567",
            [
                "+358501234567",
                "050 123 4567",
                "0501234567",
                "050 1234567",
                "+358 50 123 4567",
                "+358 50 1234567",
                "050-1234567",
                "+358 501234567",
                "00358501234567",
                "358501234567",
                "+358 (0)50 123 4567",
                "+358 (0)50 1234567",
                "tel:+358501234567",
                "+358-50-1234567",
            ],
        ),
        (
            "+442079460958",
            [
                "020 7946 0958",
                "02079460958",
                "+442079460958",
                "+44 20 7946 0958",
                "(020) 7946 0958",
                "+44 (0)20 7946 0958",
                "+44 2079460958",
                "00442079460958",
                "442079460958",
                "0207 946 0958",
                "+44(0)2079460958",
                "tel:+442079460958",
                "020 79460958",
                "020-7946-0958",
            ],
        ),
        (  # no trunk digit, and a zero that belongs to the number
            "+390612345678",
            [
                "+390612345678",
                "06 1234 5678",
                "0612345678",
                "+39 06 1234 5678",
                "390612345678",
                "00390612345678",
                "+39 06 12345678",
                "06-1234-5678",
                "+39 0612345678",
                "tel:+390612345678",
                "06.1234.5678",
                "+39-06-1234-5678",
                "0039 06 1234 5678",
                "+3906.1234.5678",
            ],
        ),
        (  # written otherwise at home
            "+5491123456789",
            [
                "+5491123456789",
                "011 15-2345-6789",
                "0111523456789",
                "+54 9 11 2345 6789",
                "5491123456789",
                "005491123456789",
                "+54 9 1123456789",
                "011-15-2345-6789",
                "+54 91123456789",
                "tel:+5491123456789",
                "011.15.2345.6789",
                "+54-9-11-2345-6789",
                "0054 9 11 2345 6789",
                "+549.11.2345.6789",
            ],
        ),
    ],
)
def test_spellings_of_a_number(number: str, spellings: list[str]) -> None:
    """The notations of its country, most used first; those of any other country come from libphonenumber."""
    assert list(spell_number(number)) == spellings


def test_customers_own_patterns_come_first() -> None:
    """They are filled with the national number, one that does not fit is skipped, and none costs a usual notation."""
    patterns = ("+358/## ### ####", "### ### ####", "#")

    spellings = list_spellings("+358501234567", patterns, limit=2)

    assert spellings == {
        "+358/50 123 4567": "configured",
        "050 123 4567": "configured",
        "+358501234567": "ITU-T E.164",
        "0501234567": "formats of the Faker test data library for this country",
    }


@pytest.mark.parametrize("kind", [PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE])
def test_every_spelling_is_read_back(kind: int) -> None:
    """What is searched for is what would be understood, in every country whose numbers are longer than extensions."""
    examples = {
        country: phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        for country in phonenumbers.SUPPORTED_REGIONS
        if (example := phonenumbers.example_number_for_type(country, kind)) is not None
        and len(phonenumbers.national_significant_number(example)) > 6
    }

    misread = {
        spelling: country
        for country, e164 in examples.items()
        for spelling in spell_number(e164, limit=20)
        if read_number(spelling, country).e164 != e164
    }

    assert len(examples) > 200
    assert misread == {}


def test_areas_are_divided_as_libphonenumber_does() -> None:
    """Of two numbers of equal length each is divided after its own area code."""
    assert "030/23125123" in spell_number("+493023125123")
    assert "07191/9309940" in spell_number("+4971919309940")
