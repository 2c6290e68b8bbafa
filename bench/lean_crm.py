"""A stand-in for Dataverse in a process of its own, so lean that it shares a core with the callers unnoticed."""

import asyncio
import json
import re
import sys
from typing import Any, Final

import uvloop
from typing_extensions import override

from bench.crm import make_contacts

__all__ = ["main"]

_NUMBERS: Final = re.compile("%20eq%20%27%2B([0-9]+)%27")
"""The spelling in E.164, which every question about a number holds."""
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
_PART: Final = b"Content-Type: application/http\r\n"
_DONE: Final = "--done\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\r\n"
_BATCH_HEAD: Final = "HTTP/1.1 200 OK\r\ncontent-type: multipart/mixed; boundary=done\r\ncontent-length: "
_HEAD: Final = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "


class LeanCrm(asyncio.Protocol):
    """Answers after a while: one contact for each number asked for, batches as done, anything else with nothing."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._received = b""
        self._transport: Any = None

    @override
    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(rest) < length:
                return
            self._received = rest[length:]
            line, parts = head.partition(b" HTTP/")[0], rest[:length].count(_PART)
            asyncio.get_running_loop().call_later(self._delay, self._answer, line, parts)

    def _answer(self, line: bytes, parts: int) -> None:
        if not self._transport.is_closing():
            body = json.dumps({"value": _find_contacts(line.decode())})
            answer = f"{_HEAD}{len(body)}\r\n\r\n{body}"
            if parts:
                body = _DONE * parts + "--done--\r\n"
                answer = f"{_BATCH_HEAD}{len(body)}\r\n\r\n{body}"
            self._transport.write(answer.encode())


def main(arguments: list[str]) -> None:
    """Serve on a loopback port; the arguments are the port and the seconds an answer takes."""
    port, delay = int(arguments[0]), float(arguments[1])

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: LeanCrm(delay), "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(serve())


def _find_contacts(line: str) -> list[dict[str, str]]:
    return make_contacts(_NUMBERS.findall(line)) if "/contacts?" in line else []


if __name__ == "__main__":
    main(sys.argv[1:])
