"""Connections to the organisation, over real sockets."""

import asyncio
import gzip
import resource
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from app.dataverse.client import DataverseClient
from app.dataverse.connection import Network, connect
from app.dataverse.errors import (
    DataverseError,
    ThrottledError,
    UnreachableError,
    UnreadableAnswerError,
    UnsendableError,
)
from app.dataverse.wire import Request
from app.settings import DataverseSettings
from tests.dataverse.loopback import serve
from tests.dataverse.wire import HandedTokens

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n{"value": []}'

Serve = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """A server that does what `answer` does with every head it reads."""

    answer: Serve
    connections: int = 0
    heads: list[bytes] = field(default_factory=list)
    url: str = ""

    @asynccontextmanager
    async def listen(self) -> AsyncIterator["Peer"]:
        """Serve on a free port until the block ends."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                await self.answer(self.heads[-1], writer)
        writer.close()


async def reply(_: bytes, writer: asyncio.StreamWriter) -> None:
    """Answer with an empty page."""
    writer.write(ANSWER)
    await writer.drain()


def open_client(url: str, tokens: HandedTokens | None = None) -> DataverseClient:
    """Open a client without a proxy."""
    settings = DataverseSettings(url=url, auth="token", token="a-fake-token")
    return connect(settings, tokens=tokens or HandedTokens())


async def test_requests_one_after_the_other_share_a_connection() -> None:
    """A connection whose answer was read carries the next request."""
    async with Peer(reply).listen() as peer, open_client(peer.url) as client:
        pages = [await client.get_json("contacts") for _ in range(3)]

    assert (pages, peer.connections) == ([{"value": []}] * 3, 1)


async def test_requests_at_the_same_time_have_one_each() -> None:
    """Nobody waits for somebody else's answer."""
    everybody = asyncio.Barrier(5)

    async def wait(head: bytes, writer: asyncio.StreamWriter) -> None:
        await everybody.wait()
        await reply(head, writer)

    async with Peer(wait).listen() as peer, open_client(peer.url) as client:
        await asyncio.gather(*(client.get_json("contacts") for _ in range(5)))

    assert peer.connections == 5


