"""The lifespan state, read by its type: a component that is missing fails the type check and not a request."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

__all__ = ["read_state"]

S = TypeVar("S", bound=Mapping[str, object])


def read_state(scope: Mapping[str, Any], _kind: type[S]) -> S:
    """Return the lifespan state of a request's scope as the typed dictionary that a capability declares of it.

    The composition root yields one that has the keys of all of them (`app.bootstrap.components.State`).
    """
    return cast(S, scope["state"])
