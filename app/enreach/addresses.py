"""Checks and joins the URLs of the Enreach API."""

import re
from urllib.parse import quote

import httpx

from app.enreach.errors import EnreachNotConfiguredError, EnreachNotFoundError

__all__ = ["check_base_url", "join_path"]

_HOST = re.compile(rb"[a-z0-9.:_-]+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def check_base_url(text: str) -> str:
    """Return the URL without trailing slashes; keys travel on it, so it must be https (http for loopback only).

    Raises `EnreachNotConfiguredError`.
    """
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as exc:
        raise EnreachNotConfiguredError("The Enreach URL is not a URL") from exc
    plain_host = _HOST.fullmatch(url.raw_host)
    if not plain_host or url.scheme not in {"http", "https"} or url.query or url.fragment or url.userinfo:
        raise EnreachNotConfiguredError("The Enreach URL must be of the form https://host/path")
    if url.scheme == "http" and url.host not in _LOOPBACK:
        raise EnreachNotConfiguredError("The Enreach URL must be https")
    return str(url).rstrip("/")


def join_path(base_url: str, template: str, **values: str) -> str:
    """Fill the placeholders of a path template, each value quoted as one path segment.

    Raises `EnreachNotFoundError` for values no segment can hold: on the way they would turn into another path.
    """
    if not all(value.strip(".") for value in values.values()):
        raise EnreachNotFoundError(f"{template}: an id cannot be empty or dots")
    return base_url + template.format_map({name: quote(value, safe="") for name, value in values.items()})
