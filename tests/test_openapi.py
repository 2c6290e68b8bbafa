"""The OpenAPI document: fresh, complete, and true."""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

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


def test_operation_ids_are_short_and_unique() -> None:
    """An operation is called as its function; no two share a name, so that clients can be generated."""
    ids = Counter(operation["operationId"] for _, _, operation in OPERATIONS)

    assert [name for name, uses in ids.items() if uses > 1] == [], "rename the function of one of the routes"
    assert [name for name in ids if not re.fullmatch("[a-z][A-Za-z]{2,29}", name)] == [], "name the function shorter"


def test_a_name_of_a_schema_means_one_thing() -> None:
    """Generators name classes after schemas and their titles: each is one plain word, and stands for one schema."""
    schemas = DOCUMENT["components"]["schemas"]
    titles = Counter(schema.get("title", name) for name, schema in schemas.items())

    assert [name for name in schemas if "__" in name or "-" in name] == [], (
        "two classes share a name (rename one), or one is both read and shown (make two, or give every field a default)"
    )
    assert [title for title, uses in titles.items() if uses > 1] == [], "rename one of the classes"


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_preconditions_are_told(method: str, path: str, operation: dict[str, Any]) -> None:
    """Whoever may be told 428 sees that If-Match is required; where it may be left out, something else is new."""
    given = {each["name"].lower(): each for each in operation.get("parameters", []) if each["in"] == "header"}
    required = "if-match" in given and given["if-match"]["required"]

    assert not required or {"412", "428"} <= set(operation["responses"]), "add problems(412, 428) to the route"
    assert "428" not in operation["responses"] or "if-match" in given, f"{method} {path} needs IfMatchDep"


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_bodies_have_an_example(method: str, path: str, operation: dict[str, Any]) -> None:
    """A body that is sent can be tried as the document shows it, and fits its schema."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        examples = list_examples(content)
        assert examples, f"{method} {path} has no example: give its model json_schema_extra={{'examples': [...]}}"
        if media_type == "application/json":
            checker = Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]})
            assert [str(error) for example in examples for error in checker.iter_errors(example)] == []


def list_examples(content: dict[str, Any]) -> list[Any]:
    """List the examples of a media type, or else those of its schema."""
    schema = content["schema"]
    named = DOCUMENT["components"]["schemas"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    if "example" in content:
        return [content["example"]]
    examples = [each["value"] for each in content.get("examples", {}).values()]
    return examples or named.get("examples") or []


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_lists_have_one_shape(method: str, path: str, operation: dict[str, Any]) -> None:
    """A list is `items` and `next`, which is null on the last page."""
    for status, answer in operation["responses"].items():
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        named = DOCUMENT["components"]["schemas"].get(schema.get("$ref", "").split("/")[-1], schema)
        members = named.get("properties", {})
        assert named.get("type") != "array", f"{method} {path} {status}: answer WholeList[…] (app/web/parameters.py)"
        assert "items" not in members or "next" in members, f"{method} {path} {status}: add `next: str | None`"


def test_times_are_iso_8601() -> None:
    """What an answer calls a time is one with its date; no example is a number of seconds since the epoch."""
    times = {
        f"{name}.{member}": json.dumps(schema)
        for name, named in DOCUMENT["components"]["schemas"].items()
        for member, schema in named.get("properties", {}).items()
        if member.endswith("_at") or member in {"at", "since", "until", "moment", "last_used", "created", "updated"}
    }
    counted = re.findall(r": (\d{10,})[,}]", json.dumps(list_all_examples(DOCUMENT)))

    assert [name for name, schema in times.items() if '"format": "date' not in schema] == [], "show a ShownTime"
    assert len(times) > 40
    assert counted == []


def list_all_examples(node: Any) -> list[Any]:
    """List every example of the document, wherever it stands."""
    if isinstance(node, list):
        return [example for each in node for example in list_all_examples(each)]
    if not isinstance(node, dict):
        return []
    own = [node[name] for name in ("example", "examples", "value") if name in node]
    return own + [example for each in node.values() for example in list_all_examples(each)]


def test_document_is_openapi_3_1_for_others_as_well() -> None:
    """What tools insist on: words of 3.1 only, a server, and a security requirement, if empty, on every operation."""
    assert (DOCUMENT["openapi"], [server["url"] for server in DOCUMENT["servers"]]) == ("3.1.0", ["/"])
    assert "itemSchema" not in json.dumps(DOCUMENT)
    assert all("security" in operation for _, _, operation in OPERATIONS)


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
