"""A token endpoint that answers as Microsoft Entra does, and the tokens it signs (contract, section 6.1)."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

import jwt

from app.emulators.dataverse.clock import Clock

Answer = tuple[int, dict[str, Any]]
FindSecrets = Callable[[str], Mapping[str, datetime | None] | None]
"""Tells the secrets of a client and when each ends, `None` for never; `None` for a client that nobody knows."""
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenIssuer:
    """Grants tokens to known clients and recognises its own.

    The signing key is drawn at construction, so a token of one emulator means nothing to another.
    """

    def __init__(self, *, tenant_id: str, find_secrets: FindSecrets, lifetime_s: int, clock: Clock) -> None:
        self.tenant_id = tenant_id
        self._find_secrets = find_secrets
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def grant(self, tenant: str, form: Mapping[str, str]) -> Answer:
        """Answer a client credentials request: status and JSON body, a grant or an AADSTS error."""
        refusal = self._refuse(tenant, form)
        if refusal is not None:
            return refusal
        token = self.issue(form["client_id"], audience=form["scope"].removesuffix("/.default"))
        seconds = self._lifetime_s
        body = {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
        return 200, body

    def issue(self, client_id: str, *, audience: str = "") -> str:
        """Return a token for a client, known or not, valid for `lifetime_s` from now."""
        now = int(self._clock().timestamp())
        claims = {"aud": audience, "appid": client_id, "tid": self.tenant_id, "iat": now, "jti": str(uuid4())}
        return jwt.encode({**claims, "exp": now + self._lifetime_s}, self._key, algorithm="HS256")

    def identify(self, token: str) -> str | None:
        """Return the client a token was issued to; None when it is foreign, damaged or expired."""
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                options={"verify_exp": False, "verify_aud": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return None
        return claims["appid"] if claims["exp"] > self._clock().timestamp() else None

    def _refuse(self, tenant: str, form: Mapping[str, str]) -> Answer | None:
        client_id = form.get("client_id", "")
        if tenant != self.tenant_id:
            return self._error(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form.get("grant_type") != "client_credentials":
            return self._error(400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        if not form.get("scope", "").endswith("/.default"):
            return self._error(400, "invalid_scope", 70011, "The provided value for scope is not valid.")
        known = self._find_secrets(client_id)
        if known is None:
            message = f"Application with identifier '{client_id}' was not found in the directory."
            return self._error(400, "unauthorized_client", 700016, message)
        return self._refuse_proof(client_id, known, form)

    def _refuse_proof(
        self, client_id: str, known: Mapping[str, datetime | None], form: Mapping[str, str]
    ) -> Answer | None:
        if form.get("client_assertion_type") == _ASSERTION:
            return self._refuse_assertion(client_id, form.get("client_assertion", ""))
        given = form.get("client_secret", "")
        if given not in known:
            return self._error(401, "invalid_client", 7000215, "Invalid client secret provided.")
        end = known[given]
        if end is not None and end <= self._clock():
            return self._error(401, "invalid_client", 7000222, "The provided client secret keys are expired.")
        return None

    def _refuse_assertion(self, client_id: str, assertion: str) -> Answer | None:
        """The signature is not checked, as no certificate is registered; issuer and subject must be the client."""
        try:
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            claims = {}
        if {claims.get("iss"), claims.get("sub")} != {client_id}:
            return self._error(401, "invalid_client", 700027, "Client assertion failed signature validation.")
        return None

    def _error(self, status: int, error: str, number: int, message: str) -> Answer:
        now: datetime = self._clock()
        ids = {"trace_id": str(uuid4()), "correlation_id": str(uuid4())}
        return status, {
            "error": error,
            "error_description": f"AADSTS{number}: {message} Trace ID: {ids['trace_id']}",
            "error_codes": [number],
            "timestamp": now.strftime("%Y-%m-%d %H:%M:%SZ"),
            **ids,
        }


def describe_authority(base: str, tenant: str) -> dict[str, Any]:
    """Return the OpenID configuration a client reads before it asks for a token. `base` has no trailing slash."""
    return {
        "issuer": f"{base}/{tenant}/v2.0",
        "token_endpoint": f"{base}/{tenant}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/authorize",
        "jwks_uri": f"{base}/{tenant}/discovery/v2.0/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def describe_instance(base: str, tenant: str) -> dict[str, Any]:
    """Return the instance discovery answer: this authority knows itself."""
    host = base.partition("://")[2]
    return {
        "tenant_discovery_endpoint": f"{base}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }
