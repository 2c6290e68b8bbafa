"""What is wrong with a value from outside, in plain words: what it must be, never what the library calls it."""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["explain_problem"]

_TIME: Final = "must be a time as ISO 8601, e.g. 2026-11-27T13:00:00Z"
_DATE: Final = "must be a date, e.g. 2026-11-27"
_OBJECT: Final = "must be an object"
_LIST: Final = "must be a list"
_WORDS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "int": "must be a whole number",
    "float": "must be a number",
    "finite_number": "must be a finite number",
    "decimal": "must be a number",
    "bool": "must be true or false",
    "string_type": "must be a text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "dict": _OBJECT,
    "mapping": _OBJECT,
    "model": _OBJECT,
    "dataclass": _OBJECT,
    "list": _LIST,
    "tuple": _LIST,
    "set": _LIST,
    "frozen_set": _LIST,
    "iterable": _LIST,
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "union_tag_not_found": "needs {discriminator}",
    "union_tag_invalid": "has a {discriminator} that is none of {expected_tags}",
    "none_required": "must be null",
    "timezone": "needs a time zone, e.g. 2026-11-27T13:00:00Z",
    "datetime": _TIME,
    "date_from_datetime": _DATE,
    "date": _DATE,
    "time": "must be a time of day, e.g. 13:00",
    "time_delta": "must be a duration, e.g. 90 (seconds) or PT1M30S",
    "uuid": "must be a UUID",
    "url": "must be a URL",
    "path": "must be a path",
    "json": "must be JSON",
    "unicode": "must be text in UTF-8",
}
"""By the type of a validation error, or the beginning of it."""
_OTHERWISE: Final = "does not have the form that is expected here"


def explain_problem(problem: Mapping[str, Any]) -> str:
    """Say what a value must be, as the end of a sentence about it; `problem` is one of pydantic's errors.

    Errors of our own validators are said in their own words.
    """
    kind, context = str(problem["type"]), problem.get("ctx", {})
    if kind in {"value_error", "assertion_error", "finding"}:
        return str(problem["msg"]).removeprefix("Value error, ")
    while kind not in _WORDS and "_" in kind:
        kind = kind.rpartition("_")[0]
    return _WORDS.get(kind, _OTHERWISE).format_map(context)
