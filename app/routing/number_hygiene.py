"""What is wrong with a stored number, and how it should be written."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import phonenumbers
from phonenumbers import PhoneNumberFormat

from app.routing.numbers import PhoneNumber, tidy
from app.routing.stored_numbers import read_stored_numbers

__all__ = ["NumberFault", "NumberVerdict", "judge_number", "list_faults"]

_NOWHERE = "ZZ"
"""The region of numbers that are understood without one."""
_MIN_RUN = 6
_UP = "0123456789" * 2
_DOWN = _UP[::-1]
_RUNS = frozenset(
    [str(digit) * _MIN_RUN for digit in range(10)]
    + [row[start : start + _MIN_RUN] for row in (_UP, _DOWN) for start in range(10)]
)
_DIGITS_ONLY = re.compile(r"[0-9 ().\-/+]*")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]")
_SCHEME = re.compile(r"\s*(?:tel|callto):", re.IGNORECASE)
_ABROAD = re.compile(r"\+|(?:^|[,;|&:a-z\n])[\s(]*00", re.IGNORECASE)
"""How a number with its country code begins."""
_EXTENSION_WORD = re.compile(r"(?:ext|extn|extension|x|#)[.:=\s]*\d{1,8}\s*$", re.IGNORECASE)
_UK_CITIES = (113, 114, 115, 116, 117, 118, 121, 131, 141, 151, 161)
_FICTION = (
    "+1###55501##",  # North American Numbering Plan Administration: 555-0100 to 555-0199
    "+447700900###",  # Ofcom, numbers for drama
    "+441632960###",
    "+442079460###",
    "+443069990###",
    "+448081570###",
    "+449098790###",
    *(f"+44{city}4960###" for city in _UK_CITIES),
    "+493023125###",  # Bundesnetzagentur, notice 148/2021
    "+492214710###",
    "+494066969###",
    "+496990009###",
    "+498999998###",
    "+467017406##",  # PTS, numbers for books and films
    "+468465004##",
    "+463139006##",
    "+464062804##",
    "+469803192##",
    "+3319900####",  # Arcep, numbers for audiovisual works
    "+3326191####",
    "+3335301####",
    "+3346571####",
    "+3353649####",
    "+3363998####",
)
_LOCAL_FICTION = re.compile(r"55501\d\d")
_IN_FICTION = re.compile("|".join(re.escape(mask).replace(r"\#", r"\d") for mask in _FICTION))


class NumberFault(StrEnum):
    """A reason to look at a stored number."""

    UNREADABLE = "unreadable"
    """No telephone number can be read in it."""
    INVALID = "invalid"
    """It has the length of a number, but its country assigns no such numbers."""
    NO_COUNTRY_CODE = "no_country_code"
    """It is understood only as long as the country of the record is known."""
    EXTENSION = "extension"
    """An extension stands behind the number."""
    NOTE = "note"
    """Words stand beside the number, or letters in it."""
    SEVERAL = "several"
    """More than one number stands in the field."""
    TEST_DATA = "test_data"
    """It was made up: one digit repeated, digits counted up or down, or a range reserved for fiction."""


_HOPELESS = frozenset({NumberFault.INVALID, NumberFault.TEST_DATA})
"""Faults that writing the number in another way does not mend."""


@dataclass(frozen=True, slots=True)
class NumberVerdict:
    """What was found in a stored number."""

    faults: tuple[NumberFault, ...]
    """None for a number that is as it should be, and for an empty field."""
    suggestion: str | None
    """The number in E.164, when there is one valid number, that is not made up and not stored so already.

    Written in its place it takes a note or an extension away, which the faults tell."""


def judge_number(text: str | None, region: str) -> NumberVerdict:
    """Judge a stored number; `region` is that of the record's address, else the default. Never raises."""
    if text is None or not text.strip():
        return NumberVerdict((), None)
    numbers = read_stored_numbers(text, region)
    faults = tuple(_find_faults(tidy(text), numbers))
    best = numbers[0].e164 if len(numbers) == 1 and not _HOPELESS.intersection(faults) else None
    return NumberVerdict(faults, best if best != text else None)


