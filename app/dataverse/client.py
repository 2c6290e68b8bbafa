"""The Dataverse Web API over one connection pool: headers, paging, preconditions, renewal of a rejected token.

No request leaves while the budget is spent or a Retry-After runs, whoever asks.
"""

import asyncio
import math
import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from copy import copy
from typing import Any, Final, Protocol, Self
from urllib.parse import urljoin
from uuid import UUID

import orjson

from app.dataverse.errors import (
    BudgetSpentError,
    DataverseError,
    Facts,
    ThrottledError,
    UnreachableError,
    UnreadableAnswerError,
    UnsendableError,
)
from app.dataverse.translation import FOREIGN, QUERY_THROTTLING, read_failure, translate
from app.dataverse.wire import Request, Response, Wire
from app.observability.requests import new_id
from app.observability.stages import Stage

__all__ = [
    "DataverseClient",
    "Reads",
    "RequestBudget",
    "Row",
    "Tokens",
    "count_call_places",
    "read_id",
    "read_rows",
    "read_text",
]

Row = dict[str, Any]
"""One JSON object as it stands on the wire."""
_VERSION: Final = "/api/data/v9.2/"
_OK: Final = range(200, 300)
_UNAUTHORIZED: Final = 401
_THROTTLED: Final = 429
_PAUSE_SECONDS: Final = 5.0
"""The pause after a 429 that names no time."""
_ENTITY_ID: Final = re.compile(r"\(([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\)\s*$")
_HEADERS: Final[Mapping[str, str]] = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": "smartrouting",
    "OData-Version": "4.0",
    "OData-MaxVersion": "4.0",
}


class RequestBudget:
    """Counts requests exactly, one by one, so that Dataverse never has to (Dataverse contract, section 5).

    Work that can wait keeps away from the last requests of a window, which are for calls.
    """

    def __init__(self, *, requests: int, seconds: float, monotonic: Callable[[], float]) -> None:
        """Allow so many requests (1 to 6,000 per user and web server) in any span of so many seconds (300)."""
        self._requests = requests
        self._seconds = seconds
        self._monotonic = monotonic
        self._spent: deque[float] = deque()
        self._counts: Counter[bool] = Counter()
        self._closed_until = -math.inf

    def spend(self, *, share: float = 1.0) -> float:
        """Take one request and return 0; or take none and return the seconds until one may be made.

        `share` is how much of the budget may be spent when this request is, above 0 to 1.
        """
        seconds = self.foresee(share=share)
        if seconds <= 0:
            self._spent.append(self._monotonic())
            self._counts[share >= 1] += 1
        return seconds

    def take_counts(self) -> tuple[int, int]:
        """Return how many requests were made since the last time this was asked: for calls, and for everything else."""
        counts, self._counts = self._counts, Counter()
        return counts[True], counts[False]

    def foresee(self, *, share: float = 1.0) -> float:
        """Return the seconds until a request of this share may be made, 0 when it may be made now."""
        now = self._slide()
        most = max(1, math.floor(self._requests * share))
        over = len(self._spent) - most
        opens = self._closed_until if over < 0 else max(self._closed_until, self._spent[over] + self._seconds)
        return max(0.0, opens - now)

    @property
    def closed(self) -> bool:
        """Whether nothing is allowed because `close` said so, whatever has been spent."""
        return self._monotonic() < self._closed_until

    def close(self, seconds: float) -> None:
        """Allow nothing for so many seconds, or for longer if that was said before."""
        self._closed_until = max(self._closed_until, self._monotonic() + seconds)

    def _slide(self) -> float:
        now = self._monotonic()
        while self._spent and self._spent[0] <= now - self._seconds:
            self._spent.popleft()
        return now


class Tokens(Protocol):
    """Where the client gets its access tokens."""

    async def get(self) -> str:
        """Return a token that is valid now."""

    async def renew(self, rejected: str) -> str:
        """Return a token to try after this one was rejected; the same one when there is no other."""


class Reads(Protocol):
    """Reads one JSON object, as DataverseClient and BatchedReads do."""

    async def get_json(self, path: str, *, prefer: Sequence[str] = ()) -> Row:
        """Raises DataverseError."""


