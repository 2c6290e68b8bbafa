"""Identifiers that sort by the time they were made."""

import os
import time

__all__ = ["make_id", "new_id"]

_MILLISECOND = 1_000_000


def new_id() -> str:
    """Make a UUIDv7 as text, unique everywhere and increasing within a process (RFC 9562, section 5.7)."""
    return make_id(time.time_ns(), int.from_bytes(os.urandom(8)))


def make_id(unix_ns: int, random: int) -> str:
    """Spell a UUIDv7 of a time in nanoseconds since 1970 and 62 random bits (higher bits are ignored).

    The 12 bits after the millisecond hold its fraction (RFC 9562, section 6.2, method 3), which orders identifiers
    made at least 244 ns apart without any state.
    """
    milliseconds, fraction = divmod(unix_ns, _MILLISECOND)
    variant = random & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    return "%08x-%04x-7%03x-%04x-%012x" % (  # noqa: UP031 - a third faster than an f-string, on the way of every call
        milliseconds >> 16,
        milliseconds & 0xFFFF,
        (fraction << 12) // _MILLISECOND,
        variant >> 48,
        variant & 0xFFFF_FFFF_FFFF,
    )
