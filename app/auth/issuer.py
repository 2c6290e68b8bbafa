"""Asks an OpenID Connect issuer who it is and which keys it signs with.

IssuerError
├── IssuerUnreachableError   no answer, or an error status
└── IssuerUnusableError      an answer that is not what OpenID Connect describes
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from app.connection_failures import explain_no_connection
from app.errors import AppError
from app.settings import require_https

__all__ = [
    "ALGORITHMS",
    "IssuerError",
    "IssuerMetadata",
    "IssuerUnreachableError",
    "IssuerUnusableError",
    "SigningKey",
    "fetch_metadata",
    "fetch_signing_keys",
    "is_same_issuer",
]

_ALGORITHMS_OF_KIND: Final = {
    "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    "EC": frozenset({"ES256", "ES384", "ES512"}),
    "OKP": frozenset({"EdDSA"}),
}
ALGORITHMS: Final = frozenset().union(*_ALGORITHMS_OF_KIND.values())
"""What tokens may be signed with: asymmetric algorithms only (RFC 8725, section 3.1)."""
_TIMEOUT: Final = 8.0
"""Seconds for one answer of the issuer."""
_MAX_BYTES: Final = 512 * 1024
_MAX_KEYS: Final = 100
_MAX_RSA_BITS: Final = 8192
"""Verifying a signature with a larger key would hold the event loop up."""
_OK: Final = 200


class IssuerError(AppError):
    """Tokens cannot be judged, because their issuer does not help."""

    status = 503
    code = "issuer-unavailable"
    title = "The OpenID Connect issuer is not available"


class IssuerUnreachableError(IssuerError):
    """No answer, or an error status."""

    code = "issuer-unreachable"


class IssuerUnusableError(IssuerError):
    """An answer, but none that OpenID Connect Discovery 1.0 or RFC 7517 describes."""

    code = "issuer-unusable"
    title = "The OpenID Connect issuer gives unusable answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerMetadata:
    """What the discovery document says (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None
    token_endpoint: str | None
    supports_pkce: bool
    """Whether it announces S256 (RFC 8414, `code_challenge_methods_supported`); Entra ID does not, and has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One public key of the issuer."""

    id: str
    key: Any
    algorithms: frozenset[str]
    """What this key may sign with."""


async def fetch_metadata(http: httpx.AsyncClient, issuer: str) -> IssuerMetadata:
    """Read the discovery document of an issuer; raises IssuerError, also when it speaks for another issuer."""
    document = await _fetch(http, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if not is_same_issuer(document.get("issuer"), issuer):
        raise IssuerUnusableError("the discovery document names another issuer than the settings")
    methods = document.get("code_challenge_methods_supported")
    return IssuerMetadata(
        issuer=str(document["issuer"]),
        jwks_uri=_read_url(document, "jwks_uri"),
        authorization_endpoint=_read_optional_url(document, "authorization_endpoint"),
        token_endpoint=_read_optional_url(document, "token_endpoint"),
        supports_pkce=isinstance(methods, list) and "S256" in methods,
    )


async def fetch_signing_keys(http: httpx.AsyncClient, jwks_uri: str) -> dict[str, SigningKey]:
    """Read the keys by id; those for encryption, symmetric ones and unreadable ones are left out.

    Raises IssuerError.
    """
    document = await _fetch(http, jwks_uri)
    rows = document.get("keys")
    if not isinstance(rows, list):
        raise IssuerUnusableError("the key set holds no list of keys")
    read = (_read_key(row) for row in rows[:_MAX_KEYS] if isinstance(row, dict))
    return {key.id: key for key in read if key is not None}


def is_same_issuer(found: object, wanted: str) -> bool:
    """Compare two issuers letter by letter, but for a trailing slash, which is often forgotten."""
    return isinstance(found, str) and found.rstrip("/") == wanted.rstrip("/")


def _read_key(row: dict[str, Any]) -> SigningKey | None:
    key_id, fitting = row.get("kid"), _ALGORITHMS_OF_KIND.get(str(row.get("kty")))
    if not isinstance(key_id, str) or fitting is None or row.get("use", "sig") != "sig":
        return None
    algorithms = fitting & {str(row["alg"])} if "alg" in row else fitting
    if not algorithms:
        return None
    try:
        key = jwt.PyJWK(row).key
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        # The library takes the members for text and does not look.
        return None
    if isinstance(key, RSAPublicKey) and key.key_size > _MAX_RSA_BITS:
        return None
    return SigningKey(id=key_id, key=key, algorithms=algorithms)


async def _fetch(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    # Uncompressed, or a small answer could unpack to one that does not fit into memory.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        async with asyncio.timeout(_TIMEOUT), http.stream("GET", url, headers=headers) as response:
            content = await _read(response)
    except (httpx.HTTPError, TimeoutError) as exc:
        why = explain_no_connection(exc) if isinstance(exc, httpx.ConnectError) else type(exc).__name__
        raise IssuerUnreachableError(f"the issuer does not answer ({why})") from exc
    except httpx.InvalidURL as exc:
        raise IssuerUnusableError("an address of the issuer is no URL") from exc
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as exc:
        raise IssuerUnusableError("the issuer's answer is no JSON") from exc
    if not isinstance(document, dict):
        raise IssuerUnusableError("the issuer's answer is no JSON object")
    return document


async def _read(response: httpx.Response) -> bytes:
    """Read an answer as far as its limit."""
    if response.status_code != _OK:
        raise IssuerUnreachableError(f"the issuer answers with status {response.status_code}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise IssuerUnusableError("the issuer's answer is compressed though that was not asked for")
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > _MAX_BYTES:
            raise IssuerUnusableError("the issuer's answer is too large")
    return bytes(content)


def _read_url(document: dict[str, Any], name: str) -> str:
    found = _read_optional_url(document, name)
    if found is None:
        raise IssuerUnusableError(f"the discovery document has no {name}")
    return found


def _read_optional_url(document: dict[str, Any], name: str) -> str | None:
    """Return an endpoint; it must be https: a discovery document must not lead to an unencrypted one."""
    value = document.get(name)
    if not isinstance(value, str):
        return None
    try:
        require_https(value.partition("?")[0])
    except ValueError as exc:
        raise IssuerUnusableError(f"the discovery document's {name} {exc}") from exc
    return value
