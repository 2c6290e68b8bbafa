"""What an e-mail address looks like, for the addresses that people type."""

import re

__all__ = ["check_address"]

_PART = r'[^\s@<>()\[\],;:\\"]+'
_ADDRESS = re.compile(f"{_PART}@{_PART}")


def check_address(text: str) -> str:
    """Return the address as it is; raises ValueError for what no mail system would take."""
    if not _ADDRESS.fullmatch(text) or not text.isprintable():
        raise ValueError("an e-mail address has two parts around one @, without blanks, control characters or brackets")
    return text