class DataverseClient:
    """Sends what the query builders wrote and reads what comes back; every failure is a DataverseError.

    It has no total deadline of its own: callers put `asyncio.timeout` around it, and a cancelled call gives its
    connection and its place back.
    """

    def __init__(self, *, wire: Wire, tokens: Tokens, url: str, max_connections: int, budget: RequestBudget) -> None:
        """At most `max_connections` requests are under way at once; the others wait for their place.

        A tenth of the places is for those who leave the rest to calls.
        """
        self._wire = wire
        self._tokens = tokens
        self._budget = budget
        self._root = url.rstrip("/") + _VERSION
        self._places = asyncio.Semaphore(count_call_places(max_connections))
        others = max_connections - count_call_places(max_connections)
        self._other_places = asyncio.Semaphore(others) if others else self._places
        self._share = 1.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    def leave_rest(self, share: float) -> Self:
        """Return this client for work beside calls, which may spend only a share of the request budget.

        It uses connections of the same pool, but has places of its own: what it waits for, no call waits for.
        """
        other = copy(self)
        other._places = self._other_places  # noqa: SLF001 - it is one of us
        other._share = share  # noqa: SLF001 - it is one of us
        return other

    def foresee_pause(self) -> float:
        """Return the seconds until the next request may leave, 0 when it may leave now."""
        return self._budget.foresee(share=self._share)

    def take_counts(self) -> tuple[int, int]:
        """Return how many requests were made since this was asked last: for calls, and for everything else."""
        return self._budget.take_counts()

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

    async def get_rows(self, path: str, *, strong: bool = False) -> list[Row]:
        """Read every row of a query, page after page; `strong` reads one page, past the server's caches.

        Raises DataverseError.
        """
        if strong:
            return read_rows(await self.get_json(path, strong=True))
        return [row async for page in self.get_pages(path) for row in read_rows(page)]

    async def create(self, table: str, row: Mapping[str, object]) -> UUID:
        """Create a row in an entity set and return its id. Never repeated by itself. Raises DataverseError."""
        answer = await self._send("POST", self._root + table, {}, row)
        if found := _ENTITY_ID.search(answer.headers.get("odata-entityid", "")):
            return UUID(found[1])
        raise UnreadableAnswerError("Dataverse created a row but did not tell its id")

    async def update(self, path: str, changes: Mapping[str, object], *, etag: str = "*") -> None:
        """Change a row that exists; with an `etag`, only that version of it. Raises DataverseError."""
        await self._send("PATCH", self._root + path, {"If-Match": etag}, changes)

    async def put(self, path: str, row: Mapping[str, object]) -> None:
        """Create the row of this id, or change it where it is there. Raises DataverseError."""
        await self._send("PATCH", self._root + path, {}, row)

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

    async def post_batch(self, content: bytes, *, content_type: str) -> Response:
        """Send requests that were written as one, and return their answers unread (`app.dataverse.batch`).

        Raises DataverseError when the batch as a whole is refused.
        """
        headers = {"Accept": "multipart/mixed", "Content-Type": content_type, "Prefer": "odata.continue-on-error"}
        return await self._send("POST", f"{self._root}$batch", headers, content)

    def note_failure(self, error: DataverseError) -> None:
        """Send nothing for as long as an answer within a batch asked for."""
        if error.facts.dataverse_code not in QUERY_THROTTLING:  # that concerns one kind of question, not all of them
            self._budget.close(_PAUSE_SECONDS if error.facts.retry_after is None else error.facts.retry_after)

    async def who_am_i(self) -> str:
        """Return the `systemuserid` of the application user. Raises DataverseError."""
        user = (await self.get_json("WhoAmI")).get("UserId")
        if not isinstance(user, str):
            raise UnreadableAnswerError("WhoAmI did not name a user: the URL is not a Dataverse organisation")
        return user

    async def ping(self) -> None:
        """Ask the cheapest question there is; raises DataverseError when it is not answered."""
        await self.who_am_i()

    async def probe(self) -> Response:
        """Ask the API root without a token, so that nothing is spent; raises DataverseError when nobody answers."""
        async with self._places:
            return await self._carry(Request("GET", self._root, {}))

    def _resolve(self, path: str) -> str:
        """Make a path absolute; refuse links that would carry the token to another host."""
        if "://" not in path.split("?", 1)[0]:
            return self._root + path
        if not path.startswith(urljoin(self._root, "/")):
            raise UnreadableAnswerError("Dataverse sent a link that leads to another host")
        return path

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, object] | bytes | None = None
    ) -> Response:
        content = body if body is None or isinstance(body, bytes) else orjson.dumps(body)
        with Stage("token"):
            token = await self._tokens.get()
        answer = await self._try(method, url, headers, content, token)
        if answer.status == _UNAUTHORIZED:
            with Stage("token"):
                renewed = await self._tokens.renew(token)
            if renewed != token:
                answer = await self._try(method, url, headers, content, renewed)
        if answer.status not in _OK:
            raise read_failure(answer.status, answer.headers, answer.body)
        return answer

    async def _try(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, token: str
    ) -> Response:
        """Exchange once; a GET whose connection broke, e.g. an idle one the server closed, gets one more chance."""
        try:
            return await self._exchange(method, url, headers, content, token)
        except UnreachableError:
            if method != "GET":
                raise
            return await self._exchange(method, url, headers, content, token)

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None, token: str
    ) -> Response:
        if not token.isascii():
            raise UnsendableError("the token holds a character that cannot be sent")
        sent = {
            **_HEADERS,
            **({} if content is None else {"Content-Type": "application/json"}),
            **headers,
            "Authorization": f"Bearer {token}",
            "x-ms-client-request-id": new_id(),
        }
        async with self._places:
            with Stage("dataverse"):
                return await self._carry(Request(method, url, sent, content))

    def _explain_pause(self, seconds: float) -> ThrottledError:
        facts = Facts(retry_after=math.ceil(seconds))
        if self._budget.closed:
            return ThrottledError("Dataverse asked to be left alone for a while", facts=facts)
        return BudgetSpentError("the requests of five minutes are spent; what is left is kept for calls", facts=facts)

    async def _carry(self, request: Request) -> Response:
        """Exchange one request; raises ThrottledError while Dataverse must not be asked.

        The circuit breaker decides by look-up. Deciding here by request keeps a look-up under way, or anybody else,
        from sending into a Retry-After.
        """
        if (seconds := self._budget.spend(share=self._share)) > 0:
            raise self._explain_pause(seconds)
        try:
            response = await self._wire.send(request)
        except FOREIGN as error:
            raise translate(error) from error
        if response.status == _THROTTLED:
            self.note_failure(read_failure(response.status, response.headers, response.body))
        return response


