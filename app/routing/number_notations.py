"""How people of each country write telephone numbers, most used first: the table and how a number is put into it.

The table is `number_notations.json`, by country calling code. A notation is a text with fields:

| field | for `+46 8 465 004 00` |
|---|---|
| `{cc}` | 46 |
| `{trunk}` | 0, the digits dialled before the area code within the country |
| `{area}` | 8, the first group of libphonenumber's international format |
| `{rest}` | 46500400 |
| `{nsn}` | 846500400, the national significant number of ITU-T E.164 |
| `{national}` | 08-465 004 00, libphonenumber's national format |
| `{compact}` | 0846500400, its digits |

After a colon stands what is put between libphonenumber's groups (`{rest: }` is `465 004 00`), or group sizes, of which
the first that fit are taken (`{rest:3 4|4 4}` is `4650 0400`). A notation is left out for a number that has no such
part or fits none of the sizes, and where it is marked as one for `mobile` or `fixed` numbers only.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib import resources
from string import Formatter
from typing import NamedTuple

import msgspec
import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

__all__ = ["CONFIGURED", "spell"]

CONFIGURED = "configured"
"""The source of the customer's own notations."""

_FILE = "number_notations.json"
_DIGITS = re.compile(r"\d+")


class _Country(msgspec.Struct):
    calling_codes: list[int]
    country: str
    notations: list[list[str]]


class _Table(msgspec.Struct):
    sources: dict[str, str]
    countries: list[_Country]
    others: list[list[str]]


_Field = Callable[[Sequence[str]], str]
"""Writes the groups of a part; empty when they do not fit."""


class _Notation(NamedTuple):
    pieces: tuple[tuple[str, str, _Field], ...]
    """Literal text, the part of the number behind it, and how that is written."""
    tail: str
    source: str
    kind: str | None


def spell(number: phonenumbers.PhoneNumber, patterns: Sequence[str], limit: int) -> dict[str, str]:
    """Write a number in the customer's own notations, then in the `limit` most used ones of its country.

    `patterns` are notations of the national number, one `#` a digit; one whose count of `#` does not fit is skipped.
    Each text comes once, with its source: where such writing is asked for or seen.
    """
    parts = _divide(number)
    written = dict.fromkeys(filter(None, (_fill(pattern, parts) for pattern in patterns)), CONFIGURED)
    most = len(written) + limit
    kind = None
    for notation in _list_notations(number.country_code or 0):
        if len(written) == most:
            break
        if notation.kind:
            kind = kind or _tell_kind(number)
            if notation.kind != kind:
                continue
        if text := _write(notation, parts):
            written.setdefault(text, notation.source)
    return written


def _divide(number: phonenumbers.PhoneNumber) -> dict[str, Sequence[str]]:
    """Divide a number as libphonenumber does; for each field of a notation its groups of digits."""
    _, *groups = _DIGITS.findall(phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL))
    text = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    national = _DIGITS.findall(text)
    compact, nsn = "".join(national), "".join(groups)
    return {
        "cc": (str(number.country_code),),
        "trunk": (compact.removesuffix(nsn) if compact.endswith(nsn) else "",),
        "area": groups[:1],
        "rest": groups[1:],
        "nsn": groups,
        "national": (text,),
        "national groups": national,
        "compact": (compact,),
    }


def _tell_kind(number: phonenumbers.PhoneNumber) -> str:
    return "mobile" if phonenumbers.number_type(number) == PhoneNumberType.MOBILE else "fixed"


def _fill(pattern: str, parts: dict[str, Sequence[str]]) -> str:
    """Put the national number, without or with its trunk digit, into the `#` of a pattern; empty when it has others."""
    places = pattern.count("#")
    digits = next((digits for name in ("nsn", "compact") if len(digits := "".join(parts[name])) == places), None)
    if digits is None:
        return ""
    remaining = iter(digits)
    return "".join(next(remaining) if character == "#" else character for character in pattern)


def _write(notation: _Notation, parts: dict[str, Sequence[str]]) -> str:
    """Put a number into a notation; empty when it lacks a part."""
    text = ""
    for literal, name, field in notation.pieces:
        digits = field(parts[name])
        if not digits:
            return ""
        text += literal + digits
    return text + notation.tail


def _list_notations(calling_code: int) -> Sequence[_Notation]:
    by_code, others = _read_table()
    return by_code.get(calling_code, others)


@lru_cache(1)
def _read_table() -> tuple[dict[int, tuple[_Notation, ...]], tuple[_Notation, ...]]:
    """Read the notations by calling code, and those of every other country."""
    content = resources.files("app.routing").joinpath(_FILE).read_bytes()
    table = msgspec.json.decode(content, type=_Table)

    def compile_all(notations: Iterable[Sequence[str]]) -> tuple[_Notation, ...]:
        return tuple(_compile(template, table.sources[source], *kind) for template, source, *kind in notations)

    by_code = {
        code: compiled
        for country in table.countries
        for compiled in [compile_all(country.notations)]
        for code in country.calling_codes
    }
    return by_code, compile_all(table.others)


def _compile(template: str, source: str, kind: str | None = None) -> _Notation:
    pieces: list[tuple[str, str, _Field]] = []
    tail = ""
    for literal, name, spec, _ in Formatter().parse(template):
        if name is None:
            tail = literal
        else:
            part = "national groups" if name == "national" and spec else name
            pieces.append((literal, part, _make_field(spec or "")))
    return _Notation(tuple(pieces), tail, source, kind)


def _make_field(spec: str) -> _Field:
    """Make what writes groups: with this between them, or cut into the first of the sizes that fits (`3 4|4 4`)."""
    if not any(map(str.isdigit, spec)):
        return spec.join
    masks: dict[int, str] = {}
    for sizes in spec.split("|"):
        mask = _DIGITS.sub(lambda size: "#" * int(size[0]), sizes)
        masks.setdefault(mask.count("#"), mask.replace("#", "{}"))

    def cut(groups: Sequence[str]) -> str:
        digits = "".join(groups)
        return masks.get(len(digits), "").format(*digits)

    return cut
