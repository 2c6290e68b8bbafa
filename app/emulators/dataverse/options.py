"""Splits a query string into options, without judging what they mean yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_plus

from app.emulators.dataverse.errors import bad_query, not_emulated

_REFUSED = {
    "$skip": "Skip Clause is not supported in CRM",
    "$search": "The query parameter $search is not supported.",
    "$format": "The query parameter $format is not supported.",
    "$compute": "The query parameter $compute is not supported.",
    "$levels": "The query parameter $levels is not supported.",
}
_NOT_EMULATED = frozenset({"sql", "$apply", "fetchXml", "savedQuery", "userQuery"})
_KNOWN = frozenset({"$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken", "$deltatoken", "$id"})


def read_options(raw_query: str) -> dict[str, str]:
    """Return name -> decoded value. A raw `+` decodes to a space, as on the real server.

    Raises WireError for options Dataverse refuses, misspells included: names are case-sensitive.
    """
    options: dict[str, str] = {}
    for part in filter(None, raw_query.split("&")):
        raw_name, _, raw_value = part.partition("=")
        name = unquote_plus(raw_name)
        _require_known(name, options)
        options[name] = unquote_plus(raw_value)
    return options


def _require_known(name: str, seen: dict[str, str]) -> None:
    if name in _REFUSED:
        raise bad_query(_REFUSED[name])
    if name in _NOT_EMULATED or name.startswith("@"):
        raise not_emulated(f"The query option {name}")
    if name not in _KNOWN:
        raise bad_query(f"The query parameter {name} is not supported.")
    if name in seen:
        raise bad_query(f"Query option '{name}' was specified more than once, but it must be specified at most once.")


def split_outside(text: str, separator: str) -> Iterator[str]:
    """Yield the parts of `text` between separators that stand outside parentheses and quoted strings."""
    depth, quoted, start = 0, False, 0
    for index, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == separator and depth == 0:
            yield text[start:index]
            start = index + 1
    if depth != 0 or quoted:
        raise bad_query("The expression has unbalanced parentheses or quotes.")
    yield text[start:]


@dataclass(frozen=True, slots=True)
class Preferences:
    """The `Prefer` header (Dataverse contract, section 1.2)."""

    annotations: str = ""
    """`*` or a comma list of annotation names."""
    page_size: int | None = None
    track_changes: bool = False
    representation: bool = False

    @property
    def applied(self) -> str:
        """Return the value of `Preference-Applied`."""
        parts = (
            f'odata.include-annotations="{self.annotations}"' if self.annotations else "",
            f"odata.maxpagesize={self.page_size}" if self.page_size else "",
            "odata.track-changes" if self.track_changes else "",
            "return=representation" if self.representation else "",
        )
        return ",".join(filter(None, parts))


def read_preferences(header: str) -> Preferences:
    """Read a `Prefer` header; a page size above 5,000 becomes 5,000, unknown preferences are ignored."""
    values: dict[str, str] = {}
    for part in _split_quoted(header):
        name, _, value = part.strip().partition("=")
        values[name.strip().lower()] = value.strip().strip('"')
    return Preferences(
        annotations=values.get("odata.include-annotations", ""),
        page_size=_page_size(values.get("odata.maxpagesize", "")),
        track_changes="odata.track-changes" in values,
        representation=values.get("return") == "representation",
    )


def _split_quoted(header: str) -> Iterator[str]:
    """Commas inside double quotes do not separate."""
    pieces = header.split('"')
    masked = '"'.join(piece.replace(",", "\0") if index % 2 else piece for index, piece in enumerate(pieces))
    return (part.replace("\0", ",") for part in masked.split(","))


def _page_size(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise bad_query("The value of the preference odata.maxpagesize must be a positive integer.")
    return min(int(text), 5000)
