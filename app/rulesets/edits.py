"""Changes one part of a ruleset document and leaves the rest as it was written."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from app.errors import ConflictError, NotFoundError
from app.routing.documents import join_pointer

__all__ = [
    "Edit",
    "Member",
    "Rewritten",
    "add_rule",
    "move_rule",
    "put_member",
    "put_rule",
    "put_test",
    "remove_member",
    "remove_rule",
    "remove_test",
]

Document = Mapping[str, Any]
Rewritten = tuple[dict[str, Any], str]
"""The new document, and the pointer to the part that was sent; empty when none was."""
Edit = Callable[[Document], Rewritten]
"""Gives the document after a change; raises NotFoundError or ConflictError when the change does not fit."""
Member = Literal["destinations", "calendars"]


def add_rule(rule: Any, position: int | None) -> Edit:
    """Insert a rule before the one at that position (from 0); at the end for `None` or a place beyond it."""

    def edit(document: Document) -> Rewritten:
        rules = _list(document, "rules")
        place = len(rules) if position is None else min(position, len(rules))
        rules.insert(place, rule)
        return {**document, "rules": rules}, join_pointer("rules", place)

    return edit


def put_rule(rule_id: str, rule: Any) -> Edit:
    """Write a rule over the one with that id; the new one may have another id."""

    def edit(document: Document) -> Rewritten:
        rules = _list(document, "rules")
        place = _find(rules, "id", rule_id, "rule")
        rules[place] = {"id": rule_id, **rule} if isinstance(rule, dict) else rule
        return {**document, "rules": rules}, join_pointer("rules", place)

    return edit


def move_rule(rule_id: str, position: int) -> Edit:
    """Put a rule at another position (from 0); one beyond the end is the end."""

    def edit(document: Document) -> Rewritten:
        rules = _list(document, "rules")
        rules.insert(position, rules.pop(_find(rules, "id", rule_id, "rule")))
        return {**document, "rules": rules}, ""

    return edit


def remove_rule(rule_id: str) -> Edit:
    """Take a rule out."""

    def edit(document: Document) -> Rewritten:
        rules = _list(document, "rules")
        del rules[_find(rules, "id", rule_id, "rule")]
        return {**document, "rules": rules}, ""

    return edit


def put_member(member: Member, name: str, value: Any) -> Edit:
    """Set a destination or a calendar, new or not."""

    def edit(document: Document) -> Rewritten:
        return {**document, member: {**document.get(member, {}), name: value}}, join_pointer(member, name)

    return edit


def remove_member(member: Member, name: str) -> Edit:
    """Take a destination or a calendar out."""

    def edit(document: Document) -> Rewritten:
        members = dict(document.get(member, {}))
        if name not in members:
            raise NotFoundError(f"the draft has no {member.removesuffix('s')} {name!r}")
        del members[name]
        return {**document, member: members}, ""

    return edit


def put_test(name: str, test: Any, *, new: bool = False) -> Edit:
    """Set the test of that name; with `new` raises ConflictError when there is one."""

    def edit(document: Document) -> Rewritten:
        tests = _list(document, "tests")
        named = {**test, "name": name} if isinstance(test, dict) else test
        place = next((index for index, known in enumerate(tests) if known.get("name") == name), len(tests))
        if new and place < len(tests):
            raise ConflictError(f"the draft has a test {name!r} already")
        tests[place : place + 1] = [named]
        return {**document, "tests": tests}, join_pointer("tests", place)

    return edit


def remove_test(name: str) -> Edit:
    """Take the test of that name out."""

    def edit(document: Document) -> Rewritten:
        tests = _list(document, "tests")
        del tests[_find(tests, "name", name, "test")]
        return {**document, "tests": tests}, ""

    return edit


def _list(document: Document, key: str) -> list[Any]:
    return list(document.get(key, ()))


def _find(items: list[Any], key: str, value: str, word: str) -> int:
    place = next((index for index, item in enumerate(items) if item.get(key) == value), None)
    if place is None:
        raise NotFoundError(f"the draft has no {word} {value!r}")
    return place
