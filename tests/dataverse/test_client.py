"""What the client puts on the wire, and how it takes what comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import httpx
import pytest
from dirty_equals import IsUUID

from app.dataverse.connection import connect
from app.dataverse.errors import (
    PreconditionError,
    TokenRejectedError,
    UnreachableError,
    UnreadableAnswerError,
    UnsendableError,
)
from tests.dataverse.wire import ORG, HandedTokens, Wire, read_organisation

ROOT = f"{ORG}/api/data/v9.2/"
ID = "70bf4d48-34cb-ed11-b596-0022481d68cd"

Answer = Callable[[httpx.Request], httpx.Response]


def in_turn(*responses: httpx.Response) -> Answer:
    remaining = iter(responses)
    return lambda _: next(remaining)


def page(*rows: object, **links: str) -> httpx.Response:
    return httpx.Response(200, json={"value": rows, **{f"@odata.{name}": link for name, link in links.items()}})


async def test_a_read_carries_the_headers_of_the_contract() -> None:
    """A GET sends the OData headers, the token, and the literal null that stops cached answers."""
    wire = Wire()

    async with wire.open() as client:
        await client.get_json("contacts", prefer=("a=1", "b"), strong=True)

    [request] = wire.requests
    assert str(request.url) == ROOT + "contacts"
    assert {name: request.headers.get(name) for name in SENT} == SENT
    assert request.headers.get("content-type") is None


SENT = {
    "accept": "application/json",
    "accept-encoding": "gzip",
    "odata-version": "4.0",
    "odata-maxversion": "4.0",
    "if-none-match": "null",
    "authorization": "Bearer token-1",
    "prefer": "a=1,b",
    "consistency": "Strong",
    "x-ms-client-request-id": IsUUID(),
    "cookie": None,
}


async def test_cookies_are_never_sent_back() -> None:
    """The affinity cookie of a server is dropped, so that requests spread over servers."""
    wire = Wire(lambda _: httpx.Response(200, json={}, headers={"Set-Cookie": "ARRAffinity=abc; Path=/; Secure"}))

    async with wire.open() as client:
        await client.get_json("WhoAmI")
        await client.get_json("WhoAmI")

    assert [request.headers.get("cookie") for request in wire.requests] == [None, None]


async def test_pages_are_followed_verbatim_with_the_same_preferences() -> None:
    """A next link is sent byte for byte, encoded or not, and the last page brings the delta link."""
    link = "/api/data/v9.2/contacts?$select=a,b&$skiptoken=%3Ccookie%20pagenumber=%222%22%20x=%2522%252b%2522%20/%3E"
    delta = ROOT + "contacts?$deltatoken=919042%2108%2F22"
    wire = Wire(in_turn(page({"n": 1}, nextLink=ORG + link), page({"n": 2}, deltaLink=delta)))

    async with wire.open() as client:
        pages = [p async for p in client.get_pages("contacts", prefer=("odata.track-changes",), page_size=1)]

    assert [p["value"] for p in pages] == [[{"n": 1}], [{"n": 2}]]
    assert pages[-1]["@odata.deltaLink"] == delta
    assert wire.requests[1].url.raw_path == link.encode()
    assert {request.headers["prefer"] for request in wire.requests} == {"odata.track-changes,odata.maxpagesize=1"}


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/api/data/v9.2/contacts?$skiptoken=1",
        "https://contoso.crm4.dynamics.com.evil.example/x",
        "http://contoso.crm4.dynamics.com/api/data/v9.2/contacts",
        "https://contoso.crm4.dynamics.com@evil.example/x",
    ],
)
async def test_a_link_to_another_origin_is_refused(link: str) -> None:
    """The token is never carried to another host, scheme or port."""
    wire = Wire(lambda _: page(nextLink=link))

    async with wire.open() as client:
        with pytest.raises(UnreadableAnswerError, match="another host"):
            [p async for p in client.get_pages("contacts")]

    assert len(wire.requests) == 1


async def test_a_circle_of_links_ends() -> None:
    """A next link that was followed before is an error, not an endless loop."""
    wire = Wire(lambda _: page(nextLink=ROOT + "contacts?$skiptoken=1"))

    async with wire.open() as client:
        with pytest.raises(UnreadableAnswerError, match="circle"):
            [p async for p in client.get_pages("contacts")]

    assert len(wire.requests) == 2


async def test_writes_use_the_preconditions_of_the_contract() -> None:
    """Each kind of write has its method, URL, precondition and body."""
    wire = Wire(lambda _: httpx.Response(204, headers={"OData-EntityId": f"{ROOT}phonecalls({ID})"}))

    async with wire.open() as client:
        created = await client.create("phonecalls", {"subject": "a + b"})
        await client.update(f"phonecalls({ID})", {"statecode": 1}, etag='W/"17"')
        await client.update(f"phonecalls({ID})", {"statecode": 1})
        await client.delete(f"phonecalls({ID})", etag='W/"17"')
        await client.associate("systemusers(u)", "systemuserroles_association", "roles(r)")
        await client.disassociate("systemusers(u)", "systemuserroles_association", "r")

    assert created == UUID(ID)
    assert [
        (
            r.method,
            str(r.url).removeprefix(ROOT),
            r.headers.get("if-match"),
            r.headers.get("if-none-match"),
            r.content.decode(),
        )
        for r in wire.requests
    ] == [
        ("POST", "phonecalls", None, None, '{"subject":"a + b"}'),
        ("PATCH", f"phonecalls({ID})", 'W/"17"', None, '{"statecode":1}'),
        ("PATCH", f"phonecalls({ID})", "*", None, '{"statecode":1}'),
        ("DELETE", f"phonecalls({ID})", 'W/"17"', None, ""),
        (
            "POST",
            "systemusers(u)/systemuserroles_association/$ref",
            None,
            None,
            f'{{"@odata.id":"{ROOT}roles(r)"}}',
        ),
        ("DELETE", "systemusers(u)/systemuserroles_association(r)/$ref", None, None, ""),
    ]
    assert {(bool(r.content), r.headers.get("content-type")) for r in wire.requests} == {
        (True, "application/json"),
        (False, None),
    }


@pytest.mark.parametrize(
    ("name", "location"),
    [("ODATA-ENTITYID", f"{ROOT}phonecalls({ID})"), ("odata-entityid", f"{ROOT}phonecalls({ID.upper()}) ")],
)
async def test_the_id_of_a_created_row_is_read_in_any_case(name: str, location: str) -> None:
    """Neither the header's name nor the id need have the letters of the contract."""
    async with Wire(lambda _: httpx.Response(204, headers={name: location})).open() as client:
        assert await client.create("phonecalls", {}) == UUID(ID)


