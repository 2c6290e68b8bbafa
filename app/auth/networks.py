"""Where a request came from, and whether that is one of the networks we accept."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["NetworkList", "SourceCheck"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_MAPPED_PREFIX = 96
_MAX_REMEMBERED = 1024


class NetworkList:
    """A set of networks in which an IPv4 address is the same address when it is written as IPv4-mapped IPv6."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._networks = tuple(_unmap_network(network) for network in networks)

    def __bool__(self) -> bool:
        """Tell whether any network is listed."""
        return bool(self._networks)

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


class SourceCheck:
    """Decides whether a request comes from an allowed network, believing the proxies we trust and no others."""

    def __init__(self, *, allowed: Iterable[Network], trusted: Iterable[Network]) -> None:
        self._allowed = NetworkList(allowed)
        self._trusted = NetworkList(trusted)
        self._remembered: dict[tuple[str, bytes], bool] = {}

    def __bool__(self) -> bool:
        """Tell whether there is anything to check: an empty list of allowed networks allows any."""
        return bool(self._allowed)

    def allows(self, peer: str | None, forwarded: Sequence[bytes]) -> bool:
        """Tell whether the sender is allowed; `forwarded` are the X-Forwarded-For values in order of arrival.

        The header is walked from the right, and only as far as trusted proxies vouch for it. A malformed entry on that
        way, or no peer address at all, is refused.
        """
        if not self._allowed:
            return True
        if peer is None:
            return False
        asked = (peer, b",".join(forwarded) if self._trusted else b"")
        if (known := self._remembered.get(asked)) is None:
            known = self._check(*asked)
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[asked] = known
        return known

    def _check(self, peer: str, forwarded: bytes) -> bool:
        senders = [sender for sender in forwarded.decode("latin-1").split(",") if sender.strip()]
        address = _read_address(peer)
        while address is not None and senders and address in self._trusted:
            address = _read_address(senders.pop())
        return address is not None and address in self._allowed


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
