"""Whether this service is reached by its public name, as the queue will reach it."""

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

import httpx

from app.operations.golive.readiness import Answer, ok, wrong

__all__ = ["check_public_url"]

_HTTPS = 443
_ASKED = 405
"""What this service answers to a GET at the webhook's path."""
_NEAR_END_SECONDS = 14 * 86_400.0
_SET = "set public_url with PUT /admin/handoff"


@dataclass(frozen=True, slots=True)
class _Met:
    status: int
    certificate_ends: float | None
    """Seconds since the epoch; `None` without TLS."""


async def check_public_url(url: str | None, http: httpx.AsyncClient, *, demo: bool, now: float) -> Answer:
    """Ask for the webhook's URL as anybody may, without a credential; `now` is in seconds since the epoch.

    In the demo plain http to this machine is right.
    """
    if url is None:
        return wrong("no public URL is set", _SET)
    parts = urlsplit(url)
    local = demo and parts.scheme == "http" and _is_loopback(parts)
    if not local and (parts.scheme != "https" or (parts.port or _HTTPS) != _HTTPS):
        return wrong("the public URL is not https on port 443, which Enreach requires", f"{_SET} to such a URL")
    try:
        met = await _meet(http, url)
    except httpx.HTTPError as error:
        return _explain(error)
    return _judge(met, now=now)


def _judge(met: _Met, *, now: float) -> Answer:
    if met.status != _ASKED:
        return wrong(
            f"what answers there is not this service's webhook (HTTP {met.status})",
            "let the proxy pass this path to POST /smartrouting of this service",
        )
    if met.certificate_ends is None:
        return ok("reached")
    days = (met.certificate_ends - now) / 86_400
    if met.certificate_ends - now < _NEAR_END_SECONDS:
        return wrong(f"its certificate ends in {days:.0f} days", "renew the certificate")
    return ok(f"reached by its public name; its certificate is valid for {days:.0f} more days")


def _is_loopback(parts: SplitResult) -> bool:
    try:
        return parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


async def _meet(http: httpx.AsyncClient, url: str) -> _Met:
    async with http.stream("GET", url, follow_redirects=False) as response:
        stream = response.extensions.get("network_stream")
        tls = None if stream is None else stream.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert()
        ends = certificate.get("notAfter") if certificate else None
        return _Met(response.status_code, None if ends is None else ssl.cert_time_to_seconds(ends))


def _explain(error: httpx.HTTPError) -> Answer:
    if isinstance(error, httpx.TimeoutException):
        return wrong("nobody answers there in time", "open port 443 of the proxy, also for requests from here")
    if "CERTIFICATE" in str(error).upper():
        return wrong("its certificate is not valid for this name, or not trusted", "install a certificate for the name")
    return wrong(
        "it cannot be reached from here", "check the name's DNS entry, the proxy and the firewall, also from here"
    )
