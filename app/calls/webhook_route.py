"""The webhook's place among the routes, and its description in the OpenAPI document."""

from typing import Annotated, Any

from fastapi import APIRouter, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBasic
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.calls.components import CallsState
from app.web.problems import problems
from app.web.state import read_state

__all__ = ["PATH", "make_webhook_router"]

PATH = "/smartrouting"

_EXAMPLES = {
    "vip": {
        "summary": "A VIP calls the sales line",
        "value": {
            "anum": "+358501234567",
            "bnum": "+358912345678",
            "targetid": "SALES_QUEUE",
            "extradata": {
                "CallId": "d59d7a2f-318a-469e-bdc0-b092a8fedbc1",
                "LegId": "66299cde606b3db6d413cd208f7e5cab@192.0.2.1_br1",
                "CurrQueueId": "6f3c2f6e-0d0c-4c2e-8e55-0f6f4b1c9a01",
                "CurrUserId": "",
                "IsInternalCaller": False,
                "DYN_PAR_Culture": "en-GB",
            },
        },
    },
    "short": {
        "summary": "The older payload, a caller who is no VIP",
        "value": {"anum": "+358401112233", "bnum": "+358912345678"},
    },
    "withheld": {"summary": "A withheld number", "value": {"anum": "anonymous", "bnum": "+358912345678"}},
}


_KEY = APIKeyHeader(
    name="X-Benemen-APIKey",
    scheme_name="QueueKey",
    description="For `POST /smartrouting`: a key from `SMARTROUTING_WEBHOOK__API_KEYS` (the demo prints one).",
    auto_error=False,
)
_USER = HTTPBasic(
    scheme_name="QueueUser",
    description="For `POST /smartrouting` instead of the key: one of `SMARTROUTING_WEBHOOK__BASIC_USERS`.",
    auto_error=False,
)


class ExtraData(BaseModel):
    """Further data about the call; every key may be missing, unknown ones are ignored."""

    model_config = ConfigDict(extra="allow")

    call_id: str | None = Field(default=None, alias="CallId", description="The platform-wide id of the call.")
    leg_id: str | None = Field(default=None, alias="LegId", description="Opaque.")
    queue_id: str | None = Field(default=None, alias="CurrQueueId", description="The queue the call is in.")
    user_id: str | None = Field(default=None, alias="CurrUserId", description="Empty when no user.")
    internal: bool | None = Field(default=None, alias="IsInternalCaller")


class CallBody(BaseModel):
    """One incoming call (Enreach contract, section 1.3). Unknown keys are ignored, wrong types are taken as missing."""

    model_config = ConfigDict(extra="allow")

    anum: str | int | None = Field(
        description="The caller's number, E.164 if possible. Null, empty or `anonymous`: withheld.",
    )
    bnum: str | int | None = Field(default=None, description="The number that was called, or that of the pool.")
    targetid: str | None = Field(default=None, description="The tag agreed with Enreach, e.g. SALES_QUEUE.")
    extradata: ExtraData | None = None


class Instructions(BaseModel):
    """Where the call goes. Further keys appear when the response profile names them."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"InitialTarget": "1a89fc22-517a-e611-80c9-00505689257e", "FailTarget": "+358401234567"}]
        },
    )

    InitialTarget: str = Field(description="A target, or `DISCONNECT:`.")
    FailTarget: str | None = Field(default=None, description="Where the call goes when the target does not take it.")


class WebhookRoute(APIRoute):
    """Hands the request to the webhook as it came, past FastAPI's reading of parameters and bodies."""

    @override
    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer POST; other methods get 405 the usual way."""
        if scope["method"] == "POST":
            await read_state(scope, CallsState)["calls"].webhook(scope, receive, send)
        else:
            await super().handle(scope, receive, send)


def make_webhook_router(no_change_status: int) -> APIRouter:
    """Describe the webhook; `no_change_status` is the status of the response profile."""
    router = APIRouter(route_class=WebhookRoute, tags=["Webhook"])
    responses: dict[int | str, dict[str, Any]] = {
        200: {"model": Instructions, "description": "Instructions that differ from the default routing."},
        no_change_status: {"description": "Nothing changes: the queue's own routing goes on. The body is empty."},
        **problems(401, 403, 408, 413, 422),
    }

    @router.post(
        PATH,
        summary="Decide where a call goes",
        description=(
            "The queue posts every incoming call here and does what the answer says. A well-formed call with a valid "
            "credential is always answered with 200 or the status of no change, within the deadline."
        ),
        responses=responses,
        openapi_extra={"requestBody": {"content": {"application/json": {"examples": _EXAMPLES}}}},
    )
    async def route_call(
        call: CallBody,
        _key: Annotated[str | None, Security(_KEY)],
        _user: Annotated[Any, Security(_USER)],
    ) -> None: ...

    return router
