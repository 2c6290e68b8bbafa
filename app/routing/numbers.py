"""Phone numbers as queues and CRMs write them, read into E.164 (ITU-T E.164) without ever failing."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from urllib.parse import unquote

import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult

__all__ = ["NumberKind", "PhoneNumber", "make_number_reader", "read_number", "spell_number"]

_NUMBERS_REMEMBERED = 20_000
_WITHHELD_WORDS = frozenset(
    {
        "anonymous",
        "unknown",
        "private",
        "restricted",
        "unavailable",
        "withheld",
        "blocked",
        "hidden",
        "anonymous.invalid",
    }
)
_WITHHELD_DIGITS = frozenset({"266696687", "+266696687", "00266696687"})
"""ANONYMOUS on a telephone keypad: the convention of switches that must send digits."""

_MAX_SHORT_NUMBER = 6
"""Digits without a country code up to this many are an extension or a short code, not a subscriber number."""

_MAX_TEXT = 128
_MAX_SPELLINGS = 12
_LATEST = 256
_SAID_IN = {7: 3, 8: 4}
"""Digits of an undivided tail, and how many of them are said first."""
_SLASH_COUNTRIES = frozenset({41, 43, 49})
"""Where people write a slash after the area code: Switzerland, Austria, Germany."""
_SCHEME = re.compile(r"^(?:tel|sips?|callto):", re.IGNORECASE)
_ANGLE = re.compile(r"<([^<>]*)>")
_EXTENSION = re.compile(r"(?:[;,]?\s*(?:ext|extension|extn|x|#)[.:=\s]*(\d{1,8}))\s*$", re.IGNORECASE)
_NO_DIGITS = re.compile(r"\D")
_GAPS = re.compile(r"[\s()]+")
_TRUNK_ZERO = re.compile(r"\(\s*0\s*\)")


class NumberKind(StrEnum):
    """What a piece of text turned out to be."""

    E164 = "e164"
    """A number of the public network; `e164` is set."""
    SHORT = "short"
    """An extension, a short code or an internal number."""
    WITHHELD = "withheld"
    """The caller, or the network, chose to hide it."""
    ODD = "odd"
    """Text that is no telephone number."""


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """One number, as it came and as we understood it."""

    raw: str | None
    """The text as it came; `None` when there was none."""
    kind: NumberKind
    e164: str | None = None
    """`+` and at most 15 digits; set for kind `e164` only."""
    country: str | None = None
    """ISO 3166-1 alpha-2 code of the number's country, `None` for numbers of no single country."""
    extension: str | None = None


def read_number(raw: object, region: str) -> PhoneNumber:
    """Understand any value as a phone number; `region` (ISO 3166-1) completes numbers without a country code.

    Accepts `+`, `00` and national notation, spaces, dots, slashes, `(0)`, `tel:` and SIP addresses, extensions and
    full-width digits (Dataverse contract, section 3.3). Missing, empty and well-known words mean withheld. Never
    raises.
    """
    if raw is None:
        return PhoneNumber(None, NumberKind.WITHHELD)
    if isinstance(raw, bool) or not isinstance(raw, str | int):
        return PhoneNumber(None, NumberKind.ODD)
    text = str(raw)
    plain = _strip_address(unicodedata.normalize("NFKC", text[:_MAX_TEXT])).strip()
    if not plain or plain.casefold() in _WITHHELD_WORDS or plain in _WITHHELD_DIGITS:
        return PhoneNumber(text, NumberKind.WITHHELD)
    return _read_digits(text, plain, region)


def spell_number(e164: str, patterns: Sequence[str] = ()) -> tuple[str, ...]:
    """List the ways people store this number in a CRM, most likely first, at most 12.

    `patterns` are the customer's own notations of the national number, one `#` a digit (`### ### ####`,
    `+358 ## ### ####`); one whose count of `#` does not fit is skipped. Source: Dataverse contract, sections 3.3, 3.4.
    """
    parsed = _parse_number(e164, None)
    international = phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL)
    national = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
    compact = _NO_DIGITS.sub("", national)
    spellings = (
        e164,
        e164[1:],
        "00" + e164[1:],
        compact,
        international,
        national,
        *(_fill_pattern(pattern, phonenumbers.national_significant_number(parsed), compact) for pattern in patterns),
        _GAPS.sub("-", international),
        _GAPS.sub("-", national).strip("-"),
        _with_trunk_zero(international, national),
        _join_after_area(national) if parsed.country_code in _SLASH_COUNTRIES else "",
        _split_tail(international),
        _split_tail(national),
        "tel:" + e164,
        _join_after_area(national),
    )
    return tuple(dict.fromkeys(spelling for spelling in spellings if spelling))[:_MAX_SPELLINGS]