@pytest.mark.parametrize("location", [None, "", f"{ROOT}phonecalls({'-' * 36})", f"{ROOT}phonecalls({ID}"])
async def test_a_created_row_without_an_id_is_unreadable(location: str | None) -> None:
    """What holds no id in the place of one is an error of ours."""
    headers = {} if location is None else {"OData-EntityId": location}
    async with Wire(lambda _: httpx.Response(204, headers=headers)).open() as client:
        with pytest.raises(UnreadableAnswerError):
            await client.create("phonecalls", {})


async def test_a_failed_precondition_is_its_own_error() -> None:
    """412 tells the caller that somebody was faster."""
    wire = Wire(lambda _: httpx.Response(412, json={"error": {"code": "0x80060882", "message": "Mismatch"}}))

    async with wire.open() as client:
        with pytest.raises(PreconditionError) as caught:
            await client.update(f"contacts({ID})", {}, etag='W/"1"')

    assert caught.value.facts.http_status == 412


async def test_a_rejected_token_is_renewed_once_and_the_request_repeated() -> None:
    """401 leads to one renewal and one repetition with the new token."""
    wire = Wire(
        lambda r: httpx.Response(200 if r.headers["authorization"] == "Bearer new" else 401, json={"UserId": ID}),
        tokens=HandedTokens(["old", "new"]),
    )

    async with wire.open() as client:
        assert await client.who_am_i() == ID

    assert [r.headers["authorization"] for r in wire.requests] == ["Bearer old", "Bearer new"]


