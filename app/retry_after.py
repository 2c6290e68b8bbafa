"""How long a server asks to be left alone."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

__all__ = ["read_retry_after"]

_MAX_SECONDS: Final = 3600.0
"""No server of ours means more; a clock set wrong could."""


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `Retry-After` (0 to 3,600), or `None` when it is missing or unreadable.

    It is given as seconds or as a date, which counts from the answer's own `Date` (RFC 9110, section 10.2.3).
    Names of headers are asked for in lower case.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), _MAX_SECONDS)
    try:
        seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _MAX_SECONDS)
