"""What the routes of operations share."""

from typing import Annotated

from fastapi import Depends, Request

from app.operations.components import OperationComponents, OperationsState
from app.web.state import read_state

__all__ = ["OperationsDep"]


def _read_components(request: Request) -> OperationComponents:
    return read_state(request.scope, OperationsState)["operations"]


OperationsDep = Annotated[OperationComponents, Depends(_read_components)]
