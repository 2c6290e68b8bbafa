"""The Dataverse Web API over one connection pool: headers, paging, preconditions, one renewal of a rejected token."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self
from urllib.parse import urljoin
from uuid import UUID, uuid4

import httpx
import orjson

from app.dataverse.errors import UnreachableError, UnreadableAnswerError
from app.dataverse.translation import read_failure, translate
from app.observability.stages import measure_stage

__all__ = ["SHARE", "DataverseClient", "Row", "Tokens"]

SHARE: Final = "smartrouting.share"
"""The extension of a request that says which share of the request budget it may touch."""

Row = dict[str, Any]
"""One JSON object as it stands on the wire."""

_VERSION: Final = "/api/data/v9.2/"
_LARGEST_ANSWER: Final = 5 * 1024 * 1024
_OK: Final = range(200, 300)
_UNAUTHORIZED: Final = 401
_ENTITY_ID: Final = re.compile(r"\(([0-9a-fA-F-]{36})\)\s*$")
_PLAIN: Final = re.compile(r"https?://[^/?#]+/[!-~]*")
"""A URL that needs no mending: printable ASCII without blanks."""
_HEADERS: Final[Mapping[str, str]] = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "smartrouting",
    "OData-Version": "4.0",
    "OData-MaxVersion": "4.0",
}


class Tokens(Protocol):
    """Where the client gets its access tokens."""

    async def get(self) -> str:
        """Return a token that is valid now."""

    async def renew(self, rejected: str) -> str:
        """Return a token to try after this one was rejected; the same one when there is no other."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A successful answer, read to its end."""

    status: int
    headers: httpx.Headers
    body: bytes


