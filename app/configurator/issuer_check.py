"""Asks an identity provider for real whether it will do, before an organisation relies on it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import httpx

from app.auth.issuer import IssuerError, IssuerMetadata, fetch_metadata, fetch_signing_keys
from app.auth.oidc import Rejected, TokenJudge
from app.auth.signing_keys import KeySetOptions, SigningKeys
from app.settings import require_https

__all__ = ["CheckState", "IssuerCheck", "ModernSettings", "PrerequisiteCheck"]

_CLIENT_CLAIMS = ("azp", "appid", "client_id")
_NO_TOKEN = "no test token was given"  # noqa: S105 - words, not a token


class CheckState(StrEnum):
    """What a check found."""

    OK = "ok"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrerequisiteCheck:
    """One prerequisite of Modern, tried for real."""

    id: str
    state: CheckState
    detail: str
    what_to_do: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModernSettings:
    """The identity provider that issues the tokens."""

    issuer: str
    client_id: str
    audience: str


class IssuerCheck:
    """Checks the prerequisites of Modern authentication (administrator guide, "User authentication")."""

    def __init__(self, *, http: httpx.AsyncClient, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._monotonic = monotonic

    async def check(self, modern: ModernSettings, test_token: str | None) -> list[PrerequisiteCheck]:
        """Reach the issuer, read discovery and keys, and judge the test token; stops where nothing can follow."""
        try:
            require_https(modern.issuer)
            metadata = await fetch_metadata(self._http, modern.issuer)
        except ValueError as error:
            return [_fail("issuer", f"the issuer {error}", "Write the issuer as your provider names it.")]
        except IssuerError as error:
            return [_fail("issuer", error.detail, "Check the issuer's address, and that it can be reached from here.")]
        checks = [_pass("issuer", "answers"), _judge_discovery(metadata)]
        try:
            keys = await fetch_signing_keys(self._http, metadata.jwks_uri)
        except IssuerError as error:
            return [*checks, _fail("keys", error.detail, "Check the provider's key set.")]
        if not keys:
            return [*checks, _fail("keys", "no usable key", "The provider must sign with RSA or elliptic curves.")]
        return [*checks, _pass("keys", f"{len(keys)} to sign with"), *await self._judge_token(modern, test_token)]

    async def _judge_token(self, modern: ModernSettings, test_token: str | None) -> list[PrerequisiteCheck]:
        if test_token is None:
            wanted = "Get an access token for this audience with this client, and pass it as test_token."
            return [
                PrerequisiteCheck(id=name, state=CheckState.NOT_CHECKED, detail=_NO_TOKEN, what_to_do=wanted)
                for name in ("token", "audience", "client")
            ]
        keys = SigningKeys(
            http=self._http, issuer=modern.issuer, monotonic=self._monotonic, options=KeySetOptions(between=0.0)
        )
        try:
            claims = await TokenJudge(keys=keys, issuer=modern.issuer, audience=modern.audience).judge(test_token)
        except IssuerError as error:
            return [_fail("token", error.detail, "Try again.")]
        if claims is None or isinstance(claims, Rejected):
            return [_explain_rejection("not a token" if claims is None else claims.reason)]
        named = next((claims[name] for name in _CLIENT_CLAIMS if name in claims), None)
        client = (
            _pass("client", "the token was issued to it")
            if named == modern.client_id
            else _fail("client", "the token was issued to another client", "Sign in with the client set here.")
        )
        return [_pass("token", "accepted"), _pass("audience", "named by the token"), client]


def _explain_rejection(reason: str) -> PrerequisiteCheck:
    if reason == "InvalidAudienceError":
        return _fail("audience", "the token is for another audience", "Set the audience the provider puts into tokens.")
    return _fail("token", f"not accepted: {reason}", "Get a new access token from this issuer.")


def _judge_discovery(metadata: IssuerMetadata) -> PrerequisiteCheck:
    if metadata.authorization_endpoint is None or metadata.token_endpoint is None:
        return _fail("discovery", "no authorization or token endpoint", "The provider must offer authorization codes.")
    return _pass("discovery", "complete" if metadata.supports_pkce else "complete; PKCE is not announced")


def _pass(name: str, detail: str) -> PrerequisiteCheck:
    return PrerequisiteCheck(id=name, state=CheckState.OK, detail=detail)


def _fail(name: str, detail: str, what_to_do: str) -> PrerequisiteCheck:
    return PrerequisiteCheck(id=name, state=CheckState.FAILED, detail=detail, what_to_do=what_to_do)
