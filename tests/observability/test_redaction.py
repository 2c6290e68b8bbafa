"""The last line of defence against personal data in the log."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.observability.redaction import redact_entry, redact_identifier, redact_number, redact_text, redact_value


@pytest.mark.parametrize(
    "name",
    [
        "00001770000000-1234-0a1b2c3d.log",
        "rules-20261127.json",
        "backup-20261127T130500.db",
        "data/00001770000000-7-0a1b2c3d.offset",
    ],
)
def test_names_of_files_stay(name: str) -> None:
    """A journal's file and a dated one are no phone numbers; a number in a file's name is still hidden."""
    assert redact_text(f"cannot read {name}") == f"cannot read {name}"
    assert redact_text("recording-358501234567.wav") == "recording-[masked].wav"
    assert redact_text("recording-201001234567.wav") == "recording-[masked].wav"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+358501234567", "[masked]"),
        ("from 050 123 4567 to 09-1234567", "from [masked] to [masked]"),
        ("+1 (415) 555-2671", "[masked]"),
        ("040.123.456.789", "[masked]"),
        ("sip:+358501234567@10.1.2.3", "sip:[masked]@10.1.2.3"),
        ("contains(telephone1,'%2B358501234567')", "contains(telephone1,'[masked]')"),
        ("anum_358501234567", "anum_[masked]"),
        ("call358501234567, 358501234567th", "call[masked], [masked]th"),
        ("Authorization: Bearer abc123def", "Authorization: [masked]"),
        ("Basic dXNlcjpwYXNz", "[masked]"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.abc ends", "token [masked] ends"),
        ("postgresql://user:pw@host/db", "postgresql://[masked]@host/db"),
        ("whsec_c2VjcmV0", "[masked]"),
    ],
)
def test_numbers_and_secrets_are_hidden(text: str, masked: str) -> None:
    """What looks like a phone number or a credential does not get through."""
    assert redact_text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "dataverse.lookup_failed",
        "id 0190a1b2-1234-7123-8123-123456789012 is known",
        "2026-11-22T06:08:01.123456Z",
        "on 2026-11-22 at 06:08",
        "http://127.0.0.1:8000 and 192.168.100.200",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "66299cde606b3db6d413cd208f7e5cab@45.66.192.196_br1",
        "+35850*****67",
        "Authorization: Bearer with an API key",
        "version 5.34.0, 123456 rows",
        "AADSTS7000222 and 0x80072322",
    ],
)
def test_identifiers_times_and_addresses_stay(text: str) -> None:
    """What an operator needs to read is not hidden."""
    assert redact_text(text) == text


@pytest.mark.parametrize("style", [phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL])
@pytest.mark.parametrize("region", ["FI", "SE", "DE", "GB", "US", "FR", "EE"])
def test_example_numbers_of_many_countries_are_hidden(region: str, style: int) -> None:
    """Numbers of the countries served are recognised as such in the usual notations."""
    number = phonenumbers.format_number(phonenumbers.example_number(region), style)

    assert redact_text(f"caller {number}, queue 7") == "caller [masked], queue 7"


def test_values_are_redacted_to_the_bottom() -> None:
    """Lists, mappings, odd objects and integers are looked into; names of secrets hide their value."""
    value = {
        "rows": [{"phone": "+358501234567", "count": 3}],
        "token": "anything",
        "number": 358501234567,
        "raw": b"+358501234567",
        "ok": True,
        "seconds": 0.25,
        "none": None,
    }

    assert redact_value(value) == {
        "rows": [{"phone": "[masked]", "count": 3}],
        "token": "[masked]",
        "number": "[masked]",
        "raw": "b'[masked]'",
        "ok": True,
        "seconds": 0.25,
        "none": None,
    }


def test_bottomless_values_end() -> None:
    """A structure that contains itself is cut off instead of followed for ever."""
    endless: list[object] = []
    endless.append(endless)

    assert "[masked]" in str(redact_value(endless))


def test_a_secret_by_name_is_hidden_whatever_it_is() -> None:
    """The name of a value may say that it is secret."""
    assert redact_entry("Client_Secret", ["a"]) == "[masked]"


@pytest.mark.parametrize(
    ("number", "shown"),
    [(None, ""), ("", ""), ("12345678", "********"), ("123456789", "123****89"), ("+358501234567", "+35850*****67")],
)
def test_numbers_are_hidden_but_for_their_ends(number: str | None, shown: str) -> None:
    """The middle of a number is hidden, and all of a short one."""
    assert redact_number(number) == shown


@pytest.mark.parametrize(
    ("identifier", "shown"),
    [
        ("0501234567", "0501****67"),
        ("+358501234567-call", "+35850*****67-call"),
        ("from 050 123 4567", "from 050 12****67"),
        ("sip:+358501234567@pbx", "sip:+35850*****67@pbx"),
        ("11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-555555555555"),
        ("SALES_QUEUE", "SALES_QUEUE"),
        ("queue 123456", "queue 123456"),
        ("d1234567890", "d1234567890"),
        ("66299cde606b3db6d413cd208f7e5cab@45.66.192.196_br1", "66299cde606b3db6d413cd208f7e5cab@45.66.192.196_br1"),
        ("key Bearer abc123def", "key [masked]"),
    ],
)
def test_only_numbers_are_hidden_in_identifiers(identifier: str, shown: str) -> None:
    """What looks like a phone number is hidden but for its ends; GUIDs, addresses, names and short numbers stay."""
    assert redact_identifier(identifier) == shown


@given(st.text())
def test_no_text_makes_redaction_fail_or_differ_when_repeated(text: str) -> None:
    """Redaction accepts any text, and redacting what is redacted changes nothing."""
    once = redact_text(text)

    assert redact_text(once) == once
