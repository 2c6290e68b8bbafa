"""Finds one phone number in texts, in whatever way it is written there."""

import re
from collections.abc import Mapping
from typing import Any

import phonenumbers

__all__ = ["NumberTexts"]

_BETWEEN = r"[ ().\-/\u00a0]{0,3}"
_MIN_NATIONAL = 5
"""Digits; fewer may be an extension, and would hit innocent text."""


class NumberTexts:
    """One number: `+358501234567`, `00358 50 123 4567`, `+358 (0)50-1234567`, `050 1234567`, or its digits alone."""

    def __init__(self, e164: str) -> None:
        """Raises ValueError for what is not in E.164."""
        try:
            parsed = phonenumbers.parse(e164)
        except phonenumbers.NumberParseException as error:
            raise ValueError("the number is not in E.164") from error
        national = phonenumbers.national_significant_number(parsed)
        region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
        trunk = phonenumbers.ndd_prefix_for_region(region, True) or "0"
        code, digits = _space(str(parsed.country_code)), _space(national)
        abroad = rf"(?:\+|00)?{_BETWEEN}{code}{_BETWEEN}(?:{trunk}{_BETWEEN})?{digits}"
        at_home = rf"|{trunk}{_BETWEEN}{digits}" if len(national) >= _MIN_NATIONAL else ""
        self._inside = re.compile(rf"(?<![\d+])(?:{abroad}{at_home})(?!\d)")
        self._alone = frozenset({e164.lstrip("+"), *([national] if len(national) >= _MIN_NATIONAL else [])})

    def replace(self, value: Any, word: str) -> Any:
        """Return a JSON value with `word` in the place of the number, in keys, texts and whole numbers."""
        if isinstance(value, str):
            return word if value.strip() in self._alone else self._inside.sub(word, value)
        if isinstance(value, Mapping):
            return {self.replace(name, word): self.replace(member, word) for name, member in value.items()}
        if isinstance(value, list | tuple):
            return [self.replace(item, word) for item in value]
        return word if isinstance(value, int) and str(value) in self._alone else value


def _space(digits: str) -> str:
    return _BETWEEN.join(digits)
