"""What somebody does who presses one operation of the document after the other."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from tests.support.document import read_document
from tests.support.service import ADMIN_KEY, WEBHOOK_KEY, Service, wait_for

__all__ = ["DOCUMENT", "Presser", "read_example"]

DOCUMENT = read_document()
NOTHING: Mapping[str, str] = {}
KEYS = {"X-Benemen-APIKey": WEBHOOK_KEY, "Authorization": f"Bearer {ADMIN_KEY}"}
ENDLESS = "followDecisions"
"""Its answer has no end."""


class Presser:
    """Presses operations, with the examples of the document and what earlier answers said."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._answers: dict[str, httpx.Response] = {}
        self._links = read_links()
        self._operations = {
            operation["operationId"]: (method, path, operation)
            for path, members in DOCUMENT["paths"].items()
            for method, operation in members.items()
        }

    async def press_all(self) -> list[str]:
        """Press each operation, those that failed once more, and what takes something away last; return what fails."""
        making = [name for name, (method, _, _) in self._operations.items() if method != "delete" and name != ENDLESS]
        removing = [name for name, (method, _, _) in self._operations.items() if method == "delete"]
        await self.press("routeCall")
        await wait_for(self._read_decision)
        failed: list[str] = []
        for names in (making, removing):
            first = [name for name in names if not await self._succeeds(name)]
            failed += [name for name in first if not await self._succeeds(name)]
        return failed

    async def _read_decision(self) -> object:
        return (await self.press("listDecisions")).json()["items"] or None

    async def _succeeds(self, name: str) -> bool:
        try:
            return (await self.press(name)).is_success
        except LookupError:  # what it links to has nothing to tell yet
            return False

    async def press(self, name: str, known: Mapping[str, str] = NOTHING) -> httpx.Response:
        """Press one operation; `known` are values of its parameters."""
        self._answers[name] = answer = await self._service.client.send(await self.make_request(name, known))
        return answer

    async def make_request(self, name: str, known: Mapping[str, str] = NOTHING) -> httpx.Request:
        """Make the request of an operation as its example shows it."""
        method, path, operation = self._operations[name]
        filled: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
        for parameter in operation.get("parameters", []):
            value = known.get(parameter["name"]) or await self.find(name, parameter, filled["path"])
            if value is not None:
                filled[parameter["in"]][parameter["name"]] = value
        content = operation.get("requestBody", {}).get("content", {})
        media, body = next(((media, read_example(each)) for media, each in content.items()), (None, None))
        data = None if media is None else body if media == "text/csv" else json.dumps(body)
        headers = {**KEYS, **filled["header"], **({} if media is None else {"Content-Type": media})}
        url = path.format_map(filled["path"])
        return self._service.client.build_request(method, url, params=filled["query"], content=data, headers=headers)

    async def find(self, operation: str, parameter: dict[str, Any], path: dict[str, str]) -> str | None:
        """Find the value of a parameter; `None` for one that may be left out."""
        link = self._links.get((operation, parameter["name"]))
        if link is not None:
            source, expression = link
            if expression.startswith("$response.header"):
                self._answers[source] = await self.press(source, path)
            elif source not in self._answers or source == "createDraft":
                await self.press(source)
            return str(evaluate(expression, self._answers[source]))
        if not parameter.get("required"):
            return None
        for each in parameter.get("examples", {}).values():
            return str(each["value"])
        schema = parameter["schema"]
        found = parameter.get("example", (schema.get("examples") or schema.get("enum") or [schema.get("example")])[0])
        if found is None:
            raise LookupError(f"{operation}: {parameter['name']} has neither example nor link")
        return str(found)


def read_links() -> dict[tuple[str, str], tuple[str, str]]:
    """Read which operation's answer tells the value of a parameter of another."""
    return {
        (link["operationId"], name.partition(".")[2]): (operation["operationId"], expression)
        for members in DOCUMENT["paths"].values()
        for operation in members.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
        for name, expression in link["parameters"].items()
    }


def evaluate(expression: str, answer: httpx.Response) -> object:
    """Evaluate a runtime expression of OpenAPI on an answer."""
    place, _, pointer = expression.removeprefix("$response.").partition("#")
    if place.startswith("header."):
        return answer.headers[place.removeprefix("header.")]
    node: Any = answer.json()
    for step in pointer.split("/")[1:]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def read_example(content: dict[str, Any]) -> Any:
    """Return the first example of a body."""
    if "example" in content:
        return content["example"]
    for each in content.get("examples", {}).values():
        return each["value"]
    schema = content["schema"]
    named = DOCUMENT["components"]["schemas"][schema["$ref"].split("/")[-1]] if "$ref" in schema else schema
    return named["examples"][0]
