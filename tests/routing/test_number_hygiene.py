"""Verdicts on stored numbers."""

import pytest

from app.routing.number_hygiene import NumberFault, NumberVerdict, judge_number, list_faults
from app.routing.quick_numbers import list_e164
from tests.routing.notations import read_typed_numbers

F = NumberFault
MOBILE = "+358405551359"


@pytest.mark.parametrize(
    ("text", "faults", "suggestion"),
    [
        (MOBILE, (), None),
        ("+358 40 5551359", (), MOBILE),
        ("tel:+358405551359", (), MOBILE),
        ("00358405551359", (), MOBILE),
        (None, (), None),
        (" ", (), None),
        ("040 5551359", (F.NO_COUNTRY_CODE,), MOBILE),
        ("358405551359", (F.NO_COUNTRY_CODE,), MOBILE),
        ("+358 40 5551359 x12", (F.EXTENSION,), MOBILE),
        ("040 5551359 ext. 12", (F.NO_COUNTRY_CODE, F.EXTENSION), MOBILE),
        ("+358 40 5551359 (work)", (F.NOTE,), MOBILE),
        ("+358 40 5551359 / +358 9 1237788", (F.SEVERAL,), None),
        ("call me", (F.UNREADABLE,), None),
        ("unknown", (F.UNREADABLE,), None),
        ("1234", (F.UNREADABLE,), None),
        ("12345678901234567890", (F.UNREADABLE,), None),
        ("+1 415 155 7788", (F.INVALID,), None),
        ("000000", (F.UNREADABLE, F.TEST_DATA), None),
        ("987654", (F.UNREADABLE, F.TEST_DATA), None),
        ("555-0123", (F.NO_COUNTRY_CODE, F.TEST_DATA), None),
        ("+358 50 1234567", (F.TEST_DATA,), None),
        ("+1 415 555 0123", (F.TEST_DATA,), None),
        ("+44 7700 900461", (F.INVALID, F.TEST_DATA), None),
        ("+46 70 174 06 05", (F.TEST_DATA,), None),
    ],
)
def test_verdict(text: str | None, faults: tuple[NumberFault, ...], suggestion: str | None) -> None:
    """Each fault is named, and one valid number is suggested in E.164."""
    verdict = judge_number(text, "FI")

    assert verdict == NumberVerdict(tuple(fault for fault in F if fault in faults), suggestion)


TYPED = [(row.typed, row.country) for row in read_typed_numbers()]
ODD = [
    (text, "FI")
    for text in (
        *("+358 40 5551359", "tel:+358405551359", "00358405551359", "040 5551359", "358405551359", "555-0123"),
        *("+358 40 5551359 x12", "040 5551359 ext. 12", "+358 40 5551359 (work)", "call me", "1234", "000000"),
        *("+358 40 5551359 / +358 9 1237788", "040 5551359, 09 1237788", "+358 50 1234567", "+46 70 174 06 05"),
        *("987654", "+1 415 555 0123", "Mob. 040 5551359 (work)", "+358 (0)40 5551359", "unknown", "7777777"),
    )
]


@pytest.mark.parametrize(("text", "region"), [*TYPED, *ODD], ids=repr)
def test_faults_by_the_million_are_those_of_the_verdict(text: str, region: str) -> None:
    """What the mirror notes of each record is what a closer look finds, but for numbers that nobody assigns."""
    closer = judge_number(text, region).faults

    assert list_faults(text, list_e164(text, region)) == tuple(fault for fault in closer if fault is not F.INVALID)
