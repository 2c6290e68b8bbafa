"""What a request to the emulated Dataverse is about, and how Dataverse and Entra word the errors faults ask for."""

import json
from urllib.parse import unquote_plus
from uuid import uuid4

from starlette.responses import Response
from starlette.types import Scope

from app.emulators.fault_control import CONTROL_ROOT
from app.emulators.faults import ErrorAnswer, FaultKind, Faults, Traffic

API_ROOT = "/api/data/v9.2"

_DATAVERSE = {
    403: ("0x80040220", "Principal user is missing prvRead privilege."),
    429: ("0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds."),
    500: ("0x80040216", "An unexpected error occurred."),
    503: ("0x80044150", "The service is unavailable."),
}
_ENTRA = {
    401: ("invalid_client", 7000215, "Invalid client secret provided."),
    429: ("temporarily_unavailable", 90055, "The server is overloaded."),
    503: ("temporarily_unavailable", 90033, "A transient error has occurred. Please try again."),
}


def describe_traffic(scope: Scope) -> Traffic | None:
    """Return what a request is about; None for the control endpoints."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    if path.startswith(CONTROL_ROOT):
        return None
    text = f"{path}?{unquote_plus(scope['query_string'].decode('latin-1'))}"
    if not path.startswith(API_ROOT):
        return Traffic(at="token", table=None, text=text)
    return _describe(path, text)


def find_status(faults: Faults, path: str, raw_query: str) -> Response | None:
    """Return the error that a fault gives one request of a batch; other kinds of faults hit whole batches only."""
    traffic = _describe(path, f"{path}?{unquote_plus(raw_query)}")
    fault = faults.take(traffic, kinds={FaultKind.STATUS}, named=True)
    if fault is None:
        return None
    answer = word_error(fault.status, traffic)
    waiting = {} if fault.retry_after_s is None else {"retry-after": str(fault.retry_after_s)}
    return Response(answer.body, fault.status, answer.headers | waiting)


def _describe(path: str, text: str) -> Traffic:
    table = path.removeprefix(API_ROOT).strip("/").partition("/")[0].partition("(")[0]
    return Traffic(at="api", table=table, text=text)


def word_error(status: int, traffic: Traffic) -> ErrorAnswer:
    """Return the body and headers that go with an error status."""
    if traffic.at == "token":
        error, number, message = _ENTRA.get(status, ("server_error", 90033, "A transient error has occurred."))
        body: object = {"error": error, "error_description": f"AADSTS{number}: {message}", "error_codes": [number]}
    elif status == 401:  # noqa: PLR2004 - HTTP status
        return ErrorAnswer({"www-authenticate": 'Bearer error="invalid_token"'} | _ids(), b"")
    else:
        code, message = _DATAVERSE.get(status, ("0x0", "An error occurred."))
        body = {"error": {"code": code, "message": message}}
    return ErrorAnswer({"content-type": "application/json"} | _ids(), json.dumps(body).encode())


def _ids() -> dict[str, str]:
    return {"x-ms-service-request-id": str(uuid4())}