def count_call_places(max_connections: int) -> int:
    """Return how many of the requests under way at once may be those of calls; a tenth is for other work."""
    return max_connections - max_connections // 10


def read_rows(answer: Row, name: str = "value") -> list[Row]:
    """Take the rows out of an answer; raises UnreadableAnswerError when there is no list of them."""
    rows = answer.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswerError(f"the answer holds no list {name}: the URL is not a Dataverse organisation")
    return rows


def read_id(row: Mapping[str, Any], column: str) -> str:
    """Take an id out of a row, in lower case; raises UnreadableAnswerError when there is none."""
    value = row.get(column)
    if not isinstance(value, str) or not value:
        raise UnreadableAnswerError(f"a row came without its {column}")
    return value.lower()


def read_text(row: Mapping[str, Any], column: str) -> str | None:
    """Take a text out of a row, `None` for an empty one; raises UnreadableAnswerError for anything else."""
    value = row.get(column)
    if value is not None and not isinstance(value, str):
        raise UnreadableAnswerError(f"a row came with something else than text as {column}")
    return value or None


def _read_object(answer: Response) -> Row:
    try:
        document = orjson.loads(answer.body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise UnreadableAnswerError("the answer is not JSON: the URL is not a Dataverse organisation") from error
    if not isinstance(document, dict):
        raise UnreadableAnswerError("the answer is JSON, but no object")
    return document
