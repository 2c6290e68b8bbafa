"""Phone numbers of ten countries, and the ways people type them into a CRM (Dataverse contract, section 3.3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_STRIDE = 386_117
"""Prime to ten, so that it spreads a range's numbers without giving one twice."""


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Numbers that begin alike: the groups people write, digits given and `x` for those that differ."""

    pattern: str

    def pick(self, index: int) -> list[str]:
        """Return the groups of the national number at `index`; each index below a million has its own."""
        free = self.pattern.count("x")
        digits = f"{index * _STRIDE % 10**free:0{free}d}"
        return self.pattern.replace("x", "{}").format(*digits).split(" ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """How numbers look in one country. The ranges do not overlap."""

    code: str
    """ISO 3166, two letters."""
    country: str
    company: str
    """What company names end with."""
    calling_code: str
    trunk: str
    """What people dial before a national number."""
    mobile: NumberRange
    home: NumberRange
    office: NumberRange


def _region(words: str, company: str, mobile: str, home: str, office: str) -> Region:
    code, country, calling_code, trunk = words.split(",")
    ranges = {"mobile": NumberRange(mobile), "home": NumberRange(home), "office": NumberRange(office)}
    return Region(code=code, country=country, company=company, calling_code=calling_code, trunk=trunk, **ranges)


REGIONS = (
    _region("FI,Finland,358,0", "Oy", "40 xxx xxxx", "9 4xx xxxx", "9 8xx xxxx"),
    _region("SE,Sweden,46,0", "AB", "70 xxx xx xx", "8 5xx xxx xx", "8 6xx xxx xx"),
    _region("NO,Norway,47,", "AS", "9xx xx xxx", "22 xx xx xx", "23 xx xx xx"),
    _region("DK,Denmark,45,", "ApS", "26 xx xx xx", "27 xx xx xx", "28 xx xx xx"),
    _region("DE,Germany,49,0", "GmbH", "171 xxx xxxx", "30 2xxx xxxx", "89 5xxx xxxx"),
    _region("NL,Netherlands,31,0", "B.V.", "6 1xx xx xxx", "20 2xx xxxx", "10 2xx xxxx"),
    _region("PL,Poland,48,", "Sp. z o.o.", "50x xxx xxx", "22 2xx xx xx", "12 2xx xx xx"),
    _region("GB,United Kingdom,44,0", "Ltd", "7400 xxxxxx", "20 7xxx xxxx", "161 4xx xxxx"),
    _region("FR,France,33,0", "SARL", "6 1x xx xx xx", "1 4x xx xx xx", "4 7x xx xx xx"),
    _region("US,United States,1,", "Inc.", "415 2xx xxxx", "317 2xx xxxx", "212 2xx xxxx"),
)

Spelling = Callable[[Region, Sequence[str]], str]


def _national(separator: str) -> Spelling:
    return lambda region, groups: region.trunk + separator.join(groups)


def _international(before: str, separator: str, after: str = "") -> Spelling:
    return lambda region, groups: f"{before}{region.calling_code}{separator}{separator.join(groups)}{after}"


def _area_apart(opening: str, closing: str, separator: str) -> Spelling:
    """The area or network code set off from what follows, which has `separator` in it."""
    return lambda region, groups: f"{opening}{region.trunk}{groups[0]}{closing}{separator.join(groups[1:])}"


def _optional_trunk(region: Region, groups: Sequence[str]) -> str:
    trunk = f"({region.trunk})" if region.trunk else ""
    return f"+{region.calling_code} {trunk}{groups[0]} {''.join(groups[1:])}"


def _exit_code(region: Region, groups: Sequence[str]) -> str:
    return f"{'011' if region.code == 'US' else '00'}{region.calling_code}{''.join(groups)}"


def _annotated(before: str, after: str) -> Spelling:
    return lambda region, groups: f"{before}{region.trunk}{' '.join(groups)}{after}"


def _constant(text: str) -> Spelling:
    return lambda _region, _groups: text


SPELLINGS: tuple[tuple[int, Spelling], ...] = (
    (310, _international("+", "")),
    (130, _national("")),
    (110, _national(" ")),
    (90, _international("+", " ")),
    (60, _area_apart("", "-", " ")),
    (50, _area_apart("(", ") ", "-")),
    (40, _national("-")),
    (30, _national(".")),
    (30, _area_apart("", "/", "")),
    (30, _optional_trunk),
    (25, _exit_code),
    (25, _international("", "")),
    (20, _international("tel:+", "-")),
    (20, _international("+", "", " ")),
    (10, _international(" +", " ")),
    (10, _international("+", "-", " x22")),
    (10, _annotated("", " ext 22")),
    (5, _international("+", "", ";ext=22")),
    (5, _annotated("", " (mornings)")),
    (4, _annotated("m: ", "")),
    (4, _constant("ask the office")),
    (4, _constant("112")),
    (2, _constant("-")),
)
"""Each with its share of 1,024; the last few are no number or none that can be read."""
