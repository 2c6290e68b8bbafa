"""Which keys of a body are documented, and may therefore be repeated in an error."""

from collections.abc import Iterator
from typing import Any, get_args

from fastapi.routing import APIRoute
from pydantic import BaseModel

__all__ = ["list_body_keys"]


def list_body_keys(route: object) -> frozenset[str]:
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
