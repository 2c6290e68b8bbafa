"""How Swagger UI signs a person in: authorization code with PKCE (RFC 7636) at the issuer of the settings."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from app.auth.issuer import IssuerMetadata

__all__ = ["SCHEME", "SignIn"]

SCHEME: Final = "SignIn"


class SignIn:
    """Describes it to OpenAPI and to Swagger UI.

    The issuer's endpoints are known once its discovery document was read; until then OpenAPI names that document.
    """

    def __init__(self, *, issuer: str, client_id: str | None, scopes: Sequence[str]) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._scopes = tuple(scopes)
        self._find: Callable[[], IssuerMetadata | None] = lambda: None

    def learn_from(self, find: Callable[[], IssuerMetadata | None]) -> None:
        """Take the endpoints from there, once there are any."""
        self._find = find

    def list_origins(self) -> list[str]:
        """List what the content policy has to allow beside ourselves.

        The browser reads the discovery document at the issuer and fetches tokens at the endpoint it names, which may
        be another host.
        """
        metadata = self._find()
        endpoint = None if metadata is None else metadata.token_endpoint
        parts = [urlsplit(url) for url in (self._issuer, endpoint) if url]
        return sorted({f"{part.scheme}://{part.netloc}" for part in parts})

    def describe_scheme(self) -> dict[str, Any]:
        """Return the Security Scheme Object (OpenAPI 3.1, section 4.8.27)."""
        metadata = self._find()
        if metadata is None or metadata.authorization_endpoint is None or metadata.token_endpoint is None:
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            return {"type": "openIdConnect", "openIdConnectUrl": url}
        flow = {
            "authorizationUrl": metadata.authorization_endpoint,
            "tokenUrl": metadata.token_endpoint,
            "scopes": dict.fromkeys(self._scopes, ""),
        }
        return {
            "type": "oauth2",
            "description": "Sign in with your work account.",
            "flows": {"authorizationCode": flow},
        }

    def write_start(self) -> str:
        """Write what Swagger UI is told after its start."""
        if self._client_id is None:
            return ""
        options = {
            "clientId": self._client_id,
            "scopes": " ".join(self._scopes),
            "usePkceWithAuthorizationCodeGrant": True,
        }
        return f"ui.initOAuth({json.dumps(options)});\n"
