"""Problem details (RFC 9457): the shape of every error body, and its place in the OpenAPI document."""

import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.dataverse.errors import DataverseError, TimedOutError
from app.errors import (
    MAX_FINDINGS,
    AppError,
    BodyTooLargeError,
    ConflictError,
    Finding,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    PreconditionFailedError,
    PreconditionRequiredError,
    TooManyRequestsError,
    UnauthorizedError,
    format_message,
)
from app.observability.redaction import redact_text
from app.observability.requests import find_request
from app.store.errors import StoreUnavailableError

__all__ = [
    "MEDIA_TYPE",
    "Problem",
    "ProblemItem",
    "describe_problem",
    "make_error_response",
    "make_problem_response",
    "problems",
]

MEDIA_TYPE = "application/problem+json"
URN = "urn:smartrouting"
_USUAL = {
    error.status: (error.code, error.title)
    for error in (
        UnauthorizedError,
        ForbiddenError,
        NotFoundError,
        ConflictError,
        PreconditionFailedError,
        BodyTooLargeError,
        InvalidInputError,
        PreconditionRequiredError,
        TooManyRequestsError,
        DataverseError,
        StoreUnavailableError,
        TimedOutError,
    )
}
"""What stands for an error of each status in the OpenAPI document."""


_DETAILS = {
    401: "This key is not known.",
    403: "This needs the role Voice Admin User.",
    404: "There is no draft summer-hours.",
    405: "This path takes GET and PUT.",
    408: "The body did not arrive in time.",
    409: "Revision 7 was published meanwhile.",
    412: "Somebody changed it meanwhile; read it again.",
    413: "The body is larger than 64 KiB.",
    422: "The request does not have the form this endpoint accepts.",
    428: "Send If-Match with the ETag of what you read, so that no change gets lost.",
    429: "Too many requests of this kind run already; try again in 2 seconds.",
    502: "Dynamics refused the request.",
    503: "The database does not answer.",
    504: "Dynamics did not answer in time.",
}
"""What the example of each status tells."""
_FINDING = {"code": "missing", "pointer": "/comment", "detail": "Field required.", "severity": "error"}


class ProblemItem(BaseModel):
    """One thing that is wrong in what was sent."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(description="Machine word in kebab case.", examples=["unknown-fact"])
    pointer: str = Field(
        description="JSON pointer (RFC 6901) into the document that was sent; empty for all of it or for a parameter.",
        examples=["/rules/0/when/fact"],
    )
    detail: str = Field(description="What is wrong.", examples=["There is no fact caller.vipp."])
    hint: str | None = Field(default=None, description="What to do about it.", examples=["Did you mean caller.vip?"])
    rule: str | None = Field(default=None, description="The rule it concerns, if any.", examples=["vip"])
    severity: str = Field(default="error", description="`error` or `warning`.")


class Problem(BaseModel):
    """An error, as problem details (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="URI that names the kind of problem.", examples=[f"{URN}:problem:not-found"])
    title: str = Field(description="The kind of problem, for people.", examples=["Not found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str | None = Field(default=None, description="This occurrence, for people.")
    instance: str | None = Field(
        default=None, description="URN of the request; its identifier is in the log and in `X-Request-ID`."
    )
    errors: list[ProblemItem] = Field(default=[], description="What is wrong in the document, item by item.")


def make_problem_response(
    scope: Mapping[str, Any],
    *,
    status: int,
    code: str,
    title: str,
    detail: str | None = None,
    findings: Iterable[Finding] = (),
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Answer the request of this ASGI scope with a problem; texts are redacted as the log is.

    A sender that waits for leave to send its body (`Expect: 100-continue`) may or may not send it after a refusal, so
    that the connection ends (RFC 9110, section 10.1.1): what comes next must not be taken for a request.
    """
    request = find_request(dict(scope))
    problem = Problem(
        type=f"{URN}:problem:{code}",
        title=title,
        status=status,
        detail=format_message(redact_text(detail)) if detail else None,
        instance=f"{URN}:request:{request.request_id}" if request else None,
        errors=[_present(finding) for finding in islice(findings, MAX_FINDINGS)],
    )
    body = problem.model_dump_json(exclude_none=True, exclude=None if problem.errors else {"errors"})
    closing = {"Connection": "close"} if any(name == b"expect" for name, _ in scope["headers"]) else {}
    return Response(body, status_code=status, headers=dict(headers) | closing, media_type=MEDIA_TYPE)


def make_error_response(scope: Mapping[str, Any], error: AppError, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Answer the request of this ASGI scope with an error as a problem, and with its own headers and these."""
    later = {} if error.retry_after is None else {"Retry-After": str(math.ceil(error.retry_after))}
    return make_problem_response(
        scope,
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        findings=error.findings,
        headers=(*error.headers.items(), *later.items(), *headers),
    )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe error answers for the `responses=` of a route: `responses=problems(401, 403, 404)`."""
    return {status: describe_problem(status) for status in statuses}


def describe_problem(status: int) -> dict[str, Any]:
    """Describe one error answer as an OpenAPI Response Object."""
    phrase = HTTPStatus(status).phrase
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": phrase, "content": {MEDIA_TYPE: {"schema": schema, "example": _make_example(status)}}}


def _make_example(status: int) -> dict[str, object]:
    phrase = HTTPStatus(status).phrase
    code, title = _USUAL.get(status, (phrase.casefold().replace(" ", "-"), phrase.capitalize()))
    detail = _DETAILS.get(status, phrase)
    problem = {"type": f"{URN}:problem:{code}", "title": title, "status": status, "detail": detail}
    return problem | ({"errors": [_FINDING]} if status == InvalidInputError.status else {})


def _present(finding: Finding) -> ProblemItem:
    return ProblemItem(
        code=finding.code,
        pointer=finding.pointer,
        detail=format_message(redact_text(finding.message)),
        hint=format_message(redact_text(finding.hint)) or None,
        rule=finding.rule,
        severity=finding.severity,
    )
