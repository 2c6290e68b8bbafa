"""Where a request came from, and whether that is one of the networks we accept."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["Address", "ClientAddresses", "NetworkList"]

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

    def __contains__(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


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
