"""What many routes take and show in the same way: names in paths, versions in headers, times, bodies in JSON."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Generic, TypeVar, overload

import orjson
from fastapi import Depends, Header, Path, Request, Response
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from app.errors import Finding, InvalidInputError, PreconditionRequiredError
from app.routing.documents import refuse

__all__ = [
    "AS_SENT",
    "NO_IF_MATCH",
    "AlertId",
    "AnyMoment",
    "DecisionId",
    "IfMatchDep",
    "JobId",
    "JsonBodyDep",
    "KeyId",
    "OptionalIfMatchDep",
    "RulesetRef",
    "ShownTime",
    "StepId",
    "StrictBody",
    "WholeList",
    "describe_body",
    "show_time",
    "tag",
]

AlertId = Annotated[str, Path(description="The `id` of an alert in `/admin/alerts`.")]
DecisionId = Annotated[str, Path(description="The `id` of a decision in `/admin/decisions`.")]
JobId = Annotated[str, Path(description="The `id` of a job, as its start and the lists tell it.")]
KeyId = Annotated[str, Path(description="The `id` of a key in `/admin/keys`.")]
RulesetRef = Annotated[
    str,
    Path(
        description="`current`, a revision's number, or a draft's id; what changes something takes a draft's id only.",
        openapi_examples={"live": {"value": "current"}},
    ),
]
StepId = Annotated[
    str,
    Path(
        description="The `id` of a step in `/admin/authentication`.", openapi_examples={"first": {"value": "support"}}
    ),
]

AnyMoment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))]
"""A time from outside (1970 to 2999): near either end of what a machine can count, zones lead beyond it."""

Item = TypeVar("Item")
NO_IF_MATCH: Final = "Send If-Match with the ETag of what you read, so that no change gets lost."

_MICROSECOND: Final = timedelta(microseconds=1)


class WholeList(BaseModel, Generic[Item]):
    """A list that is always one page."""

    items: list[Item]
    next: None = Field(default=None, description="Always null: there is no further page.")


def tag(response: Response, version: str) -> None:
    """Send the version as the ETag of what is answered (RFC 9110, section 8.8.3)."""
    response.headers["ETag"] = f'"{version}"'


async def _read_if_match(
    if_match: Annotated[
        str, Header(description="The `ETag` of what you read, with or without quotes; without it 428, another one 412.")
    ],
) -> str:
    """Return the version the change is made from (RFC 9110, section 13.1.1; RFC 6585, section 3)."""
    token = _read_token(if_match)
    if token in {"", "*"}:
        raise PreconditionRequiredError(NO_IF_MATCH)
    return token


async def _read_optional_if_match(
    if_match: Annotated[
        str | None, Header(description="The `ETag` of what you read; left out when nothing is there, or to replace it.")
    ] = None,
) -> str | None:
    return None if if_match is None else _read_token(if_match)


def _read_token(etag: str) -> str:
    """Take the version out of an ETag, which some clients send weak or without quotes."""
    return etag.strip().removeprefix("W/").strip('"')


IfMatchDep = Annotated[str, Depends(_read_if_match)]
OptionalIfMatchDep = Annotated[str | None, Depends(_read_optional_if_match)]


@overload
def show_time(seconds: float) -> datetime: ...
@overload
def show_time(seconds: float | None) -> datetime | None: ...
def show_time(seconds: float | None) -> datetime | None:
    """Turn seconds since the epoch into a time in UTC, rounded down to the microsecond; nothing stays nothing.

    Down, so that a list asked for `since` a shown time begins with what was shown, and one `until` it ends before.
    """
    if seconds is None:
        return None
    nearest = datetime.fromtimestamp(seconds, UTC)
    return nearest - _MICROSECOND if nearest.timestamp() > seconds else nearest


def _read_seconds(value: object) -> object:
    return show_time(value) if isinstance(value, int | float) else value


ShownTime = Annotated[datetime, BeforeValidator(_read_seconds)]
"""A time of an answer that may be given as seconds since the epoch."""


class _AsSent:
    """Marks a member that takes any JSON object."""


AS_SENT: Final = _AsSent()
"""In the `Annotated` of a member of a `StrictBody`: an object is taken as it is parsed, for reading a large one twice
would hold up calls. Whoever uses it judges its types."""


class _Strictly:
    """Makes pydantic read a body by the types of JSON, where FastAPI would take `0` for false and `"7"` for 7.

    Strict mode alone would refuse times and enums: FastAPI hands over parsed JSON, in which they are texts.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        adapter: TypeAdapter[Any] = TypeAdapter(source)
        members: Mapping[str, FieldInfo] = getattr(source, "model_fields", {})
        taken = [name for name, member in members.items() if AS_SENT in member.metadata]

        def read(value: object, refuse_bytes: ValidatorFunctionWrapHandler) -> object:
            if isinstance(value, bytes):  # which was sent as something else than JSON
                return refuse_bytes(value)
            as_sent: dict[str, object] = {}
            if isinstance(value, dict):
                as_sent = {name: value[name] for name in taken if isinstance(value.get(name), dict)}
                value = {name: each for name, each in value.items() if name not in as_sent}
            try:
                text = json.dumps(value)
            except RecursionError as error:
                raise refuse("too-deep", "is nested too deep") from error
            sent = adapter.validate_json(text, strict=True)
            return sent.model_copy(update=as_sent) if as_sent else sent

        return core_schema.no_info_wrap_validator_function(read, handler(source))


Sent = TypeVar("Sent")
StrictBody = Annotated[Sent, _Strictly()]
"""A body in JSON whose values have the types that are asked for, e.g. `body: StrictBody[KeyRequest]`."""


async def _read_json(request: Request) -> object:
    """Parse the body; raises InvalidInputError for anything but JSON, also when it is nested a thousand deep."""
    body = await request.body()
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        deep = "depth limit" in error.msg
        code, message = ("too-deep", "nested too deep") if deep else ("not-json", _locate(error))
        finding = Finding(code=code, pointer="", message=message)
        raise InvalidInputError("The body is not usable JSON.", findings=[finding]) from error
    return document


JsonBodyDep = Annotated[Any, Depends(_read_json)]


def describe_body(model: type[BaseModel], what: str, example: object) -> dict[str, Any]:
    """Describe a body for the `openapi_extra=` of a route that reads it with `JsonBodyDep`.

    The document must be completed with the model, or with one that holds it.
    """
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {
            "required": True,
            "description": what,
            "content": {"application/json": {"schema": schema, "example": example}},
        }
    }


def _locate(error: orjson.JSONDecodeError) -> str:
    return f"this is not JSON, from line {error.lineno}, column {error.colno} on"
