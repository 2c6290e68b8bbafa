"""Who may use the emulated API: HTTP Basic with e-mail and secret key, and what a password is worth."""

import base64
import binascii
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.emulators.enreach.tables import Row, Tables

__all__ = ["Endpoint", "discover", "exchange_password", "find_user", "refuse", "require_key"]

Endpoint = Callable[[Request], Awaitable[Response]]


def refuse(status: int, message: str) -> JSONResponse:
    """Answer with an error; only its status is contract."""
    headers = {"WWW-Authenticate": "Basic"} if status == 401 else None  # noqa: PLR2004 - the status of RFC 9110
    return JSONResponse({"Message": message}, status_code=status, headers=headers)


def find_user(tables: Tables, name: str) -> Row | None:
    """Return the user of this name, which counts in any case."""
    return _find(tables["users"], name)


def require_key(endpoint: Endpoint) -> Endpoint:
    """Let only requests with a right e-mail and secret key through."""

    async def guarded(request: Request) -> Response:
        name, secret = _read_basic(request.headers.get("authorization", ""))
        credential = _find(request.app.state.tables["credentials"], name)
        if not secret or credential is None or credential["SecretKey"] != secret:
            return refuse(401, "Unauthorized")
        request.state.user_name = credential["UserName"]
        return await endpoint(request)

    return guarded


async def exchange_password(request: Request) -> Response:
    """Give the secret key for the password: `POST /authuser/{email}`."""
    tables: Tables = request.app.state.tables
    body = await _read_object(request)
    name = body.get("UserName")
    credential = _find(tables["credentials"], request.path_params["email"])
    if credential is None or name != request.path_params["email"] or body.get("Password") != credential["Password"]:
        return refuse(401, "Unauthorized")
    user = find_user(tables, credential["UserName"])
    return JSONResponse({"SecretKey": credential["SecretKey"], "UserID": user["Id"] if user else None})


async def discover(request: Request) -> Response:
    """Say where a user's API is: `POST /api/user`, or the older `GET /api/user?user=`."""
    body = await _read_object(request) if request.method == "POST" else dict(request.query_params)
    name = body.get("user")
    if not isinstance(name, str):
        return refuse(400, "user is required")
    if find_user(request.app.state.tables, name) is None:
        return JSONResponse([])
    here = str(request.base_url)
    silo = {
        "siloName": "emulated",
        "username": name,
        "apiEndpoint": here,
        "uiEndpoint": here,
        "authority": None,
        "authorityIdPHint": None,
        "basicAuthEndpoint": here,
    }
    return JSONResponse([silo])


def _find(rows: list[Row], name: str) -> Row | None:
    return next((row for row in rows if row["UserName"].casefold() == name.casefold()), None)


def _read_basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    name, _, secret = decoded.partition(":")
    return (name, secret) if scheme.casefold() == "basic" else ("", "")


async def _read_object(request: Request) -> Row:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
