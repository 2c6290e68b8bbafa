"""Tells what does not fit in a request, and repeats nothing of it that is not part of the interface."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from app.errors import Finding
from app.observability.redaction import redact_text
from app.routing.documents import join_pointer
from app.routing.registry import suggest

__all__ = ["list_findings"]

_HIDDEN = "*"
"""Stands for a key that is none of the interface."""
_MIN_TELLING = 3
"""Characters; shorter values tell nothing, and are found in the middle of any word."""


def list_findings(error: RequestValidationError, route: object) -> list[Finding]:
    """List what is wrong in a request for `route`, without the values, or the unknown keys, that caused it."""
    known = _list_body_keys(route)
    return [_find(problem, error.body, known) for problem in error.errors()]


def _find(problem: Mapping[str, Any], body: object, known: frozenset[str]) -> Finding:
    """Tell one validation error without the value, or the unknown key, that caused it."""
    place, *path = problem["loc"]
    context = problem.get("ctx", {})
    # Our own validators give code and hint with their errors (see `app.routing.documents.refuse`).
    code, hint = str(context.get("code", problem["type"])).replace("_", "-"), str(context.get("hint", ""))
    message, unexpected = _remove_input(problem), problem["type"] == "extra_forbidden"
    if problem["type"] == "json_invalid":
        return Finding(code=code, pointer="", message=f"This is not JSON, from character {path[0] if path else 0} on.")
    if place == "body":
        pointer = _point(path, body, known, missing=problem["type"] == "missing")
        hint = suggest(str(path[-1]), known) if unexpected else hint
        return Finding(code=code, pointer=pointer, message=message, hint=hint)
    name = _HIDDEN if unexpected else redact_text(".".join(map(str, path)))
    return Finding(code=code, pointer="", message=f"{place} {name}: {message}")


def _remove_input(problem: Mapping[str, Any]) -> str:
    """Take out of pydantic's message what some of its errors quote from the input."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    for quoted in (problem.get("input"), problem.get("ctx", {}).get("tag")):
        if isinstance(quoted, str) and len(quoted) >= _MIN_TELLING:
            message = message.replace(quoted, "…")
    return message


def _point(path: Sequence[str | int], body: object, known: frozenset[str], *, missing: bool) -> str:
    """Make a JSON pointer of pydantic's location, leaving out the names of union members it mixes in.

    A key that is none of the interface is spelled `*`, because it may be a name or a number.
    """
    steps: list[str] = []
    node = body
    for index, part in enumerate(path):
        found = _descend(node, part)
        if found is None and not (missing and index == len(path) - 1):
            continue
        node = found[0] if found else None
        steps.append(str(part) if isinstance(part, int) or part in known else _HIDDEN)
    return join_pointer(*steps)


def _descend(node: object, part: str | int) -> tuple[object] | None:
    """Look one step into a document; `None` when there is no such step."""
    if isinstance(node, dict) and part in node:
        return (node[part],)
    if isinstance(node, list) and isinstance(part, int) and part < len(node):
        return (node[part],)
    return None


def _list_body_keys(route: object) -> frozenset[str]:
    """List every key that the models of a route's body know, at whatever depth; whatever else is sent is not ours."""
    if not isinstance(route, APIRoute) or route.body_field is None:
        return frozenset()
    return frozenset(_list_keys(route.body_field.field_info.annotation, set()))


def _list_keys(annotation: Any, seen: set[type]) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return
        seen.add(annotation)
        for name, field in annotation.model_fields.items():
            yield field.alias or name
            yield from _list_keys(field.annotation, seen)
    for part in get_args(annotation):
        yield from _list_keys(part, seen)
