"""The OpenAPI document: fresh, complete, and true."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.bootstrap.upstreams import Upstreams
from app.cli.openapi import write_openapi
from tests.support.document import read_document
from tests.support.service import ADMIN_KEY, WEBHOOK_KEY, Service, open_service

FILE = Path(__file__).parents[1] / "openapi.yaml"
METHODS = {"get", "put", "post", "delete", "patch"}
DOCUMENT = read_document()


def list_operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """List method, path and description of every operation."""
    for path, members in DOCUMENT["paths"].items():
        yield from ((method, path, operation) for method, operation in members.items() if method in METHODS)


OPERATIONS = list(list_operations())
SHARED = DOCUMENT["components"]["responses"]
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]
EXAMPLES = DOCUMENT["paths"]["/smartrouting"]["post"]["requestBody"]["content"]["application/json"]["examples"]


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Service]:
    """Serve the demo, whose examples are documented."""
    async with open_service(
        tmp_path, upstreams=Upstreams(), demo=True, dataverse={"url": None, "token": None}
    ) as opened:
        yield opened


def test_file_in_the_repository_is_fresh() -> None:
    """The document that is checked in is the one the code writes; `make openapi` brings it up to date."""
    assert FILE.read_text(encoding="utf-8") == write_openapi()


def test_operation_ids_are_unique() -> None:
    """No two operations share an id, so that clients can be generated."""
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]

    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_operation_says_what_it_is_for(method: str, path: str, operation: dict[str, Any]) -> None:
    """Every operation has a short summary and a group, and a good answer."""
    assert method in METHODS
    assert path.startswith("/")
    assert 3 < len(operation["summary"]) < 80
    assert operation["tags"]
    assert any(status.startswith(("2", "3")) for status in operation["responses"])


def test_shared_errors_are_problems_with_an_example_of_their_status() -> None:
    """What operations refer to has the one error body, and an example that fits."""
    kinds = {name: answer["content"]["application/problem+json"] for name, answer in SHARED.items()}

    assert {kind["schema"]["$ref"] for kind in kinds.values()} == {"#/components/schemas/Problem"}
    assert all(name == f"Problem{kind['example']['status']}" for name, kind in kinds.items())


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_operation_has_error_bodies(method: str, path: str, operation: dict[str, Any]) -> None:
    """Every error of every operation is a problem; whoever needs a credential is told of 401 and 403."""
    errors = {status: answer for status, answer in operation["responses"].items() if status[0] in "45"}
    shared = {status: {"$ref": f"#/components/responses/Problem{status}"} for status in errors}

    assert errors == shared, method
    if operation.get("security"):
        assert {"401", "403"} <= set(errors)
    if "parameters" in operation or "requestBody" in operation:
        assert set(errors) & {"404", "422"}
    assert not path.startswith("/admin") or operation.get("security")


def test_introduction_says_which_key_goes_where() -> None:
    """The document begins with both keys and the order of things, and describes exactly the groups there are."""
    text = DOCUMENT["info"]["description"]
    used = {tag for _, _, operation in OPERATIONS for tag in operation["tags"]}

    assert text.index("X-Benemen-APIKey") < text.index("Authorization: Bearer") < text.index("*Webhook*")
    assert {tag["name"] for tag in DOCUMENT["tags"]} == used
    assert all(tag["description"].endswith(".") for tag in DOCUMENT["tags"])


def test_nothing_of_the_framework_is_left() -> None:
    """No schema of an error body that is never sent is in the document, and every reference leads somewhere."""
    text = json.dumps(DOCUMENT)
    names = set(DOCUMENT["components"]["schemas"])
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}

    assert used <= names
    assert names & {"HTTPValidationError", "ValidationError"} == set()


@pytest.mark.parametrize("name", EXAMPLES)
async def test_examples_of_the_webhook_work(demo: Service, name: str) -> None:
    """Every documented call, posted to the demo, gets a documented answer."""
    answer = await demo.post(EXAMPLES[name]["value"], {"X-Benemen-APIKey": WEBHOOK_KEY})

    assert answer.status_code == (200 if name == "vip" else 204)
    assert str(answer.status_code) in DOCUMENT["paths"]["/smartrouting"]["post"]["responses"]


async def test_examples_of_bodies_are_accepted(demo: Service) -> None:
    """The examples of the simulation are answered, too."""
    schema = DOCUMENT["components"]["schemas"]["SimulationBody"]
    for example in schema["examples"]:
        assert (await demo.simulate(key=ADMIN_KEY, **example)).status_code == 200
