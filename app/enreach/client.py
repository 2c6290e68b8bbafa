"""Reads users, queues and calls from the Enreach API (Enreach contract, section 4)."""

import json
import re
from collections.abc import Iterable, Mapping

import httpx
from pydantic import SecretStr

from app.enreach.errors import EnreachNotConfiguredError
from app.enreach.periods import Period
from app.enreach.records import CallRecord, EnreachQueue, EnreachUser
from app.enreach.rows import Rows, read_list, read_row, read_rows
from app.enreach.transmission import STANDARD_LIMITS, Answer, Limits, Request, send_repeatedly

__all__ = ["EnreachClient"]

_HOST = re.compile(rb"[a-z0-9.:_-]+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class EnreachClient:
    """The API of one organisation, seen with the key of one of its users.

    Everything here only reads, so transient failures are tried again within `limits`; not for the path of a call.
    Every method raises `EnreachError` (see `app.enreach.errors`).
    """

    def __init__(
        self, *, http: httpx.AsyncClient, base_url: str, user: str, secret: SecretStr, limits: Limits = STANDARD_LIMITS
    ) -> None:
        """Keep `http` open for the client's life; raises `EnreachNotConfiguredError` when a part is missing."""
        if not user or not secret.get_secret_value():
            raise EnreachNotConfiguredError("The Enreach API needs a user and a secret")
        self._http = http
        self._base_url = _check_base_url(base_url)
        self._auth = httpx.BasicAuth(user, secret.get_secret_value())
        self._limits = limits

    async def fetch_own_user(self) -> EnreachUser:
        """Return the user whose key this is; the cheapest proof that URL and key are right."""
        return read_row(EnreachUser, await self._get("/users/me"))

    async def list_users(self) -> Rows[EnreachUser]:
        """Return every user of the organisation. The API has no filter by e-mail: match `email` yourself."""
        return read_rows(EnreachUser, read_list(await self._get("/users")))

    async def list_queues(self) -> Rows[EnreachQueue]:
        """Return every queue of the organisation."""
        return read_rows(EnreachQueue, read_list(await self._get("/queues/")))

    async def list_calls(self, period: Period) -> Rows[CallRecord]:
        """Return the users' calls of a period of any length; each record once."""
        return read_rows(CallRecord, await self._collect("/calls", period))

    async def _collect(self, path: str, period: Period) -> list[object]:
        """Ask window by window; one after the other, because the API limits the rate."""
        found: list[object] = []
        for window in period.split():
            found += read_list(await self._get(path, window.describe()))
        return _drop_repeats(found)

    async def _get(self, path: str, params: Mapping[str, str] | None = None) -> Answer:
        request = Request(url=self._base_url + path, path=path, params=params, auth=self._auth)
        return await send_repeatedly(self._http, request, self._limits)


def _drop_repeats(rows: Iterable[object]) -> list[object]:
    """Keep the first of equal rows: windows share their boundary, and a call id alone is not unique to a row."""
    return list({json.dumps(row, sort_keys=True): row for row in rows}.values())


def _check_base_url(text: str) -> str:
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
