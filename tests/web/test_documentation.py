"""Swagger UI, served from local files under a strict content policy."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from typing_extensions import override

from app.auth.access import requires
from app.auth.principals import Permission, Principal
from app.web.documentation import add_documentation
from app.web.problems import problems


class Caller(BaseModel):
    """A body, so that FastAPI documents a validation error."""

    number: str


def make_app() -> FastAPI:
    """Make a documented application with one protected route."""
    app = FastAPI(openapi_url=None)

    @app.post("/callers", summary="Find a caller", responses=problems(404))
    async def find(caller: Caller, _: Annotated[Principal, requires(Permission.SIMULATE)]) -> Caller:
        """Look a caller up."""
        return caller

    add_documentation(app)
    return app


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Speak to the application."""
    transport = httpx.ASGITransport(make_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def list_links(page: str) -> list[str]:
    """List what a page loads."""
    return re.findall(r'(?:src|href)="([^"]+)"', page)


@pytest.mark.parametrize("path", ["/docs", "/docs/oauth2-redirect"])
async def test_pages_load_only_local_files_that_exist(client: httpx.AsyncClient, path: str) -> None:
    """Every link of a page is relative and answers 200 with its proper type."""
    page = await client.get(path)

    answers = {link: await client.get(urljoin(path, link)) for link in list_links(page.text)}

    assert page.status_code == 200
    assert answers
    assert not [link for link in answers if "//" in link]
    assert {link: answer.status_code for link, answer in answers.items()} == dict.fromkeys(answers, 200)
    types = {link.rpartition(".")[2]: answer.headers["Content-Type"].split(";")[0] for link, answer in answers.items()}
    assert types.items() <= {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}.items()


@pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/docs/oauth2-redirect", "/docs/oauth2-redirect.js"])
async def test_nothing_of_ours_names_another_host(client: httpx.AsyncClient, path: str) -> None:
    """Page and scripts hold no absolute URL at all."""
    answer = await client.get(path)

    assert re.findall(r"(?:https?:)?//[\w.]+", answer.text) == []


async def test_the_style_loads_nothing_but_data(client: httpx.AsyncClient) -> None:
    """The style sheet brings its images along and imports no other."""
    style = (await client.get("/docs/swagger/swagger-ui.css")).text

    assert "@import" not in style
    assert [url for url in re.findall(r"url\(['\"]?([^)'\"]{0,5})", style) if url != "data:"] == []


async def test_the_content_policy_allows_no_inline_script_and_no_other_host(client: httpx.AsyncClient) -> None:
    """The policy is the least Swagger UI works under, and the pages keep to it."""
    page = await client.get("/docs")

    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert re.findall(r"<script(?![^>]*src=)|<style| on\w+=| style=", page.text) == []


async def test_the_bare_address_leads_to_the_documentation(client: httpx.AsyncClient) -> None:
    """Whoever opens the service in a browser is sent on, below whatever path a proxy serves it."""
    answer = await client.get("/")
    page = await client.get("/docs")

    assert (answer.status_code, answer.headers["Location"], answer.content) == (307, "docs", b"")
    shared = ("Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options", "Cache-Control")
    assert [answer.headers[name] for name in shared] == [page.headers[name] for name in shared]


async def test_swagger_ui_is_started_for_trying_out(client: httpx.AsyncClient) -> None:
    """The key is remembered, trying out needs no extra click, and no validator elsewhere is asked."""
    start = (await client.get("/docs/start.js")).text

    for line in ("persistAuthorization: true", "tryItOutEnabled: true", "validatorUrl: null"):
        assert line in start


async def test_the_document_says_problem_details_and_roles(client: httpx.AsyncClient) -> None:
    """Error bodies are the ones sent, a protected operation tells the role in words, FastAPI's own shape is gone."""
    document = (await client.get("/openapi.json")).json()

    operation = document["paths"]["/callers"]["post"]
    shared = document["components"]["responses"]
    errors = {status: answer for status, answer in operation["responses"].items() if status != "200"}
    assert errors == {
        status: {"$ref": f"#/components/responses/Problem{status}"} for status in ("401", "403", "404", "422")
    }
    bodies = [content for answer in shared.values() for content in answer["content"].items()]
    assert {(kind, body["schema"]["$ref"]) for kind, body in bodies} == {
        ("application/problem+json", "#/components/schemas/Problem")
    }
    assert operation["description"] == "Look a caller up.\n\nNeeds the role Voice ApiUser."
    assert set(document["components"]["schemas"]) == {"Caller", "Problem", "ProblemItem"}


def test_completing_the_document_twice_changes_nothing() -> None:
    """The document is the same however often it is asked for."""
    app = make_app()

    assert str(app.openapi()) == str(app.openapi())


async def test_the_document_is_written_once_for_all_who_ask() -> None:
    """Forty clients at one time, and later ones, get the same bytes; whoever has them gets none."""
    written = 0

    class Counted(FastAPI):
        @override
        def openapi(self) -> dict[str, Any]:
            nonlocal written
            written += 1
            return super().openapi()

    app = Counted(openapi_url=None)
    add_documentation(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        first = await asyncio.gather(*(client.get("/openapi.json") for _ in range(40)))
        tag = first[0].headers["ETag"]
        known = await client.get("/openapi.json", headers={"If-None-Match": f'"other", W/{tag}'})
        changed = await client.get("/openapi.json", headers={"If-None-Match": '"other"'})

    assert {(answer.content, answer.headers["ETag"]) for answer in first} == {(changed.content, tag)}
    assert (known.status_code, known.content, known.headers["ETag"], written) == (304, b"", tag, 1)