def _strip_address(text: str) -> str:
    """Reduce `"Ann" <sip:+358...@host;user=phone>` to what stands where a number would."""
    if found := _ANGLE.search(text):
        text = found.group(1)
    text = text.strip()
    if not _SCHEME.match(text) and "@" not in text:
        return text
    user = unquote(_SCHEME.sub("", text).split("@", 1)[0])
    number, *parameters = user.split(";")
    extension = next((p for p in parameters if p.casefold().startswith("ext=")), "")
    return f"{number};{extension}" if extension else number


def _read_digits(raw: str, plain: str, region: str) -> PhoneNumber:
    extension = None
    if found := _EXTENSION.search(plain):
        extension, plain = found.group(1), plain[: found.start()].strip()
    if any(character.isalpha() for character in plain):
        return PhoneNumber(raw, NumberKind.ODD)
    digits = _NO_DIGITS.sub("", plain)
    if not digits:
        return PhoneNumber(raw, NumberKind.ODD)
    international = plain.lstrip(" (").startswith("+") or digits.startswith("00")
    if not international and len(digits) <= _MAX_SHORT_NUMBER:
        return PhoneNumber(raw, NumberKind.SHORT, extension=extension)
    if international:
        plain = _TRUNK_ZERO.sub("", plain)
        digits = _NO_DIGITS.sub("", plain)
        plain = "+" + digits.removeprefix("00")
    return _parse(raw, plain, region, extension)


def _parse(raw: str, plain: str, region: str, extension: str | None) -> PhoneNumber:
    try:
        parsed = _parse_number(plain, region)
        if not plain.startswith("+"):
            parsed = _restore_plus(parsed, plain, region)
    except phonenumbers.NumberParseException:
        return PhoneNumber(raw, NumberKind.ODD)
    if phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        return PhoneNumber(raw, NumberKind.ODD)
    country = phonenumbers.region_code_for_number(parsed)
    return PhoneNumber(
        raw,
        NumberKind.E164,
        e164=phonenumbers.format_number(parsed, PhoneNumberFormat.E164),
        country=country if country and country.isalpha() else None,
        extension=extension,
    )


def _parse_number(text: str, region: str | None) -> phonenumbers.PhoneNumber:
    """Parse as the library does; raises NumberParseException. The region counts only where the plus tells nothing."""
    if text.startswith("+"):
        with suppress(phonenumbers.NumberParseException):
            return _parse_international(text)
    return phonenumbers.parse(text, region)


@lru_cache(_LATEST)
def _parse_international(text: str) -> phonenumbers.PhoneNumber:
    """Parse once what is read when a call comes and spelled when its caller is looked up."""
    return phonenumbers.parse(text, None)


def _restore_plus(parsed: phonenumbers.PhoneNumber, plain: str, region: str) -> phonenumbers.PhoneNumber:
    """Read `49171...` in Germany as `+49171...`, since within the country it would be written with a zero."""
    digits = _NO_DIGITS.sub("", plain)
    if not digits.startswith(str(parsed.country_code)):
        return parsed
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
    if digits.startswith(trunk) and phonenumbers.is_valid_number(parsed):
        return parsed
    international = phonenumbers.parse("+" + digits, None)
    return international if phonenumbers.is_valid_number(international) else parsed


def _with_trunk_zero(international: str, national: str) -> str:
    """`+49 171 ...` as `+49 (0)171 ...`, where the national form starts with a trunk zero."""
    code, _, rest = international.partition(" ")
    return f"{code} (0){rest}" if national.startswith("0") and rest and not rest.startswith("0") else ""


def _fill_pattern(pattern: str, *choices: str) -> str:
    """Put the digits of the first number that fits into the `#` of a pattern; empty when none fits."""
    places = pattern.count("#")
    digits = next((choice for choice in choices if len(choice) == places), None)
    if digits is None:
        return ""
    remaining = iter(digits)
    return "".join(next(remaining) if character == "#" else character for character in pattern)


def _split_tail(spelling: str) -> str:
    """`050 1234567` as `050 123 4567` and `09 12345678` as `09 1234 5678`, the way they are said."""
    head, _, tail = spelling.rpartition(" ")
    groups = _SAID_IN.get(len(tail)) if tail.isdigit() else None
    return f"{head} {tail[:groups]} {tail[groups:]}" if head and groups else ""


def _join_after_area(national: str) -> str:
    """`0171 234 5678` as `0171/2345678`."""
    area, _, rest = national.partition(" ")
    return f"{area}/{_NO_DIGITS.sub('', rest)}" if rest and area.isdigit() else ""


def make_number_reader(region: str) -> Callable[[object], PhoneNumber]:
    """Return a reader of numbers that remembers the latest ones; reading one anew costs some 20 µs."""
    read = lru_cache(maxsize=_NUMBERS_REMEMBERED)(partial(read_number, region=region))
    return lambda raw: read(raw) if isinstance(raw, str) else read_number(raw, region)
