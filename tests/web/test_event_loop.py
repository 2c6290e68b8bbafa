"""What every request does before its own work costs no thread."""

import inspect
from collections.abc import Iterator
from typing import Any

from fastapi.dependencies.models import Dependant

from app.main import create_app
from app.settings import Settings


def list_dependants(routes: Any) -> Iterator[Dependant]:
    """List what all routes depend on, those of included routers too."""
    for route in routes:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from list_dependants(router.routes)
        elif (dependant := getattr(route, "dependant", None)) is not None:
            yield from walk(dependant)


def walk(dependant: Dependant) -> Iterator[Dependant]:
    """List a dependant and what it depends on."""
    yield dependant
    for each in dependant.dependencies:
        yield from walk(each)


def is_async(call: Any) -> bool:
    """Tell whether FastAPI awaits it; anything else it hands to one of a few threads, and a crowd waits for those."""
    call = call if inspect.isroutine(call) else type(call).__call__
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)


def test_no_route_waits_for_a_thread_before_its_work() -> None:
    """Routes and what they depend on are coroutines: write `async def`, also where nothing is awaited."""
    dependants = list_dependants(create_app(Settings(demo=True)).routes)
    calls = [each.call for each in dependants if each.call is not None]

    assert len(calls) > 100
    assert sorted({f"{call.__module__}.{call.__qualname__}" for call in calls if not is_async(call)}) == []
