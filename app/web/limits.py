"""Routes whose work may be large: a few at a time for each role, the others wait or are told to come back."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypedDict

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from typing_extensions import override

from app.auth.access import identify
from app.web.heavy_work import HeavyWork
from app.web.problems import describe_problem
from app.web.state import read_state

__all__ = ["HeavyRoute", "HeavyWorkDep", "LimitsState"]

_BUSY = 429


class LimitsState(TypedDict):
    """What this module reads from the lifespan state."""

    heavy_work: HeavyWork


def _read_heavy_work(request: Request) -> HeavyWork:
    return read_state(request.scope, LimitsState)["heavy_work"]


HeavyWorkDep = Annotated[HeavyWork, Depends(_read_heavy_work)]


class HeavyRoute(APIRoute):
    """A route that waits for its turn before its body is read: `APIRouter(route_class=HeavyRoute)`."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, responses: dict[int | str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(path, endpoint, responses={**(responses or {}), _BUSY: describe_problem(_BUSY)}, **options)

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_in_turn(request: Request) -> Response:
            principal = await identify(request)
            async with _read_heavy_work(request).admit(principal.role):
                return await handle(request)

        return handle_in_turn
