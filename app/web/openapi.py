"""FastAPI's OpenAPI document, completed with an introduction, real error bodies, more schemas and roles in words."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from app.web.problems import MEDIA_TYPE, Problem, describe_problem

__all__ = ["DESCRIPTION", "TAGS", "complete_openapi"]

Document = dict[str, Any]
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_INVENTED = ("HTTPValidationError", "ValidationError")
"""Schemas of FastAPI's own error body, which this service never sends."""
_KEY = "AdministratorToken"
_SIGN_IN = "SignIn"

DESCRIPTION = """\
**Two kinds of keys**, both entered at *Authorize*; `make run` prints one of each.

- The queue's key opens `POST /smartrouting` only: header `X-Benemen-APIKey`, or HTTP Basic.
- An administrator's key, or access token, opens everything under `/admin`: `Authorization: Bearer`.

**What to try, in this order**

1. *Webhook*: send the example as it is. 200 tells the queue where the call goes, 204 to leave it where it is.
2. *Decisions*: list the calls that were answered, and ask for one by its id to see why.
3. *Rules*: simulate a call that nobody made, with a caller of your choice.
4. *Rulesets*: make a draft of `current`, change it, check it, replay yesterday's calls, publish it, roll it back.
5. *Users*: find one and see what is missing, enable them, update the Enreach ids, disable them again.

Every error is a problem (RFC 9457): `type` for programs, `detail` for people, `errors` for each thing that is wrong.
"""

TAGS = [
    {"name": "Webhook", "description": "What the Enreach queue calls. Needs the queue's key."},
    {"name": "Decisions", "description": "What was answered to which call, and why."},
    {"name": "Rules", "description": "A call that nobody made: decision, answer and trace."},
    {"name": "Rulesets", "description": "Drafts, checks, publishing, revisions, shadows and calendars."},
    {"name": "Replays", "description": "What a ruleset would have done with calls of the past."},
    {
        "name": "Users",
        "description": "Who may use Voice, and what is missing for those who may not yet.",
    },
    {"name": "Enterprise Calls", "description": "Calls on mobiles and in Teams as activities, and why one is none."},
    {"name": "Settings", "description": "What administrators set while the service runs, with its history."},
    {"name": "Access", "description": "Keys, sign-in, your own readiness, and the audit of what administrators did."},
    {"name": "Events", "description": "What happens in the phone client, and the plugins that run then."},
    {"name": "Jobs", "description": "Work on many users, and how far it is."},
    {"name": "Operations", "description": "Alerts, fire drills, credentials of the webhook, and personal data."},
    {"name": "Probes", "description": "For monitoring; needs no key."},
]
"""The groups in the order of Swagger UI."""


def complete_openapi(
    app: FastAPI, *, models: Sequence[type[BaseModel]] = (), describe_sign_in: Callable[[], Document] | None = None
) -> None:
    """Make `app.openapi()` say that errors are problem details, which role an operation needs, and how to sign in.

    `models` are bodies that operations refer to by name because they read them themselves. `describe_sign_in` gives
    the Security Scheme Object of access tokens, which may change while the service runs.
    """
    write = app.openapi

    def openapi() -> Document:
        is_new = app.openapi_schema is None
        document = write()
        if is_new:
            _complete(document, models)
        if describe_sign_in is not None:
            document["components"].setdefault("securitySchemes", {})[_SIGN_IN] = describe_sign_in()
            if is_new:
                _offer_sign_in(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI documents it


def _complete(document: Document, models: Sequence[type[BaseModel]]) -> None:
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
            needs = f"Needs the role {' and '.join(roles)}."
            operation["description"] = f"{operation.get('description', '')}\n\n{needs}".strip()
        _share_problems(responses, document["components"].setdefault("responses", {}))
    for name in _INVENTED:
        schemas.pop(name, None)


def _share_problems(responses: Document, shared: Document) -> None:
    """Write each problem once for the whole document, and refer to it."""
    for status, answer in responses.items():
        if MEDIA_TYPE in answer.get("content", {}):
            shared[f"Problem{status}"] = answer
            responses[status] = {"$ref": f"#/components/responses/Problem{status}"}


def _offer_sign_in(document: Document) -> None:
    """Let an access token stand wherever an administrator's key does; its roles are claims, not scopes."""
    for operation in _list_operations(document):
        alternatives = operation.get("security", [])
        if any(_KEY in each for each in alternatives):
            alternatives.append({_SIGN_IN: []})


def _list_operations(document: Document) -> Iterator[Document]:
    for path in document.get("paths", {}).values():
        yield from (operation for method, operation in path.items() if method in _METHODS)
