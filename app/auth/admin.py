"""Authenticators of the administrators' endpoints."""

from collections.abc import Mapping, Sequence

from app.auth.keyring import KeyRing
from app.auth.principals import Authenticator, Principal, PrincipalKind
from app.settings import AdminKey

__all__ = ["AuthenticatorSequence", "SettingsKeys"]


class SettingsKeys:
    """Knows the keys an integrator put into the settings, for scripts and first set-up."""

    def __init__(self, keys: Mapping[str, AdminKey]) -> None:
        self._keys = KeyRing(
            (entry.key.get_secret_value(), Principal(label, entry.role, PrincipalKind.API_KEY))
            for label, entry in keys.items()
        )

    async def authenticate(self, token: str) -> Principal | None:
        """Return the principal of the key, in constant time over all keys; header text is Latin-1 (RFC 9110, 5.5)."""
        return self._keys.find(token.encode("latin-1", "replace"))


class AuthenticatorSequence:
    """Asks several authenticators in turn; the first that knows the token answers."""

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = tuple(authenticators)

    async def authenticate(self, token: str) -> Principal | None:
        """Return the principal the first authenticator names, `None` when nobody knows the token."""
        for authenticator in self._authenticators:
            if principal := await authenticator.authenticate(token):
                return principal
        return None
