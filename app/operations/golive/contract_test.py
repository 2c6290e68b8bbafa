"""Plays every shape of request against a webhook, and judges the answers (Enreach contract, section 1.3)."""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

import httpx
import orjson

from app.auth.contract_marks import HEADER, make_mark

__all__ = ["SLOWEST_DEADLINE", "ContractTest", "ShapeResult", "describe_results", "list_shapes"]

SLOWEST_DEADLINE: Final = 5.0
"""Seconds: no webhook answers later, so a body that takes longer is too slow for any."""
_IN_TIME_SECONDS: Final = 4.0
"""A queue waits five seconds; one is left for the way."""
_CALLER, _CALLED = "+447700900123", "+447700900456"
"""Numbers kept for fiction."""
_TOO_LARGE_BYTES: Final = 1_200_000
"""More than any setting lets through."""
_SHOWN: Final = 2000
_MAX_ANSWER_BYTES: Final = 65_536
_ANSWER_SECONDS: Final = 30.0
_MALFORMED: Final = b'{"anum": "+447700900123", "bnum": "+447700900456", "targetid: "SALES_QUEUE" "extradata": {}}'
"""The mistake of the vendor's own sample."""
_OK, _UNAUTHORIZED, _TOO_SLOW, _TOO_BIG, _UNREADABLE = 200, 401, 408, 413, 422
_NO_CHANGE: Final = frozenset({204, 404})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A request, and which answers are right."""

    name: str
    content: bytes
    credential: Literal["right", "wrong", "none"] = "right"
    slow: bool = False
    refused_with: int | None = None
    """The status of the refusal; `None` for a call that must be decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeResult:
    """What was asked and answered; holds no secret."""

    name: str
    request: str
    """The body, shortened."""
    status: int | None
    """`None` when there was no answer."""
    answer: str
    seconds: float
    verdict: Literal["ok", "wrong"]
    detail: str
    """Why it is so judged."""


def list_shapes(target_ids: Sequence[str]) -> list[Shape]:
    """List all shapes; the full call is played for each of these target ids."""
    call = {"anum": _CALLER, "bnum": _CALLED}
    extra = {
        "CallId": "d59d7a2f-318a-469e-bdc0-b092a8fedbc1",
        "LegId": "66299cde606b3db6d413cd208f7e5cab@192.0.2.1_br1",
        "CurrQueueId": "1a89fc22-517a-e611-80c9-00505689257e",
        "CurrUserId": "",
        "IsInternalCaller": False,
        "DYN_PAR_Culture": "en-GB",
    }
    more = {**extra, "DYN_PAR_Number": 7, "DYN_PAR_List": [1, None], "SomethingNew": {"deep": True}}
    refused = [
        Shape(name="malformed", content=_MALFORMED, refused_with=_UNREADABLE),
        Shape(name="no anum", content=orjson.dumps({"bnum": _CALLED}), refused_with=_UNREADABLE),
        Shape(name="no object", content=b"[]", refused_with=_UNREADABLE),
        Shape(name="wrong key", content=orjson.dumps(call), credential="wrong", refused_with=_UNAUTHORIZED),
        Shape(name="no key", content=orjson.dumps(call), credential="none", refused_with=_UNAUTHORIZED),
        Shape(name="too large", content=orjson.dumps({**call, "pad": "x" * _TOO_LARGE_BYTES}), refused_with=_TOO_BIG),
        Shape(name="slow", content=orjson.dumps(call), slow=True, refused_with=_TOO_SLOW),
    ]
    decided: dict[str, dict[str, object]] = {
        "first generation": {**call},
        **{f"full, {each}": {**call, "targetid": each, "extradata": extra} for each in target_ids or ["SALES_QUEUE"]},
        "extended": {**call, "targetid": None, "extradata": more, "unknown": [1]},
        "withheld, null": {**call, "anum": None},
        "withheld, empty": {**call, "anum": ""},
        "withheld, a word": {**call, "anum": "anonymous"},
        "short": {**call, "anum": "100"},
        "no called number": {"anum": _CALLER},
    }
    return [*(Shape(name=name, content=orjson.dumps(body)) for name, body in decided.items()), *refused]