def list_faults(text: str, numbers: Sequence[str]) -> tuple[NumberFault, ...]:
    """List the faults of a stored number that is no empty text, in a hundredth of the time of `judge_number`.

    `numbers` are those that were read in it, in E.164. Leaves INVALID out, for which libphonenumber has to be asked.
    """
    text = tidy(text)
    if not numbers:
        return tuple(_list_unreadable(text))
    faults = []
    if len(_ABROAD.findall(text)) < len(numbers):
        faults.append(NumberFault.NO_COUNTRY_CODE)
    if not _DIGITS_ONLY.fullmatch(text):
        if _EXTENSION_WORD.search(text):
            faults.append(NumberFault.EXTENSION)
        elif _LETTERS.search(_SCHEME.sub("", text)):
            faults.append(NumberFault.NOTE)
    if len(numbers) > 1:
        faults.append(NumberFault.SEVERAL)
    if any(map(_may_be_made_up, numbers)) and NumberFault.TEST_DATA in _judge_e164(text, numbers):
        faults.append(NumberFault.TEST_DATA)
    return tuple(faults)


def _list_unreadable(text: str) -> Iterator[NumberFault]:
    yield NumberFault.UNREADABLE
    digits = "".join(_DIGITS.findall(text))
    if _is_made_up([digits]) or _LOCAL_FICTION.fullmatch(digits):
        yield NumberFault.TEST_DATA


def _may_be_made_up(e164: str) -> bool:
    """Tell whether it is worth a closer look: a number of one digit, or of digits in a row, ends like that."""
    return e164[-_MIN_RUN:] in _RUNS or e164[-7:-2] == "55501" or _IN_FICTION.fullmatch(e164) is not None


def _judge_e164(text: str, numbers: Sequence[str]) -> frozenset[NumberFault]:
    read = tuple(number for e164 in numbers for number in read_stored_numbers(e164, _NOWHERE))
    return frozenset(_find_faults(text, read))


def _find_faults(text: str, numbers: tuple[PhoneNumber, ...]) -> Iterator[NumberFault]:
    if not numbers:
        yield NumberFault.UNREADABLE
    if numbers and {number.e164 for number in read_stored_numbers(text, _NOWHERE)} != {
        number.e164 for number in numbers
    }:
        yield NumberFault.NO_COUNTRY_CODE
    if not all(map(_is_valid, numbers)):
        yield NumberFault.INVALID
    if any(number.extension for number in numbers):
        yield NumberFault.EXTENSION
    elif numbers and _LETTERS.search(_SCHEME.sub("", text)):
        yield NumberFault.NOTE
    if len(numbers) > 1:
        yield NumberFault.SEVERAL
    digits = "".join(_DIGITS.findall(text))
    if _is_made_up([digits]) or _LOCAL_FICTION.fullmatch(digits) or any(map(_is_test_number, numbers)):
        yield NumberFault.TEST_DATA


def _is_valid(number: PhoneNumber) -> bool:
    return number.e164 is not None and phonenumbers.is_valid_number(phonenumbers.parse(number.e164))


def _is_test_number(number: PhoneNumber) -> bool:
    if number.e164 is None:
        return False
    if _IN_FICTION.fullmatch(number.e164):
        return True
    text = phonenumbers.format_number(phonenumbers.parse(number.e164), PhoneNumberFormat.INTERNATIONAL)
    _, *groups = _DIGITS.findall(text)
    return _is_made_up(["".join(groups), "".join(groups[1:])])


def _is_made_up(numbers: Iterable[str]) -> bool:
    """Tell whether the digits, of the whole number or behind its area code, are all the same or counted."""
    return any(
        len(digits) >= _MIN_RUN and (len(set(digits)) == 1 or digits in _UP or digits in _DOWN) for digits in numbers
    )
