"""Callers that cost next to nothing: one connection each, kept open, and a clock."""

import asyncio
import json
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bench.load import KEY

__all__ = ["Answer", "Caller", "percentile"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call got."""

    status: int
    """0 when the connection broke before an answer."""
    milliseconds: float
    request_id: str = ""


class Caller:
    """Posts calls one after the other over one connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    async def call(self, number: str, request_id: str = "") -> Answer:
        """Post one call and read the answer."""
        if self._reader is None or self._writer is None:
            raise RuntimeError("the connection is not open")
        started = time.perf_counter()
        try:
            self._writer.write(_word(number, request_id))
            head = await self._reader.readuntil(b"\r\n\r\n")
            await self._reader.readexactly(_find_length(head))
        except (OSError, asyncio.IncompleteReadError):
            return Answer(0, (time.perf_counter() - started) * 1000, request_id)
        return Answer(int(head[9:12]), (time.perf_counter() - started) * 1000, request_id)


def percentile(values: list[float], share: float) -> float:
    """Return the value that so large a share of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _word(number: str, request_id: str) -> bytes:
    body = json.dumps({"anum": number, "bnum": "+358912345678", "targetid": "SALES_QUEUE"}).encode()
    named = f"X-Request-ID: {request_id}\r\n" if request_id else ""
    head = (
        f"POST /smartrouting HTTP/1.1\r\nHost: bench\r\nX-Benemen-APIKey: {KEY}\r\n{named}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _find_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