@pytest.mark.parametrize(
    ("tokens", "sent"), [(["old", "new", "newer"], 2), (["static"], 1)], ids=["renewable", "static"]
)
async def test_a_token_rejected_again_is_an_error(tokens: list[str], sent: int) -> None:
    """A second 401 ends it, and a token that cannot be renewed is not sent twice."""
    wire = Wire(lambda _: httpx.Response(401), tokens=HandedTokens(tokens))

    async with wire.open() as client:
        with pytest.raises(TokenRejectedError):
            await client.ping()

    assert (len(wire.requests), wire.tokens.renewals) == (sent, 1)


def drop(request: httpx.Request) -> httpx.Response:
    raise httpx.RemoteProtocolError("Server disconnected", request=request)


async def test_a_read_survives_one_broken_connection() -> None:
    """An idle connection the server closed costs a second attempt, no failure."""
    wire = Wire(lambda request: drop(request) if len(wire.requests) == 1 else httpx.Response(200, json={"UserId": ID}))

    async with wire.open() as client:
        assert await client.who_am_i() == ID


async def test_a_broken_connection_is_tried_twice_for_reads_and_never_for_writes() -> None:
    """Two attempts are the most for a GET; a write might have happened, so it is sent once."""
    wire = Wire(drop)

    async with wire.open() as client:
        with pytest.raises(UnreachableError):
            await client.ping()
        with pytest.raises(UnreachableError):
            await client.create("phonecalls", {})

    assert [r.method for r in wire.requests] == ["GET", "GET", "POST"]


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        pytest.param(302, {"Location": "https://login.example/"}, b"", id="redirect"),
        pytest.param(200, {}, b"<html>Sign in</html>", id="html"),
        pytest.param(200, {}, b"[1]", id="list"),
        pytest.param(200, {}, b"\xff\xfe", id="garbage"),
        pytest.param(200, {}, b" " * (5 * 1024 * 1024 + 1), id="too-large"),
        pytest.param(200, {"Content-Encoding": "gzip"}, b"{}", id="broken-encoding"),
    ],
)
async def test_an_answer_that_is_not_dataverses_is_unreadable(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    """Redirects, pages, garbage and floods are one error with words for the operator."""
    wire = Wire(lambda _: httpx.Response(status, headers=headers, stream=Body(body)))

    async with wire.open() as client:
        with pytest.raises(UnreadableAnswerError):
            await client.get_json("WhoAmI")

    assert len(wire.requests) == 1


class Body(httpx.AsyncByteStream):
    """A body that nobody has read yet."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


async def test_a_token_that_cannot_be_sent_is_an_error_of_ours() -> None:
    """A token with letters outside ASCII is told as such, without showing it."""
    async with Wire(tokens=HandedTokens(["tök-en"])).open() as client:
        with pytest.raises(UnsendableError) as caught:
            await client.ping()

    assert "tök" not in str(caught.value)


async def test_requests_at_once_are_limited_and_a_cancelled_one_gives_its_place_back() -> None:
    """No more than the configured number is under way, and whoever gives up frees what it held."""
    started: asyncio.Queue[str] = asyncio.Queue()
    release = asyncio.Event()

    async def hold(request: httpx.Request) -> httpx.Response:
        started.put_nowait(request.url.path)
        await release.wait()
        return httpx.Response(200, json={})

    settings = read_organisation(max_connections=2)
    async with connect(settings, tokens=HandedTokens(), transport=httpx.MockTransport(hold)) as client:
        for _ in range(5):
            burst = asyncio.gather(*[client.get_json(name) for name in "abcd"])
            await started.get()
            await started.get()
            burst.cancel()
            with pytest.raises(asyncio.CancelledError):
                await burst
            assert started.empty()
        release.set()

        assert await asyncio.gather(*[client.get_json(name) for name in "abcd"]) == [{}, {}, {}, {}]
