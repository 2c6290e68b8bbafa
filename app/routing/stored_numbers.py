"""Numbers as records hold them: with labels, notes, extensions, in letters, or several in one field."""

import re
from collections.abc import Iterator, Sequence

import phonenumbers
from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher, PhoneNumberType

from app.routing.numbers import NumberKind, PhoneNumber, read_number, tidy

__all__ = ["read_stored_numbers"]

_MAX_TEXT = 250
"""Longer than any phone column of Dataverse; what stands behind it is not read."""
_BETWEEN = re.compile(r"[,;|\r\n&]|\s(?:or|and|oder|und|tai|ja|eller|och|og|of|en|ou|et|lub|i)\s", re.IGNORECASE)
"""What never stands within a number: between two of them, or before an extension."""
_SLASH = re.compile(r"\s*/\s*")
_EXTENSION = re.compile(r"[,;]\s*(?=ext|extension|extn|x|#)", re.IGNORECASE)
_RUN = re.compile(r"[+(]?\d[\d\s()./-]{5,}\d")
_VANITY = re.compile(r"\+?[\d\s().-]*\d[\d\s().-]*[A-Za-z][A-Za-z\d-]{2,}")
_SPELLED_IN_LETTERS = frozenset(
    {PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.UAN}
)
_NORTH_AMERICA = 1
_COMPLETE = 5
"""Digits from which on a piece that begins like a number is one of its own."""


def read_stored_numbers(text: object, region: str) -> tuple[PhoneNumber, ...]:
    """Read every public number in a stored text, in order and each once; none when there is no such number.

    `region` (ISO 3166-1) completes numbers without a country code: that of the record's own address where it has one.
    Beyond what `read_number` reads, these are understood:

    - several numbers in one field, divided by comma, semicolon, bar, line break or a word (`or`, `tai`, `und`, …), or
      by a slash when each piece begins like a number of its own (`040 5551359 / 09 1234567`, not `0171/2345678`);
      all of them belong to the record;
    - labels and notes (`Mob. 040 5551359 (work)`), where libphonenumber finds a valid number among the words;
    - letters for digits (`1-800-FLOWERS`), in North America and for service numbers elsewhere.

    Never raises.
    """
    if not isinstance(text, str):
        number = read_number(text, region)
        return (number,) if number.e164 else ()
    pieces = _BETWEEN.split(_EXTENSION.sub(" ", tidy(text[:_MAX_TEXT])))
    found = [number for piece in pieces for number in _read_piece(piece, region)]
    return tuple({number.e164: number for number in reversed(found)}.values())[::-1]


def _read_piece(piece: str, region: str) -> Sequence[PhoneNumber]:
    parts = _SLASH.split(piece)
    if len(parts) > 1 and all(_begins_like_a_number(part, region) for part in parts):
        return [number for part in parts for number in _read_one(part, region)]
    return _read_one(piece, region)


def _begins_like_a_number(part: str, region: str) -> bool:
    """Tell whether this starts as a whole number does: with a plus or the trunk zero, else by being a valid number."""
    if sum(map(str.isdigit, part)) < _COMPLETE:
        return False
    start = part.lstrip("( ")
    if start.startswith("+"):
        return True
    if phonenumbers.ndd_prefix_for_region(region, True) == "0":
        return start.startswith("0")
    return _is_valid(read_number(part, region))


def _read_one(text: str, region: str) -> Sequence[PhoneNumber]:
    number = read_number(text, region)
    if number.e164:
        return [number]
    if number.kind is not NumberKind.ODD:
        return []
    return _find_among_words(text, region) or _find_runs(text, region) or list(_read_letters(text, region))


def _find_among_words(text: str, region: str) -> Sequence[PhoneNumber]:
    matches = PhoneNumberMatcher(text, region, leniency=Leniency.VALID)
    return [_describe(text, match.number) for match in matches]


def _find_runs(text: str, region: str) -> Sequence[PhoneNumber]:
    """Find what libphonenumber does not take for a number among words, such as one whose plus is missing."""
    return [number for run in _RUN.findall(text) if _is_valid(number := read_number(run, region))]


def _is_valid(number: PhoneNumber) -> bool:
    return number.e164 is not None and phonenumbers.is_valid_number(phonenumbers.parse(number.e164))


def _read_letters(text: str, region: str) -> Iterator[PhoneNumber]:
    if not _VANITY.fullmatch(text.strip()):
        return
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return
    usual = number.country_code == _NORTH_AMERICA or phonenumbers.number_type(number) in _SPELLED_IN_LETTERS
    if usual and phonenumbers.is_valid_number(number):
        yield _describe(text, number)


def _describe(text: str, number: phonenumbers.PhoneNumber) -> PhoneNumber:
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return PhoneNumber(text, NumberKind.E164, e164, phonenumbers.region_code_for_number(number), number.extension)