class DataverseClient:
    """Sends what the query builders wrote and reads what comes back; every failure is a DataverseError.

    It has no total deadline of its own: callers put `asyncio.timeout` around it, and a cancelled call gives its
    connection and its place back.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport,
        tokens: Tokens,
        url: str,
        max_connections: int,
        raw_targets: bool = False,
    ) -> None:
        """With `raw_targets` the rest of a URL goes to the network as it is, in the extension httpx has for that.

        Only a transport that knows the extension takes it; reading a URL as long as a look-up's costs httpx as much
        as everything else about the request. The client of httpx is passed by for the same reason: it has nothing to
        do here, where there are no redirects, no cookies and one kind of authentication.
        """
        self._transport = transport
        self._origin = httpx.URL(urljoin(url, "/")) if raw_targets else None
        self._tokens = tokens
        self._root = url.rstrip("/") + _VERSION
        self._places = asyncio.Semaphore(max_connections)
        self._marks: Mapping[str, Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    def leave_rest(self, share: float) -> Self:
        """Return this client, over the same connections, for work that may spend only a share of the request budget."""
        other = copy(self)
        other._marks = {SHARE: share}  # noqa: SLF001 - it is one of us
        return other

    def locate(self, path: str) -> str:
        """Return the absolute URL of a path such as `systemusers(…)`, as `@odata.id` and `$ref` need it."""
        return self._root + path

    async def get_json(self, path: str, *, prefer: Sequence[str] = (), strong: bool = False) -> Row:
        """Read one JSON object; `strong` bypasses the server's caches of metadata and permissions.

        `path` is relative to the API, or a next or delta link of this organisation. Raises DataverseError.
        """
        headers = {"If-None-Match": "null"}
        if prefer:
            headers["Prefer"] = ",".join(prefer)
        if strong:
            headers["Consistency"] = "Strong"
        return _read_object(await self._send("GET", self._resolve(path), headers))

    async def get_pages(self, path: str, *, prefer: Sequence[str] = (), page_size: int = 2000) -> AsyncIterator[Row]:
        """Read page after page, the last of which may carry `@odata.deltaLink` (Dataverse contract, sections 1.4, 1.8).

        Next links are followed verbatim with the same preferences. At 5 MB an answer is too large, so ask for at
        most 2,000 rows of a few columns. Raises DataverseError, also for a link that leads elsewhere or in a circle.
        """
        prefer = (*prefer, f"odata.maxpagesize={page_size}")
        seen: set[str] = set()
        link: object = path
        while link is not None:
            if not isinstance(link, str) or link in seen:
                raise UnreadableAnswerError("Dataverse sent a next link that is no link or leads in a circle")
            seen.add(link)
            page = await self.get_json(link, prefer=prefer)
            yield page
            link = page.get("@odata.nextLink")

    async def create(self, table: str, row: Mapping[str, object]) -> UUID:
        """Create a row in an entity set and return its id. Never repeated by itself. Raises DataverseError."""
        answer = await self._send("POST", self._root + table, {}, row)
        if found := _ENTITY_ID.search(answer.headers.get("OData-EntityId", "")):
            return UUID(found[1])
        raise UnreadableAnswerError("Dataverse created a row but did not tell its id")

    async def update(self, path: str, changes: Mapping[str, object], *, etag: str = "*") -> None:
        """Change a row that exists; with an `etag`, only that version of it. Raises DataverseError."""
        await self._send("PATCH", self._root + path, {"If-Match": etag}, changes)

    async def delete(self, path: str, *, etag: str | None = None) -> None:
        """Delete a row; with an `etag`, only that version of it. Raises DataverseError."""
        await self._send("DELETE", self._root + path, {"If-Match": etag} if etag else {})

    async def associate(self, path: str, navigation: str, target: str) -> None:
        """Link two rows: `associate("systemusers(…)", "systemuserroles_association", "roles(…)")`.

        Source: Dataverse contract, section 7.3. Raises DataverseError.
        """
        await self._send("POST", f"{self._root}{path}/{navigation}/$ref", {}, {"@odata.id": self.locate(target)})

    async def disassociate(self, path: str, navigation: str, target_id: str) -> None:
        """Remove the link to the row with this id. Raises DataverseError."""
        await self._send("DELETE", f"{self._root}{path}/{navigation}({target_id})/$ref", {})

    async def who_am_i(self) -> str:
        """Return the `systemuserid` of the application user. Raises DataverseError."""
        user = (await self.get_json("WhoAmI")).get("UserId")
        if not isinstance(user, str):
            raise UnreadableAnswerError("WhoAmI did not name a user: the URL is not a Dataverse organisation")
        return user

    async def ping(self) -> None:
        """Ask the cheapest question there is; raises DataverseError when it is not answered."""
        await self.who_am_i()

    async def probe(self) -> int:
        """Return the HTTP status of the API root without a token; raises DataverseError when nobody answers."""
        with translate():
            async with self._places:
                return (await self._carry(httpx.Request("GET", self._root))).status

    def _resolve(self, path: str) -> str:
        """Make a path absolute; refuse links that would carry the token to another host."""
        if "://" not in path.split("?", 1)[0]:
            return self._root + path
        if not path.startswith(urljoin(self._root, "/")):
            raise UnreadableAnswerError("Dataverse sent a link that leads to another host")
        return path

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, object] | None = None
    ) -> _Answer:
        content = None if body is None else orjson.dumps(body)
        with measure_stage("token"):
            token = await self._tokens.get()
        answer = await self._try(method, url, headers, content, token)
        if answer.status == _UNAUTHORIZED:
            with measure_stage("token"):
                renewed = await self._tokens.renew(token)
            if renewed != token:
                answer = await self._try(method, url, headers, content, renewed)
        if answer.status not in _OK:
            raise read_failure(answer.status, answer.headers, answer.body)
        return answer

    async def _try(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, token: str
    ) -> _Answer:
        """Exchange once; a GET whose connection broke, e.g. an idle one the server closed, gets one more chance."""
        try:
            return await self._exchange(method, url, headers, content, token)
        except UnreachableError:
            if method != "GET":
                raise
            return await self._exchange(method, url, headers, content, token)

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, token: str
    ) -> _Answer:
        sent = {
            **_HEADERS,
            **headers,
            "Authorization": f"Bearer {token}",
            "x-ms-client-request-id": str(uuid4()),
            **({} if content is None else {"Content-Type": "application/json"}),
        }
        async with self._places:
            with translate(), measure_stage("dataverse"):
                place, extensions = self._spell(url)
                return await self._carry(
                    httpx.Request(method, place, headers=sent, content=content, extensions=extensions)
                )

    async def _carry(self, request: httpx.Request) -> _Answer:
        response = await self._transport.handle_async_request(request)
        try:
            return _Answer(response.status_code, response.headers, await _read_bounded(response))
        finally:
            await response.aclose()

    def _spell(self, url: str) -> tuple[httpx.URL | str, dict[str, Any]]:
        """Say where a request goes: the origin and the rest as it is, or a URL that httpx reads and mends."""
        if self._origin is None or not _PLAIN.fullmatch(url):
            return url, {**self._marks}
        return self._origin, {**self._marks, "target": url[url.index("/", url.index("://") + 3) :].encode()}


async def _read_bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise UnreadableAnswerError("the answer of Dataverse is larger than 5 MB")
    return bytes(body)


def _read_object(answer: _Answer) -> Row:
    try:
        document = orjson.loads(answer.body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise UnreadableAnswerError("the answer is not JSON: the URL is not a Dataverse organisation") from error
    if not isinstance(document, dict):
        raise UnreadableAnswerError("the answer is JSON, but no object")
    return document
