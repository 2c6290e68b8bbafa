"""The interface as Swagger 2.0, which custom connectors of Power Platform are made of."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["make_connector"]

Document = dict[str, Any]
_METHODS = ("get", "put", "post", "delete", "patch")
_KEPT = frozenset(
    {"title", "description", "format", "enum", "default", "pattern", "required", "uniqueItems", "multipleOf"}
    | {f"{end}{what}" for end in ("min", "max") for what in ("imum", "Length", "Items", "Properties")}
)
"""Words that JSON Schema and Swagger 2.0 share."""
_PREFIX = "/admin/"
_SECURITY = {"key": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Bearer, and a key."}}


def make_connector(document: Document, *, host: str) -> Document:
    """Make the connector of the operations of administrators, for the service at `host`, which speaks https.

    What Swagger 2.0 cannot say (one of several types, patterns of names) is left open: the service judges it anyway.
    """
    paths = {
        path: {
            method: _convert_operation(operation, members.get("parameters", []), document)
            for method, operation in members.items()
            if method in _METHODS
        }
        for path, members in document["paths"].items()
        if path.startswith(_PREFIX)
    }
    info = {name: document["info"][name] for name in ("title", "version")}
    connector = {
        "swagger": "2.0",
        "info": {**info, "description": document["info"]["summary"]},
        "host": host,
        "basePath": "/",
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": _SECURITY,
        "security": [{"key": []}],
        "paths": paths,
        "definitions": {},
    }
    connector["definitions"] = _collect(connector, document["components"]["schemas"])
    return connector


def _convert_operation(operation: Document, shared: list[Document], document: Document) -> Document:
    content = operation.get("requestBody", {}).get("content", {})
    parameters = [_convert_parameter(each) for each in [*shared, *operation.get("parameters", [])]]
    converted: Document = {
        "operationId": operation["operationId"],
        "summary": operation["summary"],
        "description": operation.get("description", operation["summary"]),
        "tags": operation["tags"],
        "parameters": parameters,
        "responses": {
            status: _convert_answer(_follow(answer, document)) for status, answer in operation["responses"].items()
        },
    }
    if content:
        media_type = "application/json" if "application/json" in content else next(iter(content))
        schema = convert_schema(content[media_type].get("schema", {}))
        required = operation["requestBody"].get("required", False)
        parameters.append({"name": "body", "in": "body", "required": required, "schema": schema})
        converted["consumes"] = [media_type]
    return converted


def _convert_parameter(parameter: Document) -> Document:
    schema = convert_schema(parameter.get("schema", {}))
    kept = {name: value for name, value in schema.items() if name not in {"title", "x-nullable", "required"}}
    if kept.get("type") not in {"string", "integer", "number", "boolean", "array"}:
        kept = {"type": "string"}
    if kept["type"] == "array":
        kept.setdefault("items", {"type": "string"})
        kept["collectionFormat"] = "multi"
    described = {"description": parameter["description"]} if "description" in parameter else {}
    place = {"name": parameter["name"], "in": parameter["in"], "required": parameter.get("required", False)}
    return {**kept, **described, **place}


def _convert_answer(answer: Document) -> Document:
    content = answer.get("content", {})
    schema = next((each.get("schema") for name, each in content.items() if "json" in name), None)
    return {"description": answer["description"]} | ({} if schema is None else {"schema": convert_schema(schema)})


def convert_schema(schema: object) -> Document:
    """Convert a JSON Schema, as far as Swagger 2.0 can say it."""
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/components/schemas/", "#/definitions/")}
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return _choose(schema, [each for each in alternatives if each.get("type") != "null"])
    converted = _leave_null({name: value for name, value in schema.items() if name in _KEPT})
    if isinstance(schema.get("type"), str):
        converted["type"] = schema["type"]
    if "const" in schema:
        converted["enum"] = [schema["const"]]
    for name, kind in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if name in schema:
            converted |= {kind: schema[name], name: True}
    return converted | _convert_inside(schema)


def _convert_inside(schema: Document) -> Document:
    """Convert the schemas of members and items."""
    converted: Document = {}
    if "properties" in schema:
        converted["properties"] = {name: convert_schema(each) for name, each in schema["properties"].items()}
    if schema.get("type") == "array":
        converted["items"] = convert_schema(schema.get("items", {}))
    if isinstance(schema.get("additionalProperties"), dict):
        converted["additionalProperties"] = convert_schema(schema["additionalProperties"])
    return converted


def _choose(schema: Document, alternatives: list[Document]) -> Document:
    """Convert a value of one of several types: the only one that is not null, or any value."""
    described = {name: value for name, value in schema.items() if name in {"title", "description", "default"}}
    if len(alternatives) != 1:
        return _leave_null(described)
    converted = convert_schema(alternatives[0])
    return converted if "$ref" in converted else {**converted, **_leave_null(described), "x-nullable": True}


def _leave_null(schema: Mapping[str, Any]) -> Document:
    return {name: value for name, value in schema.items() if not (name == "default" and value is None)}


def _follow(node: Document, document: Document) -> Document:
    """Follow a reference to an answer that many operations share."""
    if "$ref" not in node:
        return node
    found: Document = document["components"]["responses"][node["$ref"].rpartition("/")[2]]
    return found


def _collect(connector: Document, schemas: Document) -> Document:
    """Convert the schemas that are referred to, and those that they refer to."""
    found: Document = {}
    waiting = set(_list_references(connector))
    while waiting:
        name = waiting.pop()
        found[name] = convert_schema(schemas[name])
        waiting |= set(_list_references(found[name])) - found.keys()
    return dict(sorted(found.items()))


def _list_references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for value in node.values():
            yield from _list_references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _list_references(value)
