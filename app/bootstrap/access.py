"""Who may use the administrators' endpoints, and how people sign in."""

import time
from contextlib import AsyncExitStack

import httpx

from app.auth.access import AdminAccess
from app.auth.api_keys import AuthenticatorSequence, SettingsKeys, StoredKeys
from app.auth.networks import ClientAddresses
from app.auth.oidc import OidcTokens, TokenJudge
from app.auth.principals import Authenticator
from app.auth.sign_in import SignIn
from app.auth.signing_keys import SigningKeys
from app.bootstrap.foundation import Foundation
from app.settings import AdminSettings

__all__ = ["make_admin_access", "make_sign_in", "open_signing_keys"]


def make_sign_in(admin: AdminSettings) -> SignIn | None:
    """Make the sign-in of Swagger UI; `None` without an issuer."""
    if admin.oidc_issuer is None:
        return None
    return SignIn(issuer=admin.oidc_issuer, client_id=admin.oidc_client_id, scopes=admin.oidc_scopes)


def open_signing_keys(admin: AdminSettings, http: httpx.AsyncClient, stack: AsyncExitStack) -> SigningKeys | None:
    """Make what keeps the issuer's keys at hand; `None` without an issuer."""
    if admin.oidc_issuer is None:
        return None
    keys = SigningKeys(http=http, issuer=admin.oidc_issuer, monotonic=time.monotonic)
    stack.push_async_callback(keys.aclose)
    return keys


def make_admin_access(foundation: Foundation, keys: SigningKeys | None) -> AdminAccess:
    """Make what knows keys of the settings, keys of the store and, with an issuer, access tokens."""
    return AdminAccess(
        authenticator=_make_authenticator(foundation, keys),
        clients=ClientAddresses(trusted=foundation.settings.webhook.trusted_proxies),
        brake=foundation.guess_brake,
        count_refusal=foundation.metrics.count_admin_refusal,
    )


def _make_authenticator(foundation: Foundation, keys: SigningKeys | None) -> Authenticator:
    admin = foundation.settings.admin
    known: list[Authenticator] = [
        SettingsKeys(admin.api_keys),
        StoredKeys(store=foundation.stores.api_keys, clock=foundation.upstreams.clock),
    ]
    if keys is not None and admin.oidc_issuer and admin.oidc_audience:
        judge = TokenJudge(
            keys=keys, issuer=admin.oidc_issuer, audience=admin.oidc_audience, client_id=admin.oidc_client_id
        )
        known.append(OidcTokens(judge=judge, role_claim=admin.oidc_role_claim, roles=admin.oidc_roles))
    return AuthenticatorSequence(known)
