"""Knows users and services by the access tokens of an OpenID Connect issuer, e.g. Entra ID or Keycloak.

Signature, issuer, audience and time are judged as RFC 7519, RFC 8725 and RFC 9068 say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import jwt
import structlog

from app.auth.issuer import ALGORITHMS, SigningKey, is_same_issuer
from app.auth.principals import PERMISSIONS, Identity, InvalidTokenError, Principal, PrincipalKind, Role
from app.auth.signing_keys import SigningKeys
from app.errors import ForbiddenError

__all__ = ["SKEW_SECONDS", "OidcTokens", "Rejected", "TokenJudge"]

log = structlog.get_logger()

SKEW_SECONDS: Final = 60
"""How far the clocks of issuer and service may differ."""
_HEADER_TYPES: Final = frozenset({"jwt", "at+jwt"})
"""What an access token may call itself in its header (RFC 9068, section 2.1); others are proofs, logout and events."""
_CLAIMED_TYPES: Final = frozenset({"bearer", "access", *_HEADER_TYPES})
"""What the claim `typ` of an access token may be; Keycloak's other tokens say `ID`, `Refresh`, `Offline`, `Logout`."""
_IDENTITY_CLAIMS: Final = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
"""What OpenID Connect puts into ID tokens (OpenID Connect Core, sections 2 and 3.3.2.11)."""
_ACCESS_CLAIMS: Final = frozenset({"scp", "scope", "azp", "appid", "client_id", "cid"})
"""What access tokens say about client or scopes, by the names that Entra ID, Keycloak, Okta and RFC 9068 use."""
_FOREIGN_CLAIMS: Final = frozenset({"cnf", "events"})
"""A token that is bound to a key, whose possession is not checked here, and a logout or security event."""
_UNREADABLE: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""What reading a token raises, however odd it is."""
_DOTS: Final = 2
_PREFIX: Final = "voice"
Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The token does not count."""

    reason: str
    """For the log and for checks; the sender is only told that the token is not accepted."""


class TokenJudge:
    """Accepts the access tokens of one issuer for one audience."""

    def __init__(self, *, keys: SigningKeys, issuer: str, audience: str, client_id: str | None = None) -> None:
        """`client_id` is the client users sign in with: its ID tokens name it as their audience."""
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._is_client = audience == client_id

    async def judge(self, token: str) -> Claims | Rejected | None:
        """Return the claims of a good token, why it is bad, or `None` when it is no token of this issuer at all.

        Raises IssuerError when the issuer's keys cannot be had.
        """
        try:
            header = jwt.get_unverified_header(token)
            unverified = jwt.decode(token, options={"verify_signature": False})
        except _UNREADABLE:
            return None
        if reason := self._find_fault(header, unverified):
            return Rejected(reason)
        key = await self._keys.find(header.get("kid"))
        if key is None:
            return Rejected("unknown key")
        return self._verify(token, key)

    def _find_fault(self, header: Mapping[str, Any], unverified: Claims) -> str | None:
        """Say what rules the token out before its signature is looked at, and before the issuer is asked for it."""
        if not is_same_issuer(unverified.get("iss"), self._issuer):
            return "another issuer"
        if str(header.get("alg")) not in ALGORITHMS:
            return "algorithm not allowed"
        if "crit" in header or not isinstance(header.get("kid", ""), str):
            return "unusable header"
        return None if self._is_access_token(header, unverified) else "no access token"

    def _is_access_token(self, header: Mapping[str, Any], claims: Claims) -> bool:
        header_type = str(header.get("typ", "JWT")).casefold().removeprefix("application/")
        if header_type not in _HEADER_TYPES or claims.keys() & _FOREIGN_CLAIMS:
            return False
        if "typ" in claims:
            return str(claims["typ"]).casefold() in _CLAIMED_TYPES
        if header_type != "jwt":
            return True
        if claims.keys() & _IDENTITY_CLAIMS:
            return bool(claims.keys() & {"scp", "scope"})
        # Entra ID, known by `tid` and `ver`, names the client in every access token and in no ID token.
        must_name_client = self._is_client or {"tid", "ver"} <= claims.keys()
        return not must_name_client or bool(claims.keys() & _ACCESS_CLAIMS)

    def _verify(self, token: str, key: SigningKey) -> Claims | Rejected:
        plain = self._issuer.rstrip("/")
        try:
            claims: Claims = jwt.decode(
                token,
                key=key.key,
                algorithms=sorted(key.algorithms),
                audience=self._audience,
                issuer=[plain, f"{plain}/"],
                leeway=SKEW_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except _UNREADABLE as exc:
            return Rejected(type(exc).__name__)
        return claims


class OidcTokens:
    """Turns an access token into a principal; the roles come from one claim."""

    def __init__(self, *, judge: TokenJudge, role_claim: str, roles: Mapping[str, Role]) -> None:
        """`role_claim` may descend with dots (`realm_access.roles`); `roles` names further values of it."""
        self._judge = judge
        self._role_claim = role_claim
        self._roles = {value.casefold(): role for value, role in roles.items()}

    async def authenticate(self, token: str) -> Principal | None:
        """Return whose token it is; `None` for anything that is no token at all.

        Raises InvalidTokenError for a bad one, whose signature cannot be guessed, ForbiddenError for a good one
        without a role, and IssuerError when the issuer's keys cannot be had.
        """
        if token.count(".") != _DOTS:
            return None
        claims = await self._judge.judge(token)
        if isinstance(claims, Rejected):
            log.info("oidc.token_rejected", reason=claims.reason)
            raise InvalidTokenError("The token is not one this service accepts, or it is no longer valid.")
        if claims is None:
            return None
        held = set(self._list_roles(claims))
        if not held:
            raise ForbiddenError(f"Your token is good, but its claim {self._role_claim} names no role of Voice.")
        role = max(held, key=lambda each: len(PERMISSIONS[each]))
        return Principal(str(claims["sub"]), role, PrincipalKind.OIDC, identity=_read_identity(claims))

    def _list_roles(self, claims: Mapping[str, Any]) -> Iterator[Role]:
        found = _descend(claims, self._role_claim)
        for value in [found] if isinstance(found, str) else found if isinstance(found, list) else []:
            if (role := self._find_role(str(value))) is not None:
                yield role

    def _find_role(self, value: str) -> Role | None:
        """Read `Voice Admin User`, `voice_admin_user`, `VoiceAdminUser`; a bare `admin` may mean anything."""
        if role := self._roles.get(value.casefold()):
            return role
        plain = "".join(c for c in value.casefold() if c.isalnum())
        names = {"".join(c for c in role.value.casefold() if c.isalnum()): role for role in Role}
        return names.get(plain) if plain.startswith(_PREFIX) else None


def _descend(claims: Mapping[str, Any], path: str) -> object:
    """Look a claim up by its whole name, else step by step at the dots."""
    if path in claims:
        return claims[path]
    node: object = claims
    for step in path.split("."):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node


def _read_identity(claims: Mapping[str, Any]) -> Identity:
    emails = () if claims.get("email_verified") is False else _list_texts(claims, "email")
    ids = (text for text in _list_texts(claims, "oid", "sub") if _is_guid(text))
    return Identity(
        object_ids=tuple(dict.fromkeys(text.casefold() for text in ids)),
        logins=_list_texts(claims, "preferred_username", "upn"),
        emails=emails,
    )


def _list_texts(claims: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    values = (claims.get(name) for name in names)
    return tuple(dict.fromkeys(value.strip() for value in values if isinstance(value, str) and value.strip()))


def _is_guid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.casefold()
    except ValueError:
        return False
