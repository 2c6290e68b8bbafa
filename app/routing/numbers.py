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

from app.routing.number_notations import spell

__all__ = [
    "MAX_NOTATIONS",
    "NumberKind",
    "PhoneNumber",
    "list_spellings",
    "make_number_reader",
    "read_number",
    "spell_number",
    "tidy",
]

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
MAX_NOTATIONS = 14
"""Notations of a number's country in one look-up; in `tests/data/notations.csv` twelve find 86 %, fourteen 92 %."""
_LATEST = 256
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Marks of direction and width that come along when a number is copied from a contact list or a web page."""
_SCHEME = re.compile(r"^(?:tel|sips?|callto):", re.IGNORECASE)
_ANGLE = re.compile(r"<([^<>]*)>")
_EXTENSION = re.compile(r"(?:[;,]?\s*(?:ext|extension|extn|x|#)[.:=\s]*(\d{1,8}))\s*$", re.IGNORECASE)
_NO_DIGITS = re.compile(r"\D")
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
    plain, context = _strip_address(tidy(text[:_MAX_TEXT]))
    if not plain or plain.casefold() in _WITHHELD_WORDS or plain in _WITHHELD_DIGITS:
        return PhoneNumber(text, NumberKind.WITHHELD)
    return _read_digits(text, plain, context or region)


def spell_number(e164: str, patterns: Sequence[str] = (), limit: int = MAX_NOTATIONS) -> tuple[str, ...]:
    """List the ways people store this number in a CRM, most likely first, each once.

    First come the customer's own notations of the national number, one `#` a digit (`### ### ####`, `+358 ## ### ####`;
    one whose count of `#` does not fit is skipped), then the `limit` most used ones of the number's country
    (`number_notations.json`). Source: Dataverse contract, sections 3.3, 3.4.
    """
    return tuple(list_spellings(e164, patterns, limit))


def list_spellings(e164: str, patterns: Sequence[str] = (), limit: int = MAX_NOTATIONS) -> dict[str, str]:
    """List the same in the same order, each with where such writing is asked for or seen."""
    return spell(_parse_number(e164, None), patterns, limit)


def tidy(text: str) -> str:
    """Write digits, signs and blanks of every script as ASCII has them, and drop what cannot be seen."""
    text = text.replace("\t", " ")
    if text.isascii():
        return text
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return "".join(str(unicodedata.digit(character, character)) for character in text)


def _strip_address(text: str) -> tuple[str, str | None]:
    """Reduce `"Ann" <sip:+358...@host;user=phone>` to what stands where a number would, and the region it is local to.

    A local number is read in the country of its `phone-context`, if that is a prefix such as `+46` (RFC 3966, 5.1.5).
    """
    if found := _ANGLE.search(text):
        text = found.group(1)
    text = text.strip()
    if not _SCHEME.match(text) and "@" not in text:
        return text, None
    user = unquote(_SCHEME.sub("", text).split("@", 1)[0])
    number, *parameters = user.split(";")
    values = {name.strip().casefold(): value for name, _, value in (each.partition("=") for each in parameters)}
    plain = f"{number};ext={values['ext']}" if values.get("ext") else number
    return plain.strip(), _find_region(values.get("phone-context", ""))


def _find_region(prefix: str) -> str | None:
    """Return the main region of the calling code that a prefix such as `+46` or `+1-914` begins with."""
    digits = _NO_DIGITS.sub("", prefix) if prefix.startswith("+") else ""
    codes = (int(digits[:length]) for length in range(1, min(3, len(digits)) + 1))
    regions = map(phonenumbers.region_code_for_country_code, codes)
    return next((region for region in regions if region.isalpha() and region != phonenumbers.UNKNOWN_REGION), None)


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


def make_number_reader(region: str) -> Callable[[object], PhoneNumber]:
    """Return a reader of numbers that remembers the latest ones; reading one anew costs some 20 µs."""
    read = lru_cache(maxsize=_NUMBERS_REMEMBERED)(partial(read_number, region=region))
    # What is longer is no number, and remembering it would fill the memory with what strangers send.
    return lambda raw: read(raw) if isinstance(raw, str) and len(raw) <= _MAX_TEXT else read_number(raw, region)
