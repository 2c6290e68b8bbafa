"""The country of an address, as people type it, read into ISO 3166-1."""

import re
from functools import lru_cache
from importlib.resources import files
from runpy import run_path

import phonenumbers

__all__ = ["region_of_country"]

_ALSO = {
    "AE": ("uae", "emirates", "u a e"),
    "BA": ("bosnia",),
    "CZ": ("czechia", "tschechien", "cesko", "česko", "tsekki", "tšekki"),
    "DE": ("brd", "federal republic of germany"),
    "EE": ("viro",),
    "GB": (
        "uk",
        "u k",
        "great britain",
        "britain",
        "england",
        "scotland",
        "wales",
        "northern ireland",
        "großbritannien",
        "grossbritannien",
        "groot brittannië",
        "iso britannia",
        "britannia",
        "englanti",
        "grande bretagne",
        "angleterre",
        "anglia",
        "united kingdom of great britain and northern ireland",
    ),
    "IE": ("republic of ireland", "eire"),
    "KR": ("republic of korea",),
    "MK": ("north macedonia",),
    "NL": ("holland", "niederlande", "hollanti", "alankomaat"),
    "RU": ("russian federation",),
    "SZ": ("eswatini",),
    "TR": ("turkiye",),
    "US": (
        "usa",
        "u s a",
        "u s",
        "united states of america",
        "america",
        "amerika",
        "yhdysvallat",
        "etats unis",
        "vereinigte staaten",
    ),
}
"""What stands in neither of the two libraries' tables: names of everyday use and countries renamed since."""
_SEPARATORS = re.compile(r"[\s.,'\u2019()\-]+")


def region_of_country(text: object) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country as typed in an address: `Finland`, `Suomi`, `FI`, `FIN`, `UK`.

    Reads codes of two and three letters and names in the languages of libphonenumber's table of countries, upper or
    lower case, with or without a leading article. `None` for anything else, and for countries without telephone
    numbers of their own. The first call reads the tables, which takes up to half a second: make it off the event loop.
    """
    return _read_names().get(_fold(text)) if isinstance(text, str) else None


@lru_cache(1)
def _read_names() -> dict[str, str]:
    from holidays.registry import COUNTRIES  # noqa: PLC0415 - slow tables, wanted by few

    # Run as a file: importing its package loads the places of all numbers beside it, and 115 MB for good.
    file = files(phonenumbers) / "geodata" / "locale.py"
    locale = run_path(str(file), run_name="phonenumbers.geodata.locale")["LOCALE_DATA"]
    names: dict[str, str] = {}
    for region, by_language in locale.items():
        names |= {_fold(name): region for name in by_language.values() if not name.startswith("*")}
    for _, short, long, *_ in COUNTRIES.values():
        names |= {short.casefold(): short, long.casefold(): short}
    names |= {_fold(name): region for region, also in _ALSO.items() for name in also}
    return {name: region for name, region in names.items() if region in phonenumbers.SUPPORTED_REGIONS}


def _fold(name: str) -> str:
    return _SEPARATORS.sub(" ", name.casefold()).strip().removeprefix("the ")
