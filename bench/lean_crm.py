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
_HEAD: Final = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "


class LeanCrm(asyncio.Protocol):
    """Answers every GET after a while: contacts with one for each number asked for, anything else with nothing."""

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
            request, _, self._received = self._received.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(self._delay, self._answer, request.partition(b" HTTP/")[0])

    def _answer(self, line: bytes) -> None:
        if not self._transport.is_closing():
            body = json.dumps({"value": _find_contacts(line.decode())})
            self._transport.write(f"{_HEAD}{len(body)}\r\n\r\n{body}".encode())


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
