"""Judges access tokens: signature, issuer, audience and time (RFC 7519, RFC 8725, RFC 9068)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from app.auth.issuer import ALGORITHMS, SigningKey, is_same_issuer
from app.auth.signing_keys import SigningKeys

__all__ = ["SKEW_SECONDS", "Rejected", "TokenJudge"]

SKEW_SECONDS: Final = 60
"""How far the clocks of issuer and service may differ."""
_OTHER_KINDS: Final = frozenset({"id", "refresh", "offline", "logout"})
"""What Keycloak writes into `typ` of tokens that are no access tokens."""
Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The token does not count."""

    reason: str
    """For the log and for checks; a stranger is only told that the token is not accepted."""


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
