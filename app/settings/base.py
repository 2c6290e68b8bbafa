"""What groups of settings are made of: the prefix, the common base, networks, addresses, names and secrets."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

__all__ = [
    "PREFIX",
    "AuthorityUrl",
    "Group",
    "LogicalName",
    "Network",
    "ServiceUrl",
    "refuse_placeholders",
    "require_different",
    "require_https",
    "require_zone",
]

PREFIX = "SMARTROUTING_"
"""Every variable starts with it."""
_PLACEHOLDER = re.compile(r"<[^<>]*>")


class Group(BaseModel):
    """A group of settings: frozen, closed to names it does not know, and silent about values it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def require_https(url: str) -> str:
    """Return the URL without trailing slash; raises ValueError for anything but https, or http on loopback."""
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


def require_zone(name: str) -> str:
    """Return the name of a time zone; raises ValueError for anything but an IANA name."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError("is no time zone; write an IANA name like Europe/Helsinki") from error
    return name


def require_different(secrets: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Refuse one secret under two labels: its use could not be told apart, nor one of them be retired."""
    if len({secret.get_secret_value().strip() for secret in secrets.values()}) < len(secrets):
        raise ValueError("two labels have the same secret")
    return secrets


def refuse_placeholders(secrets: Iterable[SecretStr]) -> None:
    """Refuse a blank of the documentation that was not filled in: it is public."""
    if any(_PLACEHOLDER.fullmatch(secret.get_secret_value().strip()) for secret in secrets):
        raise ValueError("a secret still reads like `<…>`: put a long random one in its place")


def _read_network(value: object) -> object:
    """Read `80.88.186.0/24` or a single address; anything but text is left to pydantic."""
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value.strip())
    except ValueError as exc:
        raise ValueError("is not a network; write it like 80.88.186.0/24, with the host part zero") from exc


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


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_read_network)]
ServiceUrl = Annotated[str, AfterValidator(require_https)]
"""The base URL of another system, https unless it is on this machine."""
AuthorityUrl = Annotated[ServiceUrl, AfterValidator(_refuse_http)]
"""Where tokens are issued: always https, since azure-identity refuses anything else when the first token is due."""
LogicalName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]
"""A Dataverse column or table by its lower-case logical name."""
