"""JSON and text as they are kept on disk: fast for ordinary values, and never at a loss for odd ones."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import JSON, TEXT, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine
from typing_extensions import override

__all__ = ["Document", "PlainText", "dump", "dump_text", "load", "replace_odd_characters"]

_LARGEST = 2**63 - 1
_OPTIONS = orjson.OPT_NON_STR_KEYS


def dump(value: object) -> bytes:
    """Encode a JSON value, a dataclass or an enumeration on one line of UTF-8.

    Lone surrogates become U+FFFD and integers beyond 64 bits become text, since no reader downstream could hold them.
    """
    try:
        return orjson.dumps(value, _make_plain, _OPTIONS)
    except orjson.JSONEncodeError:
        return orjson.dumps(_tame(_open(value)), str, _OPTIONS)


def dump_text(value: object) -> str:
    """Encode like `dump`, as text."""
    return dump(value).decode()


def load(text: str | bytes) -> Any:
    """Decode JSON text; raises ValueError."""
    return orjson.loads(text)


def replace_odd_characters(text: str) -> str:
    """Replace what PostgreSQL or UTF-8 cannot hold (NUL, lone surrogates) by U+FFFD."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def _open(value: object) -> object:
    """Open a dataclass into its members, one level deep; anything else stays."""
    names = getattr(value, "__dataclass_fields__", None)
    return {name: getattr(value, name) for name in names} if names else value


def _make_plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _tame(value: object) -> object:
    if isinstance(value, str):
        return replace_odd_characters(value)
    if isinstance(value, Mapping):
        return {replace_odd_characters(str(name)): _tame(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_tame(member) for member in value]
    if isinstance(value, int) and abs(value) > _LARGEST:
        return str(value)
    return value


class PlainText(TypeDecorator[str]):
    """Text of any length that both databases can hold and sort the same way: by code point, without NUL."""

    impl = Text
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return TEXT(collation="C") if dialect.name == "postgresql" else TEXT()

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else replace_odd_characters(value)


class Document(TypeDecorator[object]):
    """A JSON document; `None` is NULL."""

    impl = JSON(none_as_null=True)
    cache_ok = True
