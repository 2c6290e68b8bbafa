"""Networks and URLs as settings hold them, refused in one sentence each."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

__all__ = ["AuthorityUrl", "Network", "ServiceUrl", "require_https"]


def read_network(value: object) -> object:
    """Read a network such as `80.88.186.0/24` or a single address; anything but text is left to pydantic."""
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value.strip())
    except ValueError as exc:
        raise ValueError("is not a network; write it like 80.88.186.0/24, with the host part zero") from exc


def require_https(url: str) -> str:
    """Return the URL without trailing slash; refuse anything but https, except http on loopback."""
    plain = url.strip().rstrip("/")
    try:
        parts = urlsplit(plain)
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        raise ValueError("is not a URL") from exc
    if parts.username or parts.password or parts.query or parts.fragment or port == 0:
        raise ValueError("must be a plain URL, without credentials, query or fragment")
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))):
        raise ValueError("must start with https:// (http:// for loopback only)")
    return plain


def _refuse_http(url: str) -> str:
    if not url.startswith("https://"):
        raise ValueError("must start with https://, on this machine too: tokens are asked for in no other way")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(read_network)]
ServiceUrl = Annotated[str, AfterValidator(require_https)]
"""The base URL of another system, https unless it is on this machine."""
AuthorityUrl = Annotated[ServiceUrl, AfterValidator(_refuse_http)]
"""Where tokens are issued: always https, since azure-identity refuses anything else when the first token is due."""
