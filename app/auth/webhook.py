"""Who may call the webhook, decided from the head of the request alone, and when each credential was used last."""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog

from app.auth.guessing import GuessBrake
from app.auth.keyring import KeyRing
from app.settings import WebhookSettings

__all__ = [
    "Address",
    "Admitted",
    "ClientAddresses",
    "CredentialKind",
    "KeyUse",
    "NetworkList",
    "Refused",
    "WebhookAccess",
]

log = structlog.get_logger()

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED_PREFIX = 96
_MAX_REMEMBERED = 1024
_MAX_REMEMBERED_BYTES = 256
"""Of what is remembered for one request: the headers of strangers must not fill the memory."""


class NetworkList:
    """A set of networks in which an IPv4 address is the same address when it is written as IPv4-mapped IPv6."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(_unmap_network(network) for network in networks)

    def __bool__(self) -> bool:
        """Tell whether any network is listed."""
        return bool(self._networks)

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


class ClientAddresses:
    """Finds the address a request came from, believing the proxies we trust and no others."""

    def __init__(self, *, trusted: Iterable[Network]) -> None:
        self._trusted = NetworkList(trusted)
        self._walk_remembered = lru_cache(_MAX_REMEMBERED)(self._walk)

    def find(self, headers: Sequence[tuple[bytes, bytes]], peer: str | None) -> Address | None:
        """Return the sender's address by raw headers and peer; `None` when there is none, or a malformed one.

        X-Forwarded-For is walked from the right, and only as far as trusted proxies vouch for it.
        """
        if peer is None:
            return None
        forwarded = b",".join([v for n, v in headers if n == b"x-forwarded-for"]) if self._trusted else b""
        is_short = len(peer) + len(forwarded) <= _MAX_REMEMBERED_BYTES
        return self._walk_remembered(peer, forwarded) if is_short else self._walk(peer, forwarded)

    def _walk(self, peer: str, forwarded: bytes) -> Address | None:
        senders = [sender for sender in forwarded.decode("latin-1").split(",") if sender.strip()]
        address = _read_address(peer)
        while address is not None and senders and address in self._trusted:
            address = _read_address(senders.pop())
        return address


def _read_address(text: str) -> Address | None:
    """Read an address with or without port, brackets and zone; `None` when it is none."""
    plain = text.strip()
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        address = ip_address(plain.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _unmap_network(network: Network) -> Network:
    first = network.network_address
    if isinstance(first, IPv6Address) and first.ipv4_mapped and network.prefixlen >= _MAPPED_PREFIX:
        return ip_network(f"{first.ipv4_mapped}/{network.prefixlen - _MAPPED_PREFIX}")
    return network


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
        self._allowed = NetworkList(settings.allowed_networks)
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
        if self._allowed and not self._is_allowed(headers, peer):
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

    def _is_allowed(self, headers: Sequence[tuple[bytes, bytes]], peer: str | None) -> bool:
        address = self._clients.find(headers, peer)
        return address is not None and address in self._allowed

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
