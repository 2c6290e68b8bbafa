"""Builds responses with the headers every Dataverse answer carries (Dataverse contract, sections 1.2 and 5)."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import orjson
from starlette.responses import Response

from app.emulators.dataverse.errors import WireError

_JSON = "application/json; odata.metadata=minimal"


def answer_json(body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(body), status, headers, _JSON)


def answer_nothing(*, status: int = 204, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer without a body."""
    return Response(None, status, headers)


def answer_refusal(refusal: WireError) -> Response:
    """Return an error answer; one without a message has no body, as a 401 has."""
    if not refusal.message:
        return Response(None, refusal.status, refusal.headers)
    body = {"error": {"code": refusal.code, "message": refusal.message}}
    return answer_json(body, status=refusal.status, headers=refusal.headers)


def stamp(response: Response, *, affinity: str, secure: bool, applied: str, remaining: int) -> Response:
    """Add ids, the server-affinity cookie, the rate headers and the applied preferences."""
    request_id = str(uuid4())
    response.headers.update(
        {
            "OData-Version": "4.0",
            "x-ms-service-request-id": request_id,
            "REQ_ID": request_id,
            "x-ms-dop-hint": "4",
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(remaining),
            "x-ms-ratelimit-time-remaining-xrm-requests": "1,199.95",
        }
    )
    response.set_cookie("ARRAffinity", affinity, httponly=True, secure=secure, samesite=None)
    if applied:
        response.headers["Preference-Applied"] = applied
    return response
