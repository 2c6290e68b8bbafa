"""What changed between two rulesets, part by part."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.routing.documents import join_pointer
from app.routing.ruleset import Ruleset

__all__ = ["Change", "diff_rulesets"]

Part = Literal["destination", "calendar", "rota", "default_calendar", "time_zone", "condition", "table", "rule", "test"]
_PARTS: tuple[tuple[Part, str], ...] = (
    ("destination", "destinations"),
    ("calendar", "calendars"),
    ("rota", "rotas"),
    ("default_calendar", "default_calendar"),
    ("time_zone", "time_zone"),
    ("condition", "define"),
    ("table", "tables"),
    ("rule", "rules"),
    ("test", "tests"),
)
Named = Mapping[str, tuple[str, Any]]
"""Parts by name, in order; each with its pointer and its JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference."""

    kind: Literal["added", "removed", "changed", "moved"]
    part: Part
    id: str
    """The id of the rule, or the name of the destination, calendar, rota or test."""
    pointer: str
    """Where (RFC 6901): in the old ruleset for what was removed, else in the new one."""
    before: object = None
    """The old JSON value; the old place of a rule that moved."""
    after: object = None
    """The new JSON value; the new place of a rule that moved."""


def diff_rulesets(old: Ruleset, new: Ruleset) -> tuple[Change, ...]:
    """List what was added, removed, changed and moved; what is only spelled otherwise does not count.

    Rules and tests are the same when their id or name is. As few rules as possible are called moved: those that do
    not keep their order among the rules that both have.
    """
    before, after = _write(old), _write(new)
    changes: list[Change] = []
    for part, key in _PARTS:
        olds, news = _name_parts(before.get(key), key), _name_parts(after.get(key), key)
        changes += _compare_parts(part, olds, news)
        changes += _find_moved(olds, news) if part == "rule" else ()
    return tuple(changes)


def _write(ruleset: Ruleset) -> dict[str, Any]:
    written = ruleset.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    # In a test it counts what is said: `"rule": null` expects that no rule matches.
    return written | {"tests": [test.model_dump(mode="json", exclude_unset=True) for test in ruleset.tests]}


def _name_parts(value: Any, key: str) -> Named:
    if isinstance(value, list):
        return {
            str(item.get("id") or item.get("name")): (join_pointer(key, index), item)
            for index, item in enumerate(value)
        }
    if isinstance(value, dict):
        return {name: (join_pointer(key, name), item) for name, item in value.items()}
    return {} if value is None else {key: (join_pointer(key), value)}


def _compare_parts(part: Part, olds: Named, news: Named) -> Iterator[Change]:
    for name, (pointer, value) in olds.items():
        if name not in news:
            yield Change(kind="removed", part=part, id=name, pointer=pointer, before=value)
    for name, (pointer, value) in news.items():
        if name not in olds:
            yield Change(kind="added", part=part, id=name, pointer=pointer, after=value)
            continue
        for place, before, after in _compare(olds[name][1], value, pointer):
            yield Change(kind="changed", part=part, id=name, pointer=place, before=before, after=after)


def _compare(old: Any, new: Any, pointer: str) -> Iterator[tuple[str, Any, Any]]:
    """Find the smallest values that differ; what has no key, or not the length, in common differs as a whole."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() & new.keys():
        for key in dict.fromkeys((*old, *new)):
            yield from _compare(old.get(key), new.get(key), pointer + join_pointer(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _compare(before, after, f"{pointer}/{index}")
    elif old != new or isinstance(old, bool) is not isinstance(new, bool):
        yield pointer, old, new


def _find_moved(olds: Named, news: Named) -> Iterator[Change]:
    old_places = {name: place for place, name in enumerate(olds)}
    common = [name for name in news if name in olds]
    staying = _find_longest_rise([old_places[name] for name in common])
    for place, (name, (pointer, _)) in enumerate(news.items()):
        if name in olds and old_places[name] not in staying:
            yield Change(kind="moved", part="rule", id=name, pointer=pointer, before=old_places[name], after=place)


def _find_longest_rise(places: Sequence[int]) -> frozenset[int]:
    """Return the members of a longest rising subsequence (patience sorting), found in n log n steps."""
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for place in places:
        pile = bisect_left(ends, place)
        before[place] = ends[pile - 1] if pile else None
        ends[pile : pile + 1] = [place]
    rise: set[int] = set()
    last = ends[-1] if ends else None
    while last is not None:
        rise.add(last)
        last = before[last]
    return frozenset(rise)