async def test_only_what_the_client_says_is_sent() -> None:
    """The head holds the contract's headers, and no cookie, though the server sets one."""

    async def set_cookie(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(ANSWER.replace(b"\r\n", b"\r\nset-cookie: ARRAffinity=abc; Path=/\r\n", 1))

    async with Peer(set_cookie).listen() as peer, open_client(peer.url) as client:
        for _ in range(2):
            await client.get_json("contacts?$top=1")

    line, *headers = peer.heads[-1].decode().splitlines()
    assert line == "GET /api/data/v9.2/contacts?$top=1 HTTP/1.1"
    assert {header.partition(":")[0].lower() for header in headers if header} == {
        *("host", "accept", "accept-encoding", "user-agent", "authorization", "if-none-match"),
        *("odata-version", "odata-maxversion", "x-ms-client-request-id"),
    }


async def test_packed_answers_are_unpacked() -> None:
    """What arrives compressed is read."""
    body = gzip.compress(b'{"value": [1]}')

    async def pack(_: bytes, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    async with Peer(pack).listen() as peer, open_client(peer.url) as client:
        assert await client.get_json("contacts") == {"value": [1]}


@pytest.mark.parametrize("times", [1, 2])
async def test_answer_that_unfolds_without_end_is_given_up_early(times: int) -> None:
    """A packed answer is unpacked piece by piece and given up at 5 MB; one packed twice is not unpacked at all."""
    body = b" " * 256 * 1024 * 1024
    for _ in range(times):
        body = gzip.compress(body, 9)
    encodings = ", ".join(["gzip"] * times)

    async def pack(_: bytes, writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-encoding: {encodings}\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    async with Peer(pack).listen() as peer, open_client(peer.url) as client:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(UnreadableAnswerError):
            await client.get_json("contacts")

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_answer_packed_wrongly_is_unreadable(encoding: str) -> None:
    """What says it is packed and is not, or in a way nobody asked for, is told as that and asked for once."""

    async def pack(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(ANSWER.replace(b"\r\n", b"\r\ncontent-encoding: " + encoding.encode() + b"\r\n", 1))

    async with Peer(pack).listen() as peer, open_client(peer.url) as client:
        with pytest.raises(UnreadableAnswerError, match="broken encoding"):
            await client.get_json("contacts")

    assert len(peer.heads) == 1


@pytest.mark.parametrize(
    ("ask", "sent"),
    [
        pytest.param(lambda client: client.get_json("contacts"), [b"GET", b"GET"], id="read"),
        pytest.param(lambda client: client.update("contacts(1)", {"a": 1}), [b"PATCH"], id="update"),
        pytest.param(lambda client: client.delete("contacts(1)"), [b"DELETE"], id="delete"),
        pytest.param(lambda client: client.create("contacts", {"a": 1}), [b"POST"], id="create"),
    ],
)
async def test_broken_connection_costs_a_question_one_more_request_and_a_change_none(
    ask: Callable[[DataverseClient], Awaitable[object]], sent: list[bytes]
) -> None:
    """A kept connection that breaks is tried again once for a GET; nothing else is ever sent twice."""

    async def answer_once(head: bytes, writer: asyncio.StreamWriter) -> None:
        if b"WhoAmI" in head:
            await reply(head, writer)
        else:
            writer.close()

    async with Peer(answer_once).listen() as peer, open_client(peer.url) as client:
        await client.get_json("WhoAmI")
        with pytest.raises(UnreachableError):
            await ask(client)

    assert [head.split()[0] for head in peer.heads[1:]] == sent


@pytest.mark.parametrize("warm", [False, True])
async def test_giving_up_at_any_moment_spoils_nothing(warm: bool) -> None:  # noqa: FBT001 - a parameter
    """Wherever a request is cancelled between connecting and the end of its answer, the next one is carried."""

    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in (ANSWER[:20], ANSWER[20:60], ANSWER[60:-5], ANSWER[-5:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    async with Peer(drip).listen() as peer:
        for moment in range(40):
            async with open_client(peer.url) as client:
                if warm:
                    await client.get_json("contacts")
                request = asyncio.create_task(client.get_json("contacts"))
                for _ in range(moment):
                    await asyncio.sleep(0)
                request.cancel()
                await asyncio.gather(request, return_exceptions=True)
                assert await client.get_json("contacts") == {"value": []}, moment


async def test_answer_nobody_asked_for_is_not_taken_for_the_next_one() -> None:
    """What a server says on a kept connection unasked ends that connection, and nobody gets the answer of another."""
    more, said = asyncio.Event(), asyncio.Event()

    async def echo(head: bytes, writer: asyncio.StreamWriter) -> None:
        body = b'{"asked": "%s"}' % head.split()[1].rpartition(b"/")[2]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        if b"first" in head:
            await more.wait()
            await reply(head, writer)
            said.set()

    async with Peer(echo).listen() as peer, open_client(peer.url) as client, open_client(peer.url) as other:
        await client.get_json("first")
        more.set()
        await said.wait()
        await other.get_json("other")  # by now it has arrived

        assert [await client.get_json(name) for name in ("second", "third")] == [
            {"asked": "second"},
            {"asked": "third"},
        ]


async def test_body_without_end_is_given_up() -> None:
    """Whoever asks without a deadline is not kept for ever by a body that never ends."""

    async def drip(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        with suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        gone.set()

    gone = asyncio.Event()
    async with Peer(drip).listen() as peer:
        network = Network(certificates=ssl.create_default_context(), proxy=None, body_seconds=0.1)
        with pytest.raises(TimeoutError):
            await network.send(Request("GET", peer.url + "/", {}))
        await gone.wait()
        await network.aclose()


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"content-length: 3\r\ncontent-encoding: gzip\r\n\r\n...", id="packed wrongly"),
        pytest.param(b"content-length: 3\r\nx: y\r\n\r\n", id="not in time"),
        pytest.param(b"content-length: 6000000\r\n\r\n" + b" " * 6_000_000, id="too large"),
    ],
)
async def test_a_429_counts_whatever_becomes_of_its_words(rest: bytes) -> None:
    """Status and Retry-After are obeyed though the body that explains them cannot be read; nothing is asked again."""

    async def throttle(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 429 Too Many Requests\r\nRETRY-after: 7\r\n" + rest)
        await writer.drain()

    async with Peer(throttle).listen() as peer, open_client(peer.url) as client:
        with pytest.raises(ThrottledError) as caught:
            await client.get_json("contacts")

    assert (caught.value.facts.retry_after, len(peer.heads)) == (7.0, 1)


async def test_long_header_is_read() -> None:
    """A header of 30,000 bytes, such as a policy of a gateway, does not keep the answer out."""

    async def boast(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(ANSWER.replace(b"\r\n", b"\r\nx-policy: " + b"y" * 30_000 + b"\r\n", 1))

    async with Peer(boast).listen() as peer, open_client(peer.url) as client:
        assert await client.get_json("contacts") == {"value": []}


async def test_answer_that_nobody_reads_ends_its_connection() -> None:
    """An answer that is given up before its end leaves nothing behind for the next request."""

    promised = asyncio.Semaphore(0)

    async def promise(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(ANSWER[:-5])
        await writer.drain()
        promised.release()

    async with Peer(promise).listen() as peer, open_client(peer.url) as client:
        for _ in range(2):
            question = asyncio.create_task(client.get_json("contacts"))
            await promised.acquire()
            question.cancel()
            await asyncio.gather(question, return_exceptions=True)

    assert peer.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(ANSWER[:30], id="half a head"),
        pytest.param(ANSWER[:-5], id="half a body"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", id="broken chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", id="endless header"),
    ],
)
async def test_garbage_in_the_place_of_http_is_an_error_of_ours(answer: bytes) -> None:
    """Whatever comes back, the caller sees an error of the tree."""

    async def send(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with Peer(send).listen() as peer, open_client(peer.url) as client:
        with pytest.raises(DataverseError) as caught:
            await client.get_json("contacts")

    assert type(caught.value) is UnreachableError


async def test_closed_port_is_unreachable() -> None:
    """A refused connection is told as one."""
    async with Peer(reply).listen() as peer:
        pass
    async with open_client(peer.url) as client:
        with pytest.raises(UnreachableError, match="no connection to Dataverse: the host refuses"):
            await client.get_json("contacts")


async def test_silence_ends_with_the_deadline_of_the_caller() -> None:
    """Whoever waits with a deadline gets its end, and the place is free again."""
    silence = asyncio.Event()

    async def wait(_: bytes, writer: asyncio.StreamWriter) -> None:
        await silence.wait()
        writer.close()

    async with Peer(wait).listen() as peer, open_client(peer.url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.get_json("contacts")
        silence.set()


async def test_closing_ends_a_question_under_way_and_opens_nothing_again() -> None:
    """Whoever still waits, or asks later, gets an error of the tree, and no connection is left behind."""
    asked, silence = asyncio.Event(), asyncio.Event()

    async def wait(_: bytes, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await silence.wait()
        writer.close()

    async with Peer(wait).listen() as peer:
        client = open_client(peer.url)
        question = asyncio.create_task(client.get_json("contacts"))
        await asked.wait()
        await client.aclose()
        with pytest.raises(UnreachableError):
            await question
        with pytest.raises(UnreachableError):
            await client.get_json("contacts")
        silence.set()

    assert peer.connections == 1


@pytest.mark.parametrize("token", ["two\r\nlines", "a\0b", "tök-en", "\ud800"])
async def test_token_that_would_break_the_head_is_not_sent(token: str) -> None:
    """Nobody smuggles a header in, and the token is not shown."""
    async with Peer(reply).listen() as peer, open_client(peer.url, HandedTokens([token])) as client:
        with pytest.raises(UnsendableError) as caught:
            await client.get_json("contacts")

    assert (peer.heads, token in str(caught.value)) == ([], False)


async def test_certificate_of_a_stranger_is_refused(tmp_path: Path) -> None:
    """TLS that is not trusted carries nothing; with the right authority it does."""

    async def answer(_scope: object, _receive: object, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'{"value": []}'})

    ca = trustme.CA()
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    with serve(answer, ca=ca, folder=tmp_path) as url:
        async with open_client(url) as client:
            with pytest.raises(UnreachableError, match="TLS failed; check the certificate"):
                await client.get_json("contacts")
        settings = DataverseSettings(url=url, auth="token", token="a-fake-token")
        async with connect(settings, tokens=HandedTokens(), verify=trusting) as client:
            assert await client.get_json("contacts") == {"value": []}
