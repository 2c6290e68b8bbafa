"""Finds a user's API endpoint and exchanges a password for the secret key (Enreach contract, section 4.1)."""

from dataclasses import dataclass, field
from typing import Annotated

import httpx
from pydantic import Field, SecretStr

from app.enreach.addresses import check_base_url, join_path
from app.enreach.errors import EnreachNotFoundError
from app.enreach.rows import Rows, read_list, read_row, read_rows
from app.enreach.transmission import STANDARD_LIMITS, Answer, Limits, Request, send_once

__all__ = ["DISCOVERY_URL", "EnreachDiscovery", "EnreachKey", "Silo"]

DISCOVERY_URL = "https://discover.enreachvoice.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silo:
    """One Enreach installation a user belongs to."""

    api_endpoint: Annotated[str, Field(validation_alias="apiEndpoint", min_length=1)]
    """As it was told, perhaps with a trailing slash; `EnreachDiscovery.find_api_url` returns it checked."""
    name: Annotated[str | None, Field(validation_alias="siloName")] = None
    username: Annotated[str | None, Field(validation_alias="username")] = field(default=None, repr=False)
    ui_endpoint: Annotated[str | None, Field(validation_alias="uiEndpoint")] = None
    authority: Annotated[str | None, Field(validation_alias="authority")] = None
    """The OpenID Connect authority, where the user signs in with the organisation's identity provider."""
    authority_idp_hint: Annotated[str | None, Field(validation_alias="authorityIdPHint")] = None
    basic_auth_endpoint: Annotated[str | None, Field(validation_alias="basicAuthEndpoint")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnreachKey:
    """The secret key a password was exchanged for."""

    secret: Annotated[SecretStr, Field(validation_alias="SecretKey", min_length=1)]
    user_id: Annotated[str | None, Field(validation_alias="UserID")] = None


class EnreachDiscovery:
    """What is asked once, at set-up, before there is a client. Nothing here is ever sent twice."""

    def __init__(self, *, http: httpx.AsyncClient, url: str = DISCOVERY_URL, limits: Limits = STANDARD_LIMITS) -> None:
        """Keep `http` open for the life of this object; raises `EnreachNotConfiguredError` for an unusable URL."""
        self._http = http
        self._url = check_base_url(url)
        self._limits = limits

    async def list_silos(self, email: str) -> Rows[Silo]:
        """Return the installations that know this user; empty when none does. Raises `EnreachError`."""
        answer = await self._post(self._url, "/api/user", {"user": email})
        return read_rows(Silo, read_list(answer))

    async def find_api_url(self, email: str) -> str:
        """Return the API URL of the user's first installation, checked and without a trailing slash.

        Raises `EnreachNotFoundError` when there is none, and `EnreachError` otherwise.
        """
        silos = await self.list_silos(email)
        if not silos.rows:
            raise EnreachNotFoundError("POST /api/user: no installation knows this user")
        return check_base_url(silos.rows[0].api_endpoint)

    async def request_key(self, api_url: str, *, email: str, password: SecretStr) -> EnreachKey:
        """Exchange a password for the secret key; raises `EnreachUnauthorizedError` when it is wrong."""
        body = {"UserName": email, "Password": password.get_secret_value()}
        return read_row(EnreachKey, await self._post(check_base_url(api_url), "/authuser/{email}", body, email=email))

    async def _post(self, base_url: str, template: str, body: dict[str, str], **values: str) -> Answer:
        url = join_path(base_url, template, **values)
        return await send_once(self._http, Request(method="POST", url=url, template=template, body=body), self._limits)
