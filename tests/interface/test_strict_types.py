"""Bodies have the types of JSON: no `0` for false, no text for a number, no number for a text."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.bootstrap.upstreams import Upstreams
from tests.support.presser import DOCUMENT, Presser
from tests.support.service import ADMIN_KEY, Service, open_service

Place = tuple[str | int, ...]
WRONG: Final[dict[str, tuple[object, ...]]] = {
    "boolean": (0, "true"),
    "integer": ("1", True),
    "number": ("1", True),
    "string": (1, True),
}
MAX_DEPTH: Final = 6


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, and take null from what may be null."""
    if "$ref" in schema:
        return resolve(DOCUMENT["components"]["schemas"][schema["$ref"].split("/")[-1]])
    options = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    return resolve(options[0]) if len(options) == 1 else schema


def list_wrong(schema: dict[str, Any], example: Any, place: Place = ()) -> Iterator[tuple[Place, object]]:
    """List places of a body with values of a wrong type, where one type is right."""
    schema = resolve(schema)
    kind = schema.get("type")
    if kind in WRONG and "const" not in schema:
        yield from ((place, value) for value in WRONG[kind] if value not in schema.get("enum", []))
    if len(place) >= MAX_DEPTH:
        return
    if kind == "array" and "items" in schema:
        yield from list_wrong(schema["items"], example[0] if example else None, (*place, 0))
    if kind == "object":
        for name, member in schema.get("properties", {}).items():
            known = example.get(name) if isinstance(example, dict) else None
            yield from list_wrong(member, known, (*place, name))


def put(body: Any, place: Place, value: object) -> Any:
    """Return the body with a value at a place, which is made where there is none."""
    if not place:
        return value
    step, *rest = place
    changed = copy.copy(body) if isinstance(body, dict | list) else [] if isinstance(step, int) else {}
    if isinstance(changed, list):
        return [put(changed[0] if changed else None, tuple(rest), value), *changed[1:]]
    changed[step] = put(changed.get(step), tuple(rest), value)
    return changed


BODIES = {
    operation["operationId"]: operation["requestBody"]["content"]["application/json"]["schema"]
    for path, members in DOCUMENT["paths"].items()
    for operation in members.values()
    if path.startswith("/admin/") and [*operation.get("requestBody", {}).get("content", {})] == ["application/json"]
}


WITHOUT_VERSION = {"addRecordedTest", "changeRows"}
"""There is nothing to change; the body is judged first."""
TAKEN_FROM_THE_PATH = ("putTest", "/name")


async def test_wrong_types_are_refused_at_their_place(tmp_path: Path) -> None:
    """Every member of every body of the administrators' interface, by what the document says of it."""
    taken: list[tuple[str, str, object]] = []
    async with open_service(
        tmp_path, upstreams=Upstreams(), demo=True, dataverse={"url": None, "token": None}
    ) as service:
        presser = Presser(service)
        await presser.press("routeCall")
        for name, schema in BODIES.items():
            request = await presser.make_request(name, {"if-match": "1"} if name in WITHOUT_VERSION else {})
            body = json.loads(request.content)
            for place, value in list_wrong(schema, body):
                pointer = "".join(f"/{step}" for step in place)
                changed = json.dumps(put(body, place, value)).encode()
                if (name, pointer) == TAKEN_FROM_THE_PATH:
                    continue
                if pointer not in await list_refused(service, request, changed):
                    taken.append((name, pointer, value))

    assert taken == [], "see StrictBody (app/web/parameters.py)"


async def list_refused(service: Service, request: httpx.Request, body: bytes) -> set[str]:
    """Send a request with another body; return the places that are refused for what they are."""
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    answer = await service.client.request(request.method, request.url, content=body, headers=headers)
    found = answer.json()["errors"] if answer.status_code == 422 else []
    return {each["pointer"] for each in found if each["code"] != "missing"}


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ({"comment": 7, "expected_revision": 1}, "/comment", "Must be a text."),
        ({"comment": "x", "expected_revision": "1"}, "/expected_revision", "Must be a whole number."),
    ],
)
async def test_refusals_say_what_is_expected(tmp_path: Path, body: object, pointer: str, detail: str) -> None:
    """In plain words, beside the place."""
    async with open_service(tmp_path) as service:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}", "If-Match": "1"}
        answer = await service.client.post("/admin/rulesets/any/publish", json=body, headers=headers)

    assert (answer.status_code, [(each["pointer"], each["detail"]) for each in answer.json()["errors"]]) == (
        422,
        [(pointer, detail)],
    )


async def test_texts_that_are_none_are_refused(tmp_path: Path) -> None:
    """Half a character can be written in JSON, but is no text."""
    async with open_service(tmp_path) as service:
        headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
        answer = await service.client.post("/admin/keys", content=b'{"label": "\\ud800"}', headers=headers)

    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (
        422,
        "The body is not JSON in UTF-8, or nested too deep.",
    )
