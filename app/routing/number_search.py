"""Finding a stored number whatever stands between its digits: one text pattern, checked by reading what it finds."""

import phonenumbers
from phonenumbers import PhoneNumberFormat

from app.routing.stored_numbers import read_stored_numbers

__all__ = ["is_stored", "tolerant_patterns"]

_MAX_DIGITS = 10
"""Enough to find one record in a million; every digit more is work for the database."""
_FEW_DIGITS = 6
"""With fewer the pattern would find half of the table."""


def tolerant_patterns(e164: str) -> tuple[str, ...]:
    """List the arguments of Dataverse's `contains` that find this number in every notation (contract, section 3.7).

    Digits with the wildcard `%` between them, so that blanks, hyphens, slashes, dots, brackets, a trunk zero in
    brackets, notes and extensions do not matter. They are those digits of the national number that are also written
    within the country: for Argentina's `+54 9 11 2345-6789`, at home `011 15-2345-6789`, the last eight. None for a
    number of fewer than six such digits. The caller checks each record found with `is_stored`.
    """
    number = phonenumbers.parse(e164)
    nsn = phonenumbers.national_significant_number(number)
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    digits = _share_tail(nsn, "".join(filter(str.isdigit, national)))[-_MAX_DIGITS:]
    return ("%".join(digits),) if len(digits) >= _FEW_DIGITS else ()


def is_stored(text: object, e164: str, region: str) -> bool:
    """Tell whether this number, with or without an extension, is among those in a stored text."""
    return any(number.e164 == e164 for number in read_stored_numbers(text, region))


def _share_tail(first: str, second: str) -> str:
    """Return the digits with which both end."""
    length = next(
        (n for n, (one, other) in enumerate(zip(reversed(first), reversed(second), strict=False)) if one != other),
        min(len(first), len(second)),
    )
    return first[len(first) - length :]
