"""The files of the console: how they are served, and what must hold of all of them."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI

from app.console.api import add_console

STATIC = Path(__file__).parents[2] / "app" / "console" / "static"
MODULES = sorted(STATIC.glob("*.js"))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Speak to an application that serves the console."""
    app = FastAPI(openapi_url=None)
    add_console(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_the_page_and_all_it_names_are_served_under_a_strict_policy(client: httpx.AsyncClient) -> None:
    """Page, style, modules and catalogues answer 200 with the policy, their type and no cookie."""
    page = await client.get("/console")
    links = [urljoin("/console", link) for link in re.findall(r'(?:src|href)="(console/[^"]+)"', page.text)]
    imports = [
        f"/console/{name}" for module in MODULES for name in re.findall(r'from "\./([^"]+)"', module.read_text())
    ]
    catalogues = ["/console/en.json", "/console/fi.json"]

    answers = [page, *[await client.get(path) for path in {*links, *imports, *catalogues}]]

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["Content-Security-Policy"] for answer in answers} == {
        (
            "default-src 'self'; connect-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
    }
    assert {answer.headers["X-Content-Type-Options"] for answer in answers} == {"nosniff"}
    assert not any("set-cookie" in answer.headers for answer in answers)


async def test_a_file_that_is_known_is_not_sent_again(client: httpx.AsyncClient) -> None:
    """The ETag of an answer brings 304 without a body."""
    first = await client.get("/console/main.js")

    again = await client.get("/console/main.js", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])


def test_catalogues_have_the_same_keys_and_placeholders() -> None:
    """Every text is there in English and Finnish, with the same values to fill in."""
    english, finnish = (json.loads((STATIC / f"{name}.json").read_text()) for name in ("en", "fi"))
    in_english, in_finnish = (
        {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in catalogue.items()}
        for catalogue in (english, finnish)
    )

    assert in_english == in_finnish


def test_every_text_that_is_asked_for_is_in_the_catalogues() -> None:
    """No key of `say` is missing."""
    catalogue = json.loads((STATIC / "en.json").read_text())
    asked = {key for module in MODULES for key in re.findall(r'say\("([^"]+)"', module.read_text())}

    assert asked - catalogue.keys() == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_modules_are_short_and_put_in_no_markup(module: Path) -> None:
    """At most 250 lines, no way to make HTML of text, nothing from other hosts and nothing kept in the browser.

    But a sign-in under way outlives the page, until the issuer sends the browser back.
    """
    text = module.read_text()
    if module.name == "sign-in.js":
        text = re.sub(r"sessionStorage\.(setItem|getItem|removeItem)\(UNDER_WAY", "", text)

    assert len(text.splitlines()) <= 250
    assert (
        re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://(?!www\.w3\.org/2000/svg)|Storage|cookie",
            text,
        )
        == []
    )


def test_the_page_has_no_inline_script_or_style() -> None:
    """Everything the page runs is a file."""
    page = (STATIC / "index.html").read_text()

    assert re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page) == []
