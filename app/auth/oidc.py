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
from app.auth.principals import PERMISSIONS, Identity, Principal, PrincipalKind, Role
from app.auth.signing_keys import SigningKeys
from app.errors import ForbiddenError

__all__ = ["SKEW_SECONDS", "OidcTokens", "Rejected", "TokenJudge"]

log = structlog.get_logger()

SKEW_SECONDS: Final = 60
"""How far the clocks of issuer and service may differ."""
_OTHER_KINDS: Final = frozenset({"id", "refresh", "offline", "logout"})
"""What Keycloak writes into `typ` of tokens that are no access tokens."""
_DOTS: Final = 2
_PREFIX: Final = "voice"
Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The token does not count."""

    reason: str
    """For the log and for checks; the sender is only told that the token is not accepted."""


class TokenJudge:
    """Accepts the tokens of one issuer for one audience."""

    def __init__(self, *, keys: SigningKeys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    async def judge(self, token: str) -> Claims | Rejected | None:
        """Return the claims of a good token, why it is bad, or `None` when it is no token of this issuer at all.

        Raises IssuerError when the issuer's keys cannot be had.
        """
        try:
            header = jwt.get_unverified_header(token)
            unverified = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            return None
        if reason := self._find_fault(header, unverified):
            return Rejected(reason)
        key = await self._keys.find(header["kid"])
        if key is None:
            return Rejected("unknown key")
        return self._verify(token, key)

    def _find_fault(self, header: Mapping[str, Any], unverified: Claims) -> str | None:
        """Say what rules the token out before its signature is looked at, and before the issuer is asked for it."""
        if not is_same_issuer(unverified.get("iss"), self._issuer):
            return "another issuer"
        if header.get("alg") not in ALGORITHMS:
            return "algorithm not allowed"
        return "unusable header" if "crit" in header or not isinstance(header.get("kid"), str) else None

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
        except jwt.PyJWTError as exc:
            return Rejected(type(exc).__name__)
        return Rejected("no access token") if str(claims.get("typ", "")).casefold() in _OTHER_KINDS else claims


class OidcTokens:
    """Turns an access token into a principal; the roles come from one claim."""

    def __init__(self, *, judge: TokenJudge, role_claim: str, roles: Mapping[str, Role]) -> None:
        """`role_claim` may descend with dots (`realm_access.roles`); `roles` names further values of it."""
        self._judge = judge
        self._role_claim = role_claim
        self._roles = {value.casefold(): role for value, role in roles.items()}

    async def authenticate(self, token: str) -> Principal | None:
        """Return whose token it is; `None` for anything that is no good token of the issuer.

        Raises ForbiddenError for a good token without a role, and IssuerError when the issuer's keys cannot be had.
        """
        if token.count(".") != _DOTS:
            return None
        claims = await self._judge.judge(token)
        if isinstance(claims, Rejected):
            log.info("oidc.token_rejected", reason=claims.reason)
            return None
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
