"""Errors say what is wrong in a few words; here it becomes a sentence, or part of a line."""

import re
from typing import Final

__all__ = ["format_fragment", "format_message"]

_BEGINS_WITH_A_WORD: Final = re.compile(r"[a-z]+(?=[ ,:;]|$)")
_ENDS: Final = (".", "!", "?", "…")
_BEGINS_A_SENTENCE: Final = re.compile(r"\A(?:The|This|There|A|No|Some|Several)(?= )")


def format_message(text: str) -> str:
    """Begin with a capital, unless a name such as `caller.vip` comes first, and end with a full stop."""
    if not text:
        return text
    begun = text[0].upper() + text[1:] if _BEGINS_WITH_A_WORD.match(text) else text
    return begun if begun.endswith(_ENDS) else f"{begun}."


def format_fragment(text: str) -> str:
    """Do the opposite, so that the text can stand in the middle of a line."""
    return _BEGINS_A_SENTENCE.sub(lambda found: found[0].lower(), text, count=1).removesuffix(".")
