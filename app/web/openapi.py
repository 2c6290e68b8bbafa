"""Completes the OpenAPI document FastAPI writes: real error bodies, more schemas, who may call what in words."""

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from app.web.problems import MEDIA_TYPE, Problem, describe_problem
from app.web.sign_in import SCHEME, SignIn

__all__ = ["complete_openapi"]

Document = dict[str, Any]
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_INVENTED = ("HTTPValidationError", "ValidationError")
"""Schemas of FastAPI's own error body, which this service never sends."""


def complete_openapi(app: FastAPI, *, models: Sequence[type[BaseModel]] = (), sign_in: SignIn | None = None) -> None:
    """Make `app.openapi()` say that errors are problem details, which role an operation needs, and how to sign in.

    `models` are bodies that operations refer to by name because they read them themselves.
    """
    write = app.openapi

    def openapi() -> Document:
        document = _complete(write(), models)
        return document if sign_in is None else _offer_sign_in(document, sign_in)

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI documents it


def _complete(document: Document, models: Sequence[type[BaseModel]]) -> Document:
    """Complete the document in place; doing it again changes nothing."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Problem, "serialization")]
    wanted.extend((model, "validation") for model in models)
    _, more = models_json_schema(wanted, ref_template="#/components/schemas/{model}")
    schemas.update(more["$defs"])
    for operation in _list_operations(document):
        responses = operation.setdefault("responses", {})
        if "HTTPValidationError" in str(responses.get("422")):
            responses["422"] = describe_problem(422)
        if roles := [role for needed in operation.get("security", []) for role in next(iter(needed.values()), [])]:
            responses.setdefault("401", describe_problem(401))
            responses.setdefault("403", describe_problem(403))
            _tell_roles(operation, roles)
        _share_problems(responses, document["components"].setdefault("responses", {}))
    for name in _INVENTED:
        schemas.pop(name, None)
    return document


def _share_problems(responses: Document, shared: Document) -> None:
    """Write each problem once for the whole document, and refer to it."""
    for status, answer in responses.items():
        if MEDIA_TYPE in answer.get("content", {}):
            shared[f"Problem{status}"] = answer
            responses[status] = {"$ref": f"#/components/responses/Problem{status}"}


def _offer_sign_in(document: Document, sign_in: SignIn) -> Document:
    """Let an access token stand wherever an administrator's key does; its roles are claims, not scopes."""
    document["components"].setdefault("securitySchemes", {})[SCHEME] = sign_in.describe_scheme()
    for operation in _list_operations(document):
        alternatives = operation.get("security", [])
        if any("AdministratorToken" in each for each in alternatives) and {SCHEME: []} not in alternatives:
            alternatives.append({SCHEME: []})
    return document


def _list_operations(document: Document) -> Iterator[Document]:
    for path in document.get("paths", {}).values():
        yield from (operation for method, operation in path.items() if method in _METHODS)


def _tell_roles(operation: Document, roles: list[str]) -> None:
    sentence = f"Needs the role {' and '.join(roles)}."
    description = operation.get("description", "")
    if sentence not in description:
        operation["description"] = f"{description}\n\n{sentence}".strip()
