"""Reading stored numbers by the million: the usual notations without libphonenumber's detours, the others with them."""

import re
from functools import lru_cache
from typing import NamedTuple

from phonenumbers import PhoneMetadata
from phonenumbers.phonenumberutil import region_code_for_country_code

from app.routing.stored_numbers import read_stored_numbers

__all__ = ["list_e164"]

_REMEMBERED = 20_000
_PLAIN = re.compile(r"[ (]*\+?[0-9 ().\-]{2,40}")
"""One number in digits and separators: no words, no extension, nothing that could divide two numbers."""
_TRUNK_ZERO = re.compile(r"\(\s*0\s*\)")
_TO_DIGITS = str.maketrans("", "", " ().-+")
_MAX_SHORT = 6
_MAX_CODE = 3
_WITHHELD = frozenset({"266696687", "00266696687"})
_MIN_NATIONAL = 2
_MAX_NATIONAL = 17


class _Plan(NamedTuple):
    """What libphonenumber knows of the numbers of one region."""

    code: str
    """Country calling code."""
    exit_code: re.Pattern[str] | None
    trunk: re.Pattern[str] | None
    """What may stand before a national number within the country."""
    rewrites: bool
    """Whether the trunk is not just dropped but rewritten, as in Argentina."""
    shape: re.Pattern[str]
    lengths: frozenset[int]
    local_lengths: frozenset[int]


def list_e164(text: str, region: str) -> tuple[str, ...]:
    """List the numbers of a stored text in E.164: exactly those that `read_stored_numbers` reads, in its order."""
    number = _read_plain(text, region) if _PLAIN.fullmatch(text) else None
    return _list_slowly(text, region) if number is None else (number,)


@lru_cache(_REMEMBERED)
def _list_slowly(text: str, region: str) -> tuple[str, ...]:
    return tuple(number.e164 for number in read_stored_numbers(text, region) if number.e164 is not None)


def _read_plain(text: str, region: str) -> str | None:
    """Read one plain number, or return `None` where libphonenumber would have to think."""
    digits = text.translate(_TO_DIGITS)
    plus = "+" in text
    if plus or digits.startswith("00"):
        if "(" in text:
            digits = _TRUNK_ZERO.sub("", text).translate(_TO_DIGITS)
        return _read_international(digits.removeprefix("00"))
    plan = _read_plan(region)
    if (
        plan is None
        or len(digits) <= _MAX_SHORT
        or digits.startswith(plan.code)
        or digits in _WITHHELD
        or (plan.exit_code is not None and plan.exit_code.match(digits))
    ):
        return None
    return _read_national(digits, plan, _read_plan_of_code(plan.code) or plan)


def _read_international(digits: str) -> str | None:
    if digits in _WITHHELD:
        return None
    for length in range(1, _MAX_CODE + 1):
        if (plan := _read_plan_of_code(digits[:length])) is not None:
            return _read_national(digits[length:], plan, plan)
    return None


def _read_national(digits: str, plan: _Plan, main: _Plan) -> str | None:
    """Drop the trunk digits as `phonenumbers.parse` does; `main` has the lengths of the whole calling code."""
    if plan.trunk is not None and (found := plan.trunk.match(digits)):
        if plan.rewrites:
            return None
        bare = digits[found.end() :]
        keeps = plan.shape.fullmatch(digits) and not plan.shape.fullmatch(bare)
        if not keeps and _has_length(bare, plan):
            digits = bare
    if not _MIN_NATIONAL <= len(digits) <= _MAX_NATIONAL or len(digits) not in main.lengths:
        return None
    return f"+{plan.code}{digits}"


def _has_length(digits: str, plan: _Plan) -> bool:
    """Tell what `phonenumbers` calls possible or too long, both of which are good enough to drop the trunk."""
    length = len(digits)
    return length not in plan.local_lengths and (length in plan.lengths or length > max(plan.lengths))


@lru_cache(None)
def _read_plan_of_code(code: str) -> _Plan | None:
    if code.startswith("0") or not code:
        return None
    region = region_code_for_country_code(int(code))
    if region == "ZZ":
        return None
    return _make_plan(PhoneMetadata.metadata_for_region_or_calling_code(int(code), region))


@lru_cache(None)
def _read_plan(region: str) -> _Plan | None:
    return _make_plan(PhoneMetadata.metadata_for_region(region, None))


def _make_plan(metadata: PhoneMetadata | None) -> _Plan | None:
    usual = None if metadata is None else metadata.general_desc
    if metadata is None or usual is None or not usual.national_number_pattern:
        return None
    exit_code, trunk = metadata.international_prefix, metadata.national_prefix_for_parsing
    return _Plan(
        code=str(metadata.country_code),
        exit_code=re.compile(exit_code) if exit_code else None,
        trunk=re.compile(trunk) if trunk else None,
        rewrites=bool(metadata.national_prefix_transform_rule),
        shape=re.compile(usual.national_number_pattern),
        lengths=frozenset(usual.possible_length),
        local_lengths=frozenset(usual.possible_length_local_only),
    )
