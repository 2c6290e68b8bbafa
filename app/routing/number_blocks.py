"""Switchboards: which number blocks a caller's number may lie in."""

from collections.abc import Iterator
from typing import NamedTuple

import phonenumbers

__all__ = ["MAX_BLOCKS", "NumberBlock", "list_blocks"]

_NORTH_AMERICA = 1
"""Its numbers all have ten digits: what is shorter is no block but a mistake."""
_MAX_DROPPED = 4
MAX_BLOCKS = 2 * _MAX_DROPPED - 1
"""Of one number."""
_MIN_NATIONAL = 6


class NumberBlock(NamedTuple):
    """The number under which a company may have registered the block of its extensions."""

    e164: str
    """What a record of the company would hold: shorter than the caller's number."""
    confidence: float
    """How much of the caller's national number is the block's, 0 to 1: 0.7 when three of ten digits are the extension.

    An exact match has 1."""


def list_blocks(e164: str) -> tuple[NumberBlock, ...]:
    """List the blocks a number may lie in, the longest first.

    For each count of dropped digits, 1 to 4, that leaves at least 6 national digits: the head that remains, as stored
    by companies that register the block (`+49 30 23125`), and, where that is still shorter than the caller's number,
    the head with a zero, the operator's extension (`+49 30 23125-0`). Numbers of the same length are neighbours, and no
    block. None for the North American plan, and none that libphonenumber knows as another country's.
    """
    number = phonenumbers.parse(e164)
    if number.country_code == _NORTH_AMERICA:
        return ()
    country = phonenumbers.region_code_for_number(number)
    return tuple(
        block
        for block in _list_heads(e164, len(phonenumbers.national_significant_number(number)))
        if _read_country(block.e164) in (country, None)
    )


def _list_heads(e164: str, national: int) -> Iterator[NumberBlock]:
    for dropped in range(1, _MAX_DROPPED + 1):
        left = national - dropped
        if left < _MIN_NATIONAL:
            return
        head = e164[:-dropped]
        confidence = round(left / national, 2)
        if dropped > 1:
            yield NumberBlock(head + "0", confidence)
        yield NumberBlock(head, confidence)


def _read_country(e164: str) -> str | None:
    return phonenumbers.region_code_for_number(phonenumbers.parse(e164))