class ContractTest:
    """Posts the shapes one after the other, marked, so that they are counted nowhere."""

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        url: str,
        credential: tuple[str | None, str],
        deadline: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`credential` is a user of HTTP Basic, or `None`, and a secret; `deadline` is the webhook's, in seconds."""
        self._http = http
        self._url = url
        self._user, self._secret = credential
        self._deadline = deadline
        self._clock = clock

    async def play(self, shape: Shape) -> ShapeResult:
        """Post one, and judge what comes back; whatever goes wrong is a result."""
        started = time.perf_counter()
        content = self._send_slowly(shape.content) if shape.slow else shape.content
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                status, text = await self._ask(content, self._make_headers(shape))
        except (httpx.HTTPError, TimeoutError) as error:
            status, text = None, ""
            # The answer may be lost where the service closes while the rest of the body is still being sent.
            closed = isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError)
            refused = closed and shape.refused_with in {_TOO_SLOW, _TOO_BIG}
            problem = "" if refused else f"no answer: {type(error).__name__}"
        seconds = time.perf_counter() - started
        if status is not None:
            problem = _find_problem(shape, status, text, seconds)
        return ShapeResult(
            name=shape.name,
            request=shape.content[:_SHOWN].decode(),
            status=status,
            answer=text[:_SHOWN],
            seconds=round(seconds, 3),
            verdict="wrong" if problem else "ok",
            detail=problem or "as the contract says",
        )

    async def _ask(self, content: bytes | AsyncIterator[bytes], headers: Mapping[str, str]) -> tuple[int, str]:
        """Post, and read no more of the answer than anybody looks at."""
        post = self._http.stream("POST", self._url, content=content, headers=headers, follow_redirects=False)
        async with post as response:
            read = b""
            async for part in response.aiter_bytes():
                read += part
                if len(read) > _MAX_ANSWER_BYTES:
                    break
        return response.status_code, read.decode(errors="replace")

    def _make_headers(self, shape: Shape) -> dict[str, str]:
        headers = {"Content-Type": "application/json", HEADER: make_mark(self._secret, now=self._clock())}
        if shape.credential == "wrong":
            headers["X-Benemen-APIKey"] = "wrong-on-purpose"
        elif shape.credential == "right" and self._user is None:
            headers["X-Benemen-APIKey"] = self._secret
        elif shape.credential == "right":
            pair = b64encode(f"{self._user}:{self._secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return headers

    async def _send_slowly(self, content: bytes) -> AsyncIterator[bytes]:
        yield content[:1]
        await asyncio.sleep(self._deadline + 0.3)
        yield content[1:]


def describe_results(url: str, results: Sequence[ShapeResult]) -> dict[str, object]:
    """Write them as JSON values."""
    passed = all(result.verdict == "ok" for result in results)
    return {"url": url, "passed": passed, "items": [asdict(result) for result in results]}


def _find_problem(shape: Shape, status: int, text: str, seconds: float) -> str:
    """Say what is wrong with an answer; nothing when nothing is."""
    if shape.slow and _is_decision(status, text):
        return ""  # A proxy collects bodies before it passes them on.
    if shape.refused_with is not None:
        return "" if status == shape.refused_with else f"answered {status} instead of {shape.refused_with}"
    if not _is_decision(status, text):
        return f"answered {status}, which is neither 200 with instructions nor an empty 204 or 404"
    return "" if seconds <= _IN_TIME_SECONDS else f"took {seconds:.1f} s: the queue gives up after 5"


def _is_decision(status: int, text: str) -> bool:
    if status in _NO_CHANGE:
        return not text
    if status != _OK:
        return False
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(body, dict) and bool(body)
