"""The way to the organisation: proxies and targets."""

import asyncio
import base64

import pytest

from app.dataverse.connection import connect
from app.dataverse.errors import DataverseError, UnreachableError
from app.settings import DataverseSettings, SettingsError
from bench.world import serve_app
from tests.directory.wired import EndlessToken

LONG = "contacts?$filter=mobilephone%20eq%20%27%2B358%27%20or%20x%20eq%20%27(a),/:%27&$top=10"


def make_settings(url: str) -> DataverseSettings:
    """Make the settings of an organisation."""
    return DataverseSettings(url=url, auth="token", token="fake-token")


async def record(scope: dict[str, object], _receive: object, send: object) -> None:
    """Answer with what was asked for."""
    target = bytes(scope["raw_path"]) + b"?" + bytes(scope["query_string"])  # type: ignore[arg-type]
    head = [(b"content-type", b"application/json"), (b"x-target", target)]
    await send({"type": "http.response.start", "status": 200, "headers": head})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b'{"target":"%s"}' % target})  # type: ignore[operator]


async def test_questions_arrive_as_they_were_written() -> None:
    """What follows the host reaches the server byte for byte."""
    with serve_app(record, lifespan="off") as (url, _):
        async with connect(make_settings(url), tokens=EndlessToken("t")) as client:
            assert await client.get_json(LONG) == {"target": f"/api/data/v9.2/{LONG}"}
            blank = await client.get_json("contacts?$filter=name eq 'ä b'")
            assert blank["target"].startswith("/api/data/v9.2/contacts?$filter=name%20eq%20'%C3%A4%20b'")


@pytest.mark.parametrize(
    ("url", "variable", "asked"),
    [
        pytest.param("http://crm.example", "HTTP_PROXY", b"GET http://crm.example/api/data/v9.2/WhoAmI", id="plain"),
        pytest.param("http://bücher.example", "HTTP_PROXY", b"GET http://xn--bcher-kva.example/api/", id="umlaut"),
        pytest.param("https://crm.example", "HTTPS_PROXY", b"CONNECT crm.example:443 ", id="tunnel"),
        pytest.param("https://crm.example", "ALL_PROXY", b"CONNECT crm.example:443 ", id="all"),
    ],
)
async def test_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, url: str, variable: str, asked: bytes
) -> None:
    """The usual variables name the proxy, also for the connections we keep ourselves."""
    forget_proxies(monkeypatch)
    lines: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    monkeypatch.setenv(variable, f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    settings = make_settings("http://127.0.0.1").model_copy(update={"url": url})
    async with server, connect(settings, tokens=EndlessToken("t")) as client:
        with pytest.raises(DataverseError):
            await client.who_am_i()
    assert lines[0].startswith(asked)


async def test_proxy_gets_its_credentials_and_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials in the proxy's address go to it, decoded; what is for Dataverse does not, nor into the error."""
    forget_proxies(monkeypatch)
    heads: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://us%40er:p%3Ass@127.0.0.1:{port}")
    async with server, connect(make_settings("https://crm.example"), tokens=EndlessToken("t0ken")) as client:
        with pytest.raises(UnreachableError, match="proxy") as caught:
            await client.who_am_i()

    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"us@er:p:ss") in heads[0]
    assert b"t0ken" not in b"".join(heads)
    assert "ss" not in str(caught.value).replace("settings", "")


async def test_host_without_proxy_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """`NO_PROXY` names hosts that are not asked through it."""
    forget_proxies(monkeypatch)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost")
    with serve_app(record, lifespan="off") as (url, _):
        async with connect(make_settings(url), tokens=EndlessToken("t")) as client:
            assert (await client.get_json("contacts"))["target"] == "/api/data/v9.2/contacts?"


def test_proxy_that_is_not_spoken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy is refused at the start, without its credentials being shown."""
    forget_proxies(monkeypatch)
    monkeypatch.setenv("ALL_PROXY", "socks5://user:secret@127.0.0.1:9")

    with pytest.raises(SettingsError, match="SOCKS") as caught:
        connect(make_settings("http://127.0.0.1:1"), tokens=EndlessToken("t"))

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy", ["http://", "http:///secret", "http://secret@:8080", "http://u:secret@host:99999", "http://[::secret"]
)
def test_proxy_that_is_no_url_is_refused(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    """A mistyped proxy is told at the start, as what it is and without what it holds; nothing goes around it."""
    forget_proxies(monkeypatch)
    monkeypatch.setenv("HTTP_PROXY", proxy)

    with pytest.raises(SettingsError, match="proxy") as caught:
        connect(make_settings("http://127.0.0.1:1"), tokens=EndlessToken("t"))

    assert "secret" not in str(caught.value)


def forget_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start without any proxy."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_missing_url_is_named() -> None:
    """Without a URL there is nothing to connect to."""
    with pytest.raises(SettingsError):
        connect(DataverseSettings(), tokens=EndlessToken("t"))
