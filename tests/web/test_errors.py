"""Errors as they leave the service: problem details, nothing personal, nothing internal."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import httpx
import pytest
from dirty_equals import IsStr
from fastapi import Body, FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field, field_validator
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from structlog.testing import capture_logs

from app.errors import AppError, Finding, InvalidInputError, NotFoundError, UnauthorizedError
from app.observability.requests import RequestContext
from app.web.errors import FailureBoundary, add_error_handlers
from app.web.problems import problems

REQUEST = {"X-Request-ID": "request-a"}
INSTANCE = "urn:smartrouting:request:request-a"
NUMBER = "+358501234567"


class Queue(BaseModel):
    """One kind of destination."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["queue"]
    id: str


class Number(BaseModel):
    """Another kind of destination."""

    kind: Literal["number"]
    id: int


class Document(BaseModel):
    """A document with every shape that validation errors point into."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=10)
    items: list[Annotated[Queue | Number, Field(discriminator="kind")]] = []
    either: int | list[int] = 0

    @field_validator("name")
    @classmethod
    def _refuse_secrets(cls, name: str) -> str:
        if name == "secret":
            raise ValueError(f"the name {name} is taken")
        return name


class UpstreamError(AppError):
    """Another system failed."""

    status = 502
    code = "upstream"
    title = "Upstream failed"


ERRORS: dict[str, Exception] = {
    "missing": NotFoundError(f"There is no caller {NUMBER}."),
    "findings": InvalidInputError(
        "The ruleset cannot be published.",
        findings=[
            Finding(code="unknown-fact", pointer="/rules/0/when", message="No fact x.", hint="Use y.", rule="vip"),
            Finding(code="odd", pointer="", message="Odd.", severity="warning"),
        ],
    ),
    "unknown-caller": UnauthorizedError("Who are you?"),
    "upstream": UpstreamError("Dataverse answered 503."),
    "http": HTTPException(418, "short and stout", headers={"X-Tea": "yes"}),
    "http-odd": HTTPException(400, {"number": NUMBER}),
    "empty": HTTPException(304),
    "unexpected": RuntimeError(f"Ann Example {NUMBER}"),
    "gone": ClientDisconnect(),
}


def make_app() -> FastAPI:
    """Make an application whose routes fail on purpose."""
    app = FastAPI()

    @app.post("/documents/{number}")
    async def take(number: int, document: Document, limit: int = 1) -> int:
        return number + limit + len(document.items)

    @app.post("/anything")
    async def take_any(anything: Annotated[dict[str, int], Body()]) -> int:
        return len(anything)

    @app.get("/errors/{name}", responses=problems(404))
    async def fail(name: str) -> None:
        raise ERRORS[name]

    @app.get("/half")
    async def fail_half_way() -> StreamingResponse:
        async def stream() -> AsyncIterator[bytes]:
            yield b"half"
            await asyncio.sleep(0)
            raise RuntimeError(NUMBER)

        return StreamingResponse(stream())

    add_error_handlers(app)
    app.add_middleware(RequestContext, timer=lambda: 0.0, unlogged=())
    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Speak to the application."""
    transport = httpx.ASGITransport(make_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=REQUEST) as client:
        yield client


async def test_an_error_of_ours_is_a_problem(client: httpx.AsyncClient) -> None:
    """Code, title, status and message of the error make the body; a number in it is masked."""
    answer = await client.get("/errors/missing")

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "urn:smartrouting:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no caller [masked].",
        "instance": INSTANCE,
    }


async def test_findings_are_listed(client: httpx.AsyncClient) -> None:
    """Each finding has its place, its words and its way out."""
    answer = await client.get("/errors/findings")

    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        [
            {
                "code": "unknown-fact",
                "pointer": "/rules/0/when",
                "detail": "No fact x.",
                "hint": "Use y.",
                "rule": "vip",
                "severity": "error",
            },
            {"code": "odd", "pointer": "", "detail": "Odd.", "severity": "warning"},
        ],
    )


async def test_every_401_carries_a_challenge(client: httpx.AsyncClient) -> None:
    """RFC 9110, section 11.6.1 asks for it."""
    answer = await client.get("/errors/unknown-caller")

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="smartrouting"')


