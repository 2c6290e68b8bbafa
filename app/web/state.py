"""The one place where administrators' routes read the lifespan state."""

from typing import Any

from fastapi import Depends, Request

__all__ = ["take"]


def take(name: str) -> Any:
    """Make the dependency that gives a route one part of the state: `Annotated[Gates, take("gates")]`.

    The names are those under which `app.assembly` keeps the parts.
    """

    def read(request: Request) -> Any:
        return getattr(request.state, name)

    return Depends(read)
