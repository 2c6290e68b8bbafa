"""The tolerant search: SQLite's LIKE stands for Dataverse's, the reading of what comes back is our own."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from app.routing.number_search import is_stored, tolerant_patterns
from app.routing.numbers import spell_number
from tests.routing.notations import read_typed_numbers

COUNTRIES = ("FI", "SE", "NO", "DK", "DE", "NL", "PL", "GB", "FR", "US")
DISGUISES = ("{}", "{} ", " {}", "{} (work)", "Tel. {}", "{} ext. 22", "{}, 112", "\u202a{}\u202c")


class Like:
    """Dataverse's `contains`, as SQL."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def contains(self, text: str, argument: str) -> bool:
        """Tell whether a stored text contains this argument, wildcards and all."""
        return bool(self._connection.execute("SELECT ? LIKE ?", (text, f"%{argument}%")).fetchone()[0])

    def finds(self, stored: str, e164: str, region: str) -> bool:
        """Search a record as the look-up does: by equality, else by pattern, and read what comes back."""
        selected = stored in spell_number(e164) or any(self.contains(stored, p) for p in tolerant_patterns(e164))
        return selected and is_stored(stored, e164, region)


@pytest.fixture
def like() -> Iterator[Like]:
    """Open a database without tables."""
    with closing(sqlite3.connect(":memory:")) as connection:
        yield Like(connection)


def test_every_typed_number_is_found(like: Like) -> None:
    """Blanks, notes, extensions, dashes of word processors: the tolerant search finds all that equality does not."""
    rows = read_typed_numbers()

    assert [row for row in rows if not like.finds(row.typed, row.e164, row.country)] == []


@pytest.mark.parametrize(
    ("number", "patterns"),
    [
        ("+358405551359", ("4%0%5%5%5%1%3%5%9",)),
        ("+4930123456789", ("0%1%2%3%4%5%6%7%8%9",)),
        ("+390612345678", ("0%6%1%2%3%4%5%6%7%8",)),
        ("+5491123456789", ("2%3%4%5%6%7%8%9",)),
        ("+29920", ()),
    ],
)
def test_patterns(number: str, patterns: tuple[str, ...]) -> None:
    """One pattern of at most ten digits that are written at home too; none for a number too short to tell apart."""
    assert tolerant_patterns(number) == patterns


def test_no_wrong_person_in_ten_thousand_pairs(like: Like) -> None:
    """A record of another number, however close and however written, is never taken for the caller's.

    The number's own record is found, but for a few numbers with `0` after a slash, which could be two.
    """
    chance = random.Random(11)  # noqa: S311 - the same pairs every time

    wrong, missed = [], []
    for pair in range(10_000):
        e164, country = make_number(chance)
        other, home = make_neighbour(chance, e164, country)
        stored = chance.choice(DISGUISES).format(chance.choice(spell_number(other)))
        wrong += [(stored, e164)] if like.finds(stored, e164, home) else []
        if pair % 10 == 0:
            missed += [(stored, other)] if not like.finds(stored, other, home) else []

    assert wrong == []
    assert len(missed) <= 2


def make_number(chance: random.Random, country: str | None = None) -> tuple[str, str]:
    """Make a number that could be somebody's: an example of the country's with other last digits."""
    while True:
        region = country or chance.choice(COUNTRIES)
        kind = chance.choice((PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE))
        example = phonenumbers.example_number_for_type(region, kind)
        e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
        e164 = e164[:-6] + "".join(chance.choices("0123456789", k=6))
        if phonenumbers.is_valid_number(phonenumbers.parse(e164)):
            return e164, region


def make_neighbour(chance: random.Random, e164: str, country: str) -> tuple[str, str]:
    """Make another number: with one digit changed, two swapped, in another country, or any."""
    while True:
        digits = list(e164)
        home = country
        match chance.randrange(4):
            case 0:
                digits[chance.randrange(4, len(digits))] = chance.choice("0123456789")
            case 1:
                place = chance.randrange(4, len(digits) - 1)
                digits[place], digits[place + 1] = digits[place + 1], digits[place]
            case 2:
                home = chance.choice(COUNTRIES)
                code = phonenumbers.country_code_for_region(home)
                national = phonenumbers.national_significant_number(phonenumbers.parse(e164))
                digits = list(f"+{code}{national}")
            case _:
                neighbour, home = make_number(chance)
                digits = list(neighbour)
        parsed = phonenumbers.parse("".join(digits))
        other = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
        if other != e164 and phonenumbers.is_valid_number(parsed):
            return other, home
