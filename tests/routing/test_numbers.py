"""Phone numbers in every notation people and switches use."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.routing.numbers import NumberKind, PhoneNumber, make_number_reader, read_number


@pytest.mark.parametrize(
    "raw",
    [
        "+358501234567",
        "00358501234567",
        "358501234567",
        358501234567,
        "050 123 4567",
        "(050) 123-4567",
        "+358 (0)50 1234567",
        "tel:+358501234567",
        "tel:+358-50-1234567",
        '"Ann" <sip:+358501234567@host;user=phone>',
        "sip:%2B358501234567@host",
        "+358501234567@host",
        "\u202a+358 50 1234567\u202c",
        "050\u00a0123\t4567",
        "050\u2013123\u20134567",
        "\u0660\u0665\u0660 \u0661\u0662\u0663 \u0664\u0665\u0666\u0667",
        "\uff0b\uff13\uff15\uff18\uff15\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17",
    ],
)
def test_notations_of_one_number(raw: object) -> None:
    """However it is written, it is one number."""
    assert read_number(raw, "FI") == PhoneNumber(str(raw), NumberKind.E164, "+358501234567", "FI")


@pytest.mark.parametrize("raw", ["+358501234567 ext. 12", "+358501234567;ext=12", "sip:+358501234567;ext=12@host"])
def test_extension(raw: str) -> None:
    """An extension is kept apart from the number."""
    assert read_number(raw, "FI") == PhoneNumber(raw, NumberKind.E164, "+358501234567", "FI", "12")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (None, NumberKind.WITHHELD),
        ("", NumberKind.WITHHELD),
        ("  ", NumberKind.WITHHELD),
        ("Anonymous", NumberKind.WITHHELD),
        ("sip:anonymous@anonymous.invalid", NumberKind.WITHHELD),
        ("+266696687", NumberKind.WITHHELD),
        ("1234", NumberKind.SHORT),
        ("112", NumberKind.SHORT),
        ("sip:1234@host", NumberKind.SHORT),
        ("sip:ann@host", NumberKind.ODD),
        ("1 800 FLOWERS", NumberKind.ODD),
        ("---", NumberKind.ODD),
        ("+12", NumberKind.ODD),
        ("+0", NumberKind.ODD),
        ("+999999999999999", NumberKind.ODD),
        ("x" * 300, NumberKind.ODD),
        (True, NumberKind.ODD),
        (3.5, NumberKind.ODD),
        ([], NumberKind.ODD),
    ],
)
def test_what_is_no_public_number(raw: object, kind: NumberKind) -> None:
    """Hidden, internal and odd numbers are told apart, and none of them is an error."""
    number = read_number(raw, "FI")

    assert (number.kind, number.e164) == (kind, None)


def test_number_of_no_country() -> None:
    """International services have a number and no country."""
    assert read_number("+88312345678", "FI") == PhoneNumber("+88312345678", NumberKind.E164, "+88312345678", None)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text("+0123456789 ()-/.;@<>:extsip"), st.integers(), st.none(), st.floats()))
def test_reading_never_fails(raw: object) -> None:
    """Whatever stands where a number should, something is understood."""
    number = read_number(raw, "FI")

    assert (number.e164 is not None) == (number.kind is NumberKind.E164)


def test_long_texts_do_not_fill_the_memory_of_numbers() -> None:
    """What is too long to be a number is read each time, and not remembered."""
    read = make_number_reader("FI")
    tracemalloc.start()

    for number in range(1000):
        read(f"{number}" + "1" * 20_000)

    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000


@pytest.mark.parametrize(
    ("raw", "e164", "country"),
    [
        ("tel:070-123 45 67;phone-context=+46", "+46701234567", "SE"),
        ("sip:0701234567;phone-context=+46@pbx.example;user=phone", "+46701234567", "SE"),
        ("tel:914-555-1234;Phone-Context=+1-914", "+19145551234", "US"),
        ("tel:+358501234567;phone-context=+46", "+358501234567", "FI"),
        ("tel:0501234567;phone-context=example.com", "+358501234567", "FI"),
        ("tel:0501234567;phone-context=+999", "+358501234567", "FI"),
        ("tel:0501234567;phone-context=", "+358501234567", "FI"),
    ],
)
def test_local_number_is_read_in_the_country_of_its_context(raw: str, e164: str, country: str) -> None:
    """A `phone-context` with a country code says where a number without one belongs."""
    assert read_number(raw, "FI") == PhoneNumber(raw, NumberKind.E164, e164, country)
