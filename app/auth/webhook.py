"""Who may call the webhook, decided from the head of the request alone, and when each credential was used last."""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog

from app.auth.api_keys import KeyRing
from app.auth.guessing import GuessBrake
from app.auth.networks import ClientAddresses, NetworkList
from app.settings import WebhookSettings

__all__ = ["Admitted", "CredentialKind", "KeyUse", "Refused", "WebhookAccess"]

log = structlog.get_logger()


class CredentialKind(StrEnum):
    """How a caller of the webhook proved who they are (Enreach contract, section 1.2)."""

    API_KEY = "api_key"
    """Header `X-Benemen-APIKey`."""
    BASIC = "basic"
    """HTTP Basic (RFC 7617)."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The request may be answered."""

    label: str
    """The label of the key, or the user of HTTP Basic; never the secret."""
    kind: CredentialKind


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is turned away, its body unread."""

    status: int
    """401 or 403."""
    code: str
    """Machine word in kebab case: `wrong-network`, `missing-credential` or `wrong-credential`."""
    detail: str
    headers: tuple[tuple[str, str], ...] = ()
    """Headers the answer must carry: the challenge of a 401 (RFC 9110, section 11.6.1)."""


class WebhookAccess:
    """Admits or refuses a webhook request by network and credential, in a few microseconds and without I/O.

    The network is judged first, so that a sender from elsewhere learns nothing about credentials. Of several
    credentials in one request one valid one is enough: its holder is entitled, and a proxy that adds its own
    `Authorization` must not cost a call its answer. The first valid one gives the label.
    """

    def __init__(self, settings: WebhookSettings, *, brake: GuessBrake) -> None:
        self._brake = brake
        self._clients = ClientAddresses(trusted=settings.trusted_proxies)
        self._allowed = NetworkList(settings.allowed_networks) if settings.allowed_networks else None
        self._keys = KeyRing(
            (secret.get_secret_value(), Admitted(label, CredentialKind.API_KEY))
            for label, secret in settings.api_keys.items()
        )
        self._users = KeyRing(
            (f"{user}:{secret.get_secret_value()}", Admitted(user, CredentialKind.BASIC))
            for user, secret in settings.basic_users.items()
        )
        challenge = 'Basic realm="smartrouting", charset="UTF-8"' if self._users else 'ApiKey realm="smartrouting"'
        headers = (("WWW-Authenticate", challenge),)
        self._missing = Refused(401, "missing-credential", "Send X-Benemen-APIKey or HTTP Basic.", headers)
        self._wrong = Refused(401, "wrong-credential", "The credential is not one this service knows.", headers)
        self._foreign = Refused(403, "wrong-network", "Requests from this network are not accepted.")

    def admit(self, headers: Sequence[tuple[bytes, bytes]], peer: str | None) -> Admitted | Refused:
        """Judge a request by its raw headers (names in lower case, as ASGI gives them) and its peer's address.

        Never raises, whatever the headers hold.
        """
        if self._allowed is not None and self._clients.find(headers, peer) not in self._allowed:
            return self._foreign
        refused = self._missing
        for name, value in headers:
            if name == b"x-benemen-apikey":
                admitted = self._keys.find(value.strip())
            elif name == b"authorization":
                admitted = self._find_user(value)
            else:
                continue
            if admitted is not None:
                return admitted
            refused = self._wrong
        return refused

    async def hold_back(self, refused: Refused, headers: Sequence[tuple[bytes, bytes]], peer: str | None) -> None:
        """Return when a refusal may be sent, which is later where an address keeps sending wrong credentials."""
        address = self._clients.find(headers, peer)
        log.info("access.refused", code=refused.code, peer=str(address))
        if refused is self._wrong:
            await self._brake.hold_back(address)

    def _find_user(self, authorization: bytes) -> Admitted | None:
        scheme, _, token = authorization.strip().partition(b" ")
        if scheme.lower() != b"basic":
            return None
        try:
            return self._users.find(b64decode(token.strip(), validate=True))
        except binascii.Error:
            return None


class KeyUse:
    """Remembers last uses in memory, at the cost of one dictionary write a call; a store persists them in batches.

    Times are seconds since 1970-01-01 UTC.
    """

    def __init__(self) -> None:
        self._persisted: dict[str, float] = {}
        self._changed: dict[str, float] = {}

    def remember(self, last_used: Mapping[str, float]) -> None:
        """Take over what was persisted before."""
        self._persisted = dict(last_used) | self._persisted

    def touch(self, label: str, now: float) -> None:
        """Note that the credential of this label was used."""
        self._changed[label] = now

    def take_changes(self) -> dict[str, float]:
        """Return the uses noted since the last time this was asked, for a store to persist."""
        changed, self._changed = self._changed, {}
        self._persisted.update(changed)
        return changed

    @property
    def last_used(self) -> dict[str, float]:
        """The last use of every label ever seen, persisted or not."""
        return self._persisted | self._changed