async def test_a_fault_of_another_system_is_logged(client: httpx.AsyncClient) -> None:
    """A 5xx of ours is told to the operator as well, once."""
    with capture_logs() as lines:
        answer = await client.get("/errors/upstream")

    assert (answer.status_code, answer.json()["type"]) == (502, "urn:smartrouting:problem:upstream")
    assert [(line["event"], line.get("code")) for line in lines] == [
        ("http.failed", "upstream"),
        ("http.request", None),
    ]


async def test_errors_of_the_framework_are_problems_and_keep_their_headers(client: httpx.AsyncClient) -> None:
    """Unknown paths, wrong methods and explicit HTTP errors look like all others."""
    answers = [
        await client.get("/nowhere"),
        await client.get("/anything"),
        await client.get("/errors/http"),
        await client.get("/errors/http-odd"),
    ]

    assert [answer.json() for answer in answers] == [
        {"type": "urn:smartrouting:problem:not-found", "title": "Not found", "status": 404, "instance": INSTANCE},
        {
            "type": "urn:smartrouting:problem:method-not-allowed",
            "title": "Method not allowed",
            "status": 405,
            "detail": "This path takes POST.",
            "instance": INSTANCE,
        },
        {
            "type": "urn:smartrouting:problem:im-a-teapot",
            "title": "I'm a teapot",
            "status": 418,
            "detail": "Short and stout.",
            "instance": INSTANCE,
        },
        {"type": "urn:smartrouting:problem:bad-request", "title": "Bad request", "status": 400, "instance": INSTANCE},
    ]
    assert (answers[1].headers["Allow"], answers[2].headers["X-Tea"]) == ("POST", "yes")


async def test_a_status_without_body_has_none(client: httpx.AsyncClient) -> None:
    """304 and its like may not carry a problem."""
    answer = await client.get("/errors/empty")

    assert (answer.status_code, answer.content) == (304, b"")


async def test_the_unexpected_is_500_without_internals_and_logged_once(client: httpx.AsyncClient) -> None:
    """The body says nothing but where to look; the log has the exception and the request's name."""
    with capture_logs() as lines:
        answer = await client.get("/errors/unexpected")

    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "request-a")
    assert answer.json() == {
        "type": "urn:smartrouting:problem:internal-error",
        "title": "Internal error",
        "status": 500,
        "detail": "Something went wrong here; the log of the service tells more under the instance's identifier.",
        "instance": INSTANCE,
    }
    assert [(line["event"], line.get("exc_info")) for line in lines] == [
        ("http.failed", ERRORS["unexpected"]),
        ("http.request", None),
    ]


async def test_an_answer_that_has_begun_is_not_followed_by_another(client: httpx.AsyncClient) -> None:
    """Half an answer stays half, which the server turns into a broken connection."""
    with capture_logs() as lines, pytest.raises(AssertionError):
        await client.get("/half")

    assert [(line["event"], line.get("answer_started"), line.get("status")) for line in lines] == [
        ("http.failed", True, None),
        ("http.request", None, 200),
    ]


async def test_a_client_that_left_is_no_failure(client: httpx.AsyncClient) -> None:
    """A connection closed while the request was read is nobody's fault."""
    with capture_logs() as lines, pytest.raises(AssertionError):
        await client.get("/errors/gone")

    assert [line["event"] for line in lines] == ["http.client_left", "http.request"]


@pytest.mark.parametrize(
    ("document", "errors"),
    [
        pytest.param({}, [("missing", "/name", "Is missing.")], id="missing"),
        pytest.param({"name": NUMBER}, [("string-too-long", "/name", "Must have at most 10 characters.")], id="value"),
        pytest.param({"name": "secret"}, [("value-error", "/name", "The name … is taken.")], id="quoted-by-us"),
        pytest.param(
            {"name": "a", "items": [{"kind": NUMBER, "id": "x"}]},
            [
                (
                    "union-tag-invalid",
                    "/items/0",
                    "Has a 'kind' that is none of 'queue', 'number'.",
                )
            ],
            id="quoted-by-pydantic",
        ),
        pytest.param(
            {"name": "a", "items": [{"kind": "number", "id": "x"}]},
            [
                (
                    "int-parsing",
                    "/items/0/id",
                    "Must be a whole number.",
                )
            ],
            id="inside-a-union",
        ),
        pytest.param(
            {"name": "a", "items": [{"kind": "queue"}]}, [("missing", "/items/0/id", "Is missing.")], id="deep"
        ),
        pytest.param(
            {"name": "a", "either": "x"},
            [
                (
                    "int-parsing",
                    "/either",
                    "Must be a whole number.",
                ),
                ("list-type", "/either", "Must be a list."),
            ],
            id="either",
        ),
    ],
)
async def test_validation_errors_point_into_the_document_without_its_values(
    client: httpx.AsyncClient, document: object, errors: list[tuple[str, str, str]]
) -> None:
    """Every error has a JSON pointer that exists in what was sent, and never repeats a value."""
    answer = await client.post("/documents/1", json=document)

    assert answer.status_code == 422
    assert [(error["code"], error["pointer"], error["detail"]) for error in answer.json()["errors"]] == errors
    assert NUMBER not in answer.text


