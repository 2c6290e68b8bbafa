"""What pages of this service have to know so that people sign in with their work account."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from app.auth.issuer import IssuerMetadata

__all__ = ["SignIn"]


class SignIn:
    """How a page signs people in: authorization code with PKCE (RFC 7636) at the issuer of the settings.

    The issuer's endpoints are known once its discovery document was read; until then OpenAPI names that document.
    """

    def __init__(self, *, issuer: str, client_id: str | None, scopes: Sequence[str]) -> None:
        self._issuer = issuer
        self.client_id = client_id
        """The public client of the pages; `None`: nobody can sign in on a page."""
        self.scopes = tuple(scopes)
        self._find: Callable[[], IssuerMetadata | None] = lambda: None

    @property
    def metadata(self) -> IssuerMetadata | None:
        """What the issuer says about itself; `None` until its discovery document was read."""
        return self._find()

    def learn_from(self, find: Callable[[], IssuerMetadata | None]) -> None:
        """Take the endpoints from there, once there are any."""
        self._find = find

    def list_origins(self) -> list[str]:
        """List what the content policy has to allow beside ourselves.

        The browser reads the discovery document at the issuer and fetches tokens at the endpoint it names, which may
        be another host.
        """
        metadata = self.metadata
        endpoint = None if metadata is None else metadata.token_endpoint
        parts = [urlsplit(url) for url in (self._issuer, endpoint) if url]
        return sorted({f"{part.scheme}://{part.netloc}" for part in parts})

    def describe_scheme(self) -> dict[str, Any]:
        """Return the Security Scheme Object (OpenAPI 3.1, section 4.8.27)."""
        metadata = self.metadata
        if metadata is None or metadata.authorization_endpoint is None or metadata.token_endpoint is None:
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            return {"type": "openIdConnect", "openIdConnectUrl": url}
        flow = {
            "authorizationUrl": metadata.authorization_endpoint,
            "tokenUrl": metadata.token_endpoint,
            "scopes": dict.fromkeys(self.scopes, ""),
        }
        return {
            "type": "oauth2",
            "description": "Sign in with your work account.",
            "flows": {"authorizationCode": flow},
        }

    def describe_client(self) -> dict[str, str] | None:
        """Tell a page what it needs to sign somebody in; `None` while that is not possible."""
        metadata = self.metadata
        if self.client_id is None or metadata is None:
            return None
        if metadata.authorization_endpoint is None or metadata.token_endpoint is None:
            return None
        return {
            "authorization_url": metadata.authorization_endpoint,
            "token_url": metadata.token_endpoint,
            "client_id": self.client_id,
            "scope": " ".join(self.scopes),
        }
