"""What may be quoted of a server's message: nothing a customer typed."""

import re

__all__ = ["excerpt", "find_column"]

_MAX = 200
_QUOTED = re.compile(r"'[^']*'?|\"[^\"]*\"?|[\u2018\u201c][^\u2019\u201d]*[\u2019\u201d]?|`[^`]*`?")
_ADDRESS = re.compile(r"\S*@\S+|\w+://\S+")
_CODE = re.compile(r"\b0x[0-9a-fA-F]{8}\b")
_DIGITS = re.compile(r"\+?[0-9a-fA-F-]*\d[\d\s().-]*\d[0-9a-fA-F-]*|\d")
_UNKNOWN_PROPERTY = re.compile(
    r"property named '(?P<column>[A-Za-z_][A-Za-z0-9_]{0,99})' on type '(?:[\w.]*\.)?(?P<table>[a-z][a-z0-9_]*)'"
)
_UNKNOWN_ATTRIBUTE = re.compile(
    r"'(?P<table>[a-z][a-z0-9_]*)' entity doesn't contain attribute with Name = '(?P<column>[a-z_][a-z0-9_]*)'"
)


def excerpt(message: object) -> str:
    """Shorten a server's message to 200 characters without quoted values, runs of digits, GUIDs and addresses.

    Dataverse quotes what was sent or stored, and that may be a name or a number; column names go with it, which is
    why `find_column` reads them first. Anything but text gives an empty excerpt.
    """
    if not isinstance(message, str):
        return ""
    plain = message[: 5 * _MAX]
    for pattern in (_QUOTED, _ADDRESS, _CODE, _DIGITS):
        plain = pattern.sub("…", plain)
    plain = " ".join(plain.split())
    return plain if len(plain) <= _MAX else plain[: _MAX - 1] + "…"


def find_column(message: object) -> tuple[str | None, str | None]:
    """Return table and column of "could not find a property named …", or two times `None`."""
    if not isinstance(message, str):
        return None, None
    found = _UNKNOWN_PROPERTY.search(message) or _UNKNOWN_ATTRIBUTE.search(message)
    return (found["table"], found["column"]) if found else (None, None)
