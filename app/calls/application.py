"""The FastAPI application, with a short way to the webhook."""

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.calls.webhook_route import PATH

__all__ = ["Application"]


class Application(FastAPI):
    """Hands a POST to the webhook before the framework looks at it.

    Its error layers, exit stacks and routers cost a call more than everything the rules do (decision record 0002). The
    route of the same path stays, for other methods and for the OpenAPI document.
    """

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST":
            await scope["state"]["webhook"](scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