async def test_keys_nobody_knows_are_not_repeated(client: httpx.AsyncClient) -> None:
    """Only keys of the documented interface are in a pointer: a name or a number may hide in any other."""
    answers = [
        await client.post("/anything", json={"Aino Virtanen": "x", NUMBER: "x"}),
        await client.post("/documents/1", json={"name": "a", "items": [{"kind": "queue", "id": "q", "Aino": 1}]}),
        await client.post("/documents/1", json={"name": "a", "items": [{"kind": "queue", "id": "q", "name": 1}]}),
        await client.post("/documents/1", json={"nam": "a"}),
    ]

    assert [[error["pointer"] for error in answer.json()["errors"]] for answer in answers] == [
        ["/*", "/*"],
        ["/items/0/*"],
        ["/items/0/name"],
        ["/name", "/*"],
    ]
    assert answers[3].json()["errors"][1]["hint"] == IsStr(regex='(?i)did you mean "name".*')
    assert not any(word in answer.text for answer in answers for word in ("Aino", NUMBER))


async def test_parameters_are_named_in_words(client: httpx.AsyncClient) -> None:
    """Path and query are no part of a document, so they are named instead of pointed at."""
    answer = await client.post(f"/documents/{NUMBER}x?limit={NUMBER}x", json={"name": "a"})

    assert [(error["pointer"], error["detail"].partition(" must")[0]) for error in answer.json()["errors"]] == [
        ("", "Path number"),
        ("", "Query limit"),
    ]
    assert NUMBER not in answer.text


async def test_what_is_not_json_is_told_with_its_place(client: httpx.AsyncClient) -> None:
    """Broken JSON names the character where it breaks."""
    answer = await client.post(
        "/documents/1", content=b'{"name": +358501234567}', headers={"Content-Type": "application/json"}
    )

    assert answer.json()["errors"] == [
        {
            "code": "json-invalid",
            "pointer": "",
            "detail": "This is not JSON, from character 9 on.",
            "severity": "error",
        }
    ]


def test_routes_declare_their_problems() -> None:
    """A route lists the statuses of its errors in its decorator; each comes with an example of its own."""

    def describe(phrase: str, **example: object) -> dict[str, object]:
        shape = {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "example": example,
        }
        return {"description": phrase, "content": {"application/problem+json": shape}}

    assert problems(404, 408) == {
        404: describe(
            "Not Found",
            type="urn:smartrouting:problem:not-found",
            title="Not found",
            status=404,
            detail="There is no draft summer-hours.",
        ),
        408: describe(
            "Request Timeout",
            type="urn:smartrouting:problem:request-timeout",
            title="Request timeout",
            status=408,
            detail="The body did not arrive in time.",
        ),
    }


async def test_the_boundary_leaves_other_protocols_alone() -> None:
    """Errors of the lifespan belong to the server."""

    async def fail(_scope: object, _receive: object, _send: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await FailureBoundary(fail)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("headers", "ends"), [({}, None), ({"Expect": "100-continue"}, "close")])
async def test_refusal_before_the_body_ends_the_connection(
    client: httpx.AsyncClient, headers: dict[str, str], ends: str | None
) -> None:
    """A sender that waits for leave may send its body after the refusal, or not: it must not pass for a request."""
    answer = await client.get("/errors/unknown-caller", headers=headers)

    assert (answer.status_code, answer.headers.get("Connection")) == (401, ends)
