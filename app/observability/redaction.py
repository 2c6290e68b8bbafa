"""Hides phone numbers and secrets: in what is logged, in errors, and in what a role may not see.

Code that knows a value to be a number calls `redact_number`, to an identifier `redact_identifier`. Everything that is
logged goes through `redact_entry` besides, which catches what slipped through, above all the text of other libraries.
It errs on the side of hiding.
"""

import re
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import PurePath
from traceback import walk_tb
from types import FrameType, TracebackType
from typing import Any

from app.errors import AppError

__all__ = ["describe_exception", "redact_entry", "redact_identifier", "redact_number", "redact_text", "redact_value"]

REDACTED = "[masked]"

_MIN_NUMBER = 7
"""Digits, and characters; what is shorter is no phone number."""
_MAX_HIDDEN_WHOLE = 8
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SUSPECT = re.compile(r"\d(?:[ ().\-/]{0,2}\d){6}|bearer |basic |eyJ|whsec_|://[^/\s]*@", re.IGNORECASE)
"""What harmless text seldom contains: most text is done after this one search."""

_FINDINGS = re.compile(
    r"""
    (?P<harmless>
        (?<![0-9A-Za-z])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9A-Za-z])    # UUID
      | (?<![0-9A-Za-z])[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?![0-9A-Za-z])              # traceparent
      | (?<![0-9])\d{4}-[01]\d-[0-3]\d(?:[T\ ][0-2]\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![0-9])  # time
      | (?<![0-9A-Za-z])0\d{13}-\d{1,7}-[0-9a-f]{8}(?=\.[a-z])                                        # a journal's file
      | (?<![0-9+])20\d\d[01]\d[0-3]\d(?:[T_-]\d{4,6}Z?)?(?=\.[a-z]{2,7}(?![0-9A-Za-z]))              # a dated file
      | (?<![0-9.+])(?:OCTET\.){3}OCTET(?![0-9]|\.[0-9])                                              # IPv4
    )
    | (?P<secret>
        (?:bearer|basic)\ +(?-i:(?=\S*(?:[\d=]|[a-z][A-Z]))|(?=\S{20}))[^\s,"']{4,}
      | eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?
      | whsec_[\w+/=-]+
      | (?<=://)[^/\s@]+(?=@)
    )
    | (?P<number>
        (?<![0-9A-Za-z])(?:(?:\+|%2B)\ ?)?\(?\d(?:[ ().\-/]{0,2}\d){6,}(?![0-9A-Za-z])
      | (?<![0-9a-f])\d{10,15}(?![0-9a-f])                     # between letters that are no hexadecimal digits
    )
    """.replace("OCTET", r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"),
    re.VERBOSE | re.IGNORECASE,
)

_SECRET_KEYS = frozenset(
    {
        "access_token",
        "api_key",
        "apikey",
        "authorization",
        "client_secret",
        "cookie",
        "key",
        "password",
        "secret",
        "token",
        "x-benemen-apikey",
    }
)
_MIN_SUSPECT_INTEGER = 10**8
_MAX_DEPTH = 6
_MAX_FRAMES = 20
_MAX_CAUSES = 5
_KEPT_PATH_PARTS = 3


def redact_number(number: str | None) -> str:
    """Hide the middle of a number, or all of a short one: `+35850*****67`."""
    if not number:
        return ""
    if len(number) <= _MAX_HIDDEN_WHOLE:
        return "*" * len(number)
    kept = max(0, min(6, len(number) - 6))
    return number[:kept] + "*" * (len(number) - kept - 2) + number[-2:]


def redact_identifier(text: str) -> str:
    """Hide the middle of phone numbers in an identifier, because some queues send one in its place."""
    return _redact(text, redact_number)


def redact_text(text: str) -> str:
    """Replace phone numbers, tokens and credentials in a text; identifiers, times and IP addresses stay."""
    return _redact(text, lambda _: REDACTED)


def _redact(text: str, hide_number: Callable[[str], str]) -> str:
    if len(text) < _MIN_NUMBER or text.isalpha() or _UUID.fullmatch(text) or not _SUSPECT.search(text):
        return text

    def hide(found: re.Match[str]) -> str:
        if found.lastgroup == "harmless":
            return found[0]
        return hide_number(found[0]) if found.lastgroup == "number" else REDACTED

    return _FINDINGS.sub(hide, text)


def redact_value(value: Any, depth: int = 0) -> Any:
    """Redact a value of a log event and everything inside it, to a limited depth; never changes its argument."""
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) < _MIN_SUSPECT_INTEGER else REDACTED
    return _redact_inside(value, depth + 1) if depth < _MAX_DEPTH else REDACTED


def _redact_inside(value: object, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {redact_text(str(key)): redact_entry(str(key), item, depth) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(item, depth) for item in value]
    return redact_text(str(value))


def redact_entry(key: str, value: Any, depth: int = 0) -> Any:
    """Redact a named value: all of it when the name says secret."""
    return REDACTED if key.casefold() in _SECRET_KEYS and value is not None else redact_value(value, depth)


def describe_exception(error: BaseException) -> list[dict[str, Any]]:
    """Describe an exception and its causes, outermost first.

    Messages of other libraries may quote what they were given (a number, a row, a URL with a token), so they are left
    out; messages of `AppError` are written to be shown. Source lines and local variables are left out too.
    """
    described: list[dict[str, Any]] = []
    waiting = [error]
    while waiting and len(described) < _MAX_CAUSES:
        current = waiting.pop(0)
        described.append(_describe_one(current))
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        if (cause := _find_cause(current)) is not None:
            waiting.append(cause)
    return described


def _describe_one(error: BaseException) -> dict[str, Any]:
    described: dict[str, Any] = {"type": f"{type(error).__module__}.{type(error).__qualname__}"}
    if isinstance(error, AppError):
        described["code"] = error.code
        described["message"] = error.detail
    described["frames"] = _list_frames(error.__traceback__)
    return described


def _find_cause(error: BaseException) -> BaseException | None:
    if error.__cause__ is not None:
        return error.__cause__
    return None if error.__suppress_context__ else error.__context__


def _list_frames(traceback: TracebackType | None) -> list[str]:
    """List the innermost frames as `package/module.py:12 function`, outermost first."""
    frames = [_name_place(frame, line) for frame, line in walk_tb(traceback)]
    return frames[-_MAX_FRAMES:]


def _name_place(frame: FrameType, line: int) -> str:
    parts = PurePath(frame.f_code.co_filename).parts[-_KEPT_PATH_PARTS:]
    return "".join(chain("/".join(parts), f":{line} ", frame.f_code.co_qualname))
