"""Reads the secrets and certificates of app registrations from Microsoft Graph (Dataverse contract, section 8)."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from app.errors import AppError

__all__ = ["Application", "ApplicationCredential", "GraphClient", "GraphError"]

_SELECT: Final = "appId,displayName,passwordCredentials,keyCredentials"
_SECONDS: Final = 10.0
"""For one request, from the first byte sent to the last byte read."""
_GRANT: Final = (
    "grant the app registration that this service signs in with the application permission Application.Read.All of "
    "Microsoft Graph (Entra ID, App registrations, API permissions, then Grant admin consent), or enter the days by "
    "hand"
)
_LATER: Final = "nothing: it is asked again within the hour"
_REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    401: ("Microsoft Graph does not accept the token", "check SMARTROUTING_GRAPH__URL: each cloud has its own"),
    403: ("Microsoft Graph does not let this service read app registrations", _GRANT),
    429: ("Microsoft Graph asks to slow down", _LATER),
}


class GraphError(AppError):
    """Microsoft Graph did not tell; the message says why, and `remedy` what to do. Neither repeats what it sent."""

    status = 502
    code = "graph-error"
    title = "Microsoft Graph failed"

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationCredential:
    """A client secret or certificate of an application."""

    key_id: str
    name: str | None
    """Its description in Entra ID."""
    kind: Literal["secret", "certificate"]
    starts_at: datetime | None
    expires_at: datetime | None
    """`None`: never."""
    hint: str | None = field(default=None, repr=False)
    """The first characters of a secret: to compare with, never to show or to keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An app registration as its tenant has it."""

    application_id: str
    name: str
    credentials: tuple[ApplicationCredential, ...]


class _WireCredential(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    key_id: str = Field(alias="keyId")
    name: str | None = Field(default=None, alias="displayName")
    starts_at: AwareDatetime | None = Field(default=None, alias="startDateTime")
    expires_at: AwareDatetime | None = Field(default=None, alias="endDateTime")
    hint: str | None = None


class _WireApplication(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    application_id: str = Field(alias="appId")
    name: str | None = Field(default=None, alias="displayName")
    secrets: tuple[_WireCredential, ...] = Field(default=(), alias="passwordCredentials")
    certificates: tuple[_WireCredential, ...] = Field(default=(), alias="keyCredentials")


class GraphClient:
    """Asks one tenant about its app registrations, one after the other: nobody waits for it, and Graph counts."""

    def __init__(self, *, http: httpx.AsyncClient, url: str, fetch_token: Callable[[], Awaitable[str]]) -> None:
        """Keep `http` open for the client's life; `fetch_token` obtains a new token, and raises AppError."""
        self._http = http
        self._url = url
        self._fetch_token = fetch_token

    async def read_applications(self, application_ids: Collection[str]) -> dict[str, Application | None]:
        """Read some by their application (client) ids; `None` stands for one that the tenant does not have.

        The token is a new one each time, since a permission counts from the next token on. Raises GraphError, and
        what obtaining the token raises.
        """
        token = await self._fetch_token()
        return {each: await self._read_one(each, token) for each in application_ids}

    async def _read_one(self, application_id: str, token: str) -> Application | None:
        url = f"{self._url}/v1.0/applications(appId='{application_id}')"
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        try:
            async with asyncio.timeout(_SECONDS):
                response = await self._http.get(url, params={"$select": _SELECT}, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise GraphError(f"Microsoft Graph does not answer ({type(error).__name__})", _LATER) from error
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.status_code != httpx.codes.OK:
            usual = (f"Microsoft Graph answered {response.status_code}", _LATER)
            raise GraphError(*_REFUSALS.get(response.status_code, usual))
        try:
            return _translate(_WireApplication.model_validate_json(response.content))
        except ValidationError:
            # It quotes what it refuses, so it is no cause to carry along.
            remedy = "check that SMARTROUTING_GRAPH__URL leads to Microsoft Graph"
            raise GraphError("the answer of Microsoft Graph cannot be read", remedy) from None


def _translate(application: _WireApplication) -> Application:
    secrets = [ApplicationCredential(**each.model_dump(), kind="secret") for each in application.secrets]
    certificates = [ApplicationCredential(**each.model_dump(), kind="certificate") for each in application.certificates]
    return Application(
        application_id=application.application_id,
        name=application.name or "",
        credentials=(*secrets, *certificates),
    )
