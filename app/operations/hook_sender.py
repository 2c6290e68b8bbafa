"""Posts signed messages to addresses that administrators type in, and reads what comes back.

Whoever may type an address must not reach what only this machine can reach: the metadata of the cloud, a database, the
network of the company. So every address is judged at the moment of the connection, and the connection goes to the
address that was judged, whatever the name means a moment later.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks.webhooks import Webhook
from typing_extensions import override
from yarl import URL

from app.errors import AppError
from app.operations.signed_hooks import HookMessage, sign_body, write_body
from app.settings.base import Network

__all__ = ["AddressPolicy", "HookFailedError", "HookSender", "read_hook_url"]

MAX_ANSWER: Final = 256 * 1024
_CONNECTIONS: Final = 20
_CONNECTIONS_OF_HOST: Final = 6
_RESOLVERS: Final = 4
"""Threads that ask for names, apart from those that calls need: the system waits half a minute for a dead server."""
_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_UNICAST: Final = IPv6Network("2000::/3")
_TUNNELS: Final = IPv6Network("2002::/16")
"""Addresses that lead to an IPv4 address of the sender's choice."""

Address = IPv4Address | IPv6Address
Resolve = Callable[..., list[Any]]
"""Asks for the addresses of a name, as `socket.getaddrinfo` does."""


class HookFailedError(AppError):
    """The receiver could not be reached, or did not do what it must. The message never holds the address."""

    status = 502
    code = "hook-failed"
    title = "Hook failed"


class AddressPolicy:
    """Public addresses, and those of the networks that a setting allows."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = tuple(allowed)

    def check(self, text: str) -> None:
        """Raise HookFailedError for an address that may not be reached."""
        try:
            address: Address = ip_address(text)
        except ValueError as error:
            raise HookFailedError("the address is written in no usual form") from error
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in self._allowed) or _is_public(address):
            return
        raise HookFailedError(
            "the address is private: name its network in SMARTROUTING_PLUGINS__ALLOWED_NETWORKS, if it is to be reached"
        )


class HookSender:
    """Sends one message at a time and waits for its answer; retries are the caller's business.

    No redirect is followed, no cookie kept, no answer unpacked.
    """

    def __init__(
        self,
        *,
        policy: AddressPolicy,
        clock: Callable[[], float],
        certificates: ssl.SSLContext | None = None,
        resolve: Resolve = socket.getaddrinfo,
    ) -> None:
        """`clock` gives seconds since the epoch; `certificates` are others than everybody's."""
        self._policy = policy
        self._clock = clock
        self._certificates = certificates
        self._resolve = resolve
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, secret: str, message: HookMessage) -> bytes:
        """Send a message signed with `secret` (`whsec_…`), and return what was answered; raises HookFailedError.

        It has no deadline of its own: put `asyncio.timeout` around it.
        """
        target = URL(url)
        self._check_host(target.raw_host or "")
        body = write_body(message)
        headers = sign_body(Webhook(secret), message.id, body, now=self._clock())
        try:
            answer = await self._open().post(target, data=body.encode(), headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, OSError) as error:
            raise HookFailedError("the receiver cannot be reached") from error
        try:
            return await _read_answer(answer)
        except aiohttp.ClientError as error:
            raise HookFailedError("the answer broke off") from error
        finally:
            answer.close()

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _check_host(self, host: str) -> None:
        """Judge an address that is no name: it would be connected to without being asked for."""
        if ":" in host or host.replace(".", "").isdigit():
            self._policy.check(host)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=_CONNECTIONS,
                limit_per_host=_CONNECTIONS_OF_HOST,
                resolver=_CheckedResolver(self._policy, self._resolve),
                ssl=True if self._certificates is None else self._certificates,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "smartrouting", "Accept": "application/json", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            )
        return self._session


class _CheckedResolver(AbstractResolver):
    """Gives the addresses of a name only when all of them may be reached."""

    def __init__(self, policy: AddressPolicy, resolve: Resolve) -> None:
        self._policy = policy
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(_RESOLVERS, "hooks.resolve")

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Ask the system; raises OSError and HookFailedError."""
        ask = self._resolve
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: ask(host, port, family=family, type=socket.SOCK_STREAM)
        )
        addresses = list(dict.fromkeys((kind, place[0]) for kind, _, _, _, place in found))
        for _, address in addresses:
            self._policy.check(address)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in addresses
        ]

    @override
    async def close(self) -> None:
        """Wait for nobody: a dead name server may keep a thread for a while."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def read_hook_url(url: str) -> str:
    """Return the URL of a receiver; raises ValueError for anything but https, or http on this machine.

    A query may hold a key, as those of flows and functions in the cloud do.
    """
    try:
        parts = URL(url.strip())
        host, port = parts.raw_host or "", parts.port
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if parts.user or parts.password or parts.fragment or not port:
        raise ValueError("must be a URL without user, password and fragment")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        raise ValueError("must start with https:// (http:// for this machine only)")
    return url.strip()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and (address not in _UNICAST or address in _TUNNELS):
        return False
    return address.is_global and not address.is_multicast


async def _read_answer(answer: aiohttp.ClientResponse) -> bytes:
    if answer.status in _REDIRECTS:
        raise HookFailedError("the receiver answered with a redirect, which is not followed")
    if answer.status not in _OK:
        raise HookFailedError(f"the receiver answered {answer.status}")
    read, size = [], 0
    async for part in answer.content.iter_any():
        read.append(part)
        size += len(part)
        if size > MAX_ANSWER:
            raise HookFailedError(f"the answer has more than {MAX_ANSWER // 1024} KB")
    return b"".join(read)
