"""The issuer's keys at hand: pace, withdrawal, and how long they are trusted."""

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.auth.issuer import IssuerError, IssuerUnusableError, SigningKey, fetch_signing_keys
from app.auth.signing_keys import KeySetOptions, SigningKeys
from tests.support.issuer import Issuer, make_key, serve_issuer


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    """A provider that answers."""
    with serve_issuer(tmp_path) as issuer:
        yield issuer


@dataclass
class Clock:
    """Seconds that pass when told."""

    now: float = field(default=1000.0)

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def open_keys(issuer: Issuer, clock: Clock, options: KeySetOptions) -> AsyncIterator[SigningKeys]:
    """Keep the provider's keys."""
    async with httpx.AsyncClient(transport=issuer.trust()) as http:
        keys = SigningKeys(http=http, issuer=issuer.url, monotonic=clock, options=options)
        yield keys
        await keys.aclose()


async def test_warming_up_asks_once(issuer: Issuer) -> None:
    """At the start the keys are fetched before anybody needs one, and known then without another question."""
    async with open_keys(issuer, Clock(), KeySetOptions()) as keys:
        await keys.warm_up()
        warmed = keys.metadata
        issuer.stop()
        await keys.warm_up()

        assert warmed is not None
        assert await keys.find("first") is not None


async def test_a_withdrawn_key_stops_working(issuer: Issuer) -> None:
    """Keys are renewed beside the requests once they are old."""
    clock = Clock()
    async with open_keys(issuer, clock, KeySetOptions(between=0, fresh=60, longest=600)) as keys:
        assert await keys.find("first") is not None
        issuer.rotate()
        del issuer.keys[0]
        clock.now += 61
        assert await keys.find("first") is not None
        await keys.refresh()

        assert await keys.find("first") is None
        assert await keys.find("key-2") is not None


async def test_old_keys_are_not_trusted_for_ever(issuer: Issuer) -> None:
    """When the issuer has been away too long nobody gets in."""
    clock = Clock()
    async with open_keys(issuer, clock, KeySetOptions(between=0, fresh=60, longest=600)) as keys:
        assert await keys.find("first") is not None
        await asyncio.to_thread(issuer.stop)
        clock.now += 601

        with pytest.raises(IssuerError):
            await keys.find("first")


async def test_a_flood_of_unknown_ids_asks_no_faster_than_the_pace(issuer: Issuer) -> None:
    """Everybody waits for the same request, and the next one keeps its distance."""
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(transport=issuer.trust()) as http:
        keys = SigningKeys(http=http, issuer=issuer.url, monotonic=loop.time, options=KeySetOptions(between=0.2))
        started = loop.time()
        for wave in range(3):
            found = await asyncio.gather(*(keys.find(f"made-up-{wave}-{number}") for number in range(50)))
            assert set(found) == {None}
        seconds = loop.time() - started
        await keys.aclose()

    assert issuer.requests.count("keys") <= 2 + seconds / 0.2


async def test_a_failure_is_remembered_for_the_pace(issuer: Issuer) -> None:
    """While the issuer is known to be away nobody is held up, and it is not asked again."""
    clock = Clock()
    await asyncio.to_thread(issuer.stop)
    async with open_keys(issuer, clock, KeySetOptions(between=5)) as keys:
        with pytest.raises(IssuerError):
            await keys.find("first")
        issuer.start()
        with pytest.raises(IssuerError):
            await keys.find("first")
        clock.now += 6

        assert await keys.find("first") is not None


async def test_keys_that_sign_nothing_are_not_kept(issuer: Issuer) -> None:
    """Symmetric keys, and those for encryption, verify no token."""
    async with open_keys(issuer, Clock(), KeySetOptions(between=0)) as keys:
        found = [await keys.find(key_id) for key_id in ("shared", "for-encryption", "first")]

    assert [key is not None for key in found] == [False, False, True]


def read_usable() -> dict[str, Any]:
    """Make a key as a provider publishes it."""
    return make_key("usable").describe()


STRANGE: dict[str, Any] = {
    "list as id": {"kid": ["a"]},
    "list as kind": {"kty": ["EC"]},
    "list as algorithm": {"alg": ["ES256"]},
    "list as use": {"use": ["sig"]},
    "number as coordinate": {"x": 5},
    "no coordinate": {"x": None},
    "list as curve": {"crv": ["P-256"]},
    "point off the curve": {"x": "AQAB", "y": "AQAB"},
    "number as modulus": {"kty": "RSA", "alg": "RS256", "n": 5, "e": "AQAB"},
    "large modulus": {"kty": "RSA", "alg": "RS256", "n": "_" * 6000, "e": "AQAB"},
    "no modulus": {"kty": "RSA", "alg": "RS256"},
}


async def read_key_set(content: bytes, **headers: str) -> dict[str, SigningKey]:
    """Read an answer of a provider."""

    async def send() -> AsyncIterator[bytes]:
        yield content

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=send(), headers=headers))
    async with httpx.AsyncClient(transport=transport) as http:
        return await fetch_signing_keys(http, "https://issuer.example/keys")


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE)
async def test_key_of_wrong_shape_is_left_out(change: dict[str, Any]) -> None:
    """The other keys of the set stay good, whatever one of them holds."""
    strange = {**read_usable(), "kid": "strange", **change}

    keys = await read_key_set(json.dumps({"keys": [strange, "none", 5, None, read_usable()]}).encode())

    assert list(keys) == ["usable"]


@pytest.mark.parametrize("document", [[], {}, {"keys": {}}, {"keys": "x"}, None, "keys"])
async def test_key_set_of_wrong_shape_is_told(document: object) -> None:
    """What is no key set is an error of the issuer."""
    with pytest.raises(IssuerUnusableError):
        await read_key_set(json.dumps(document).encode())


async def test_key_set_is_bounded_while_it_is_read() -> None:
    """Reading ends at the limit: no more is taken from the connection, and of many keys the first hundred count."""
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b" " * 65_536

    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=endless()))
    async with httpx.AsyncClient(transport=transport) as http:
        with pytest.raises(IssuerUnusableError, match="too large"):
            await fetch_signing_keys(http, "https://issuer.example/keys")
    many = [{**read_usable(), "kid": f"key-{number}"} for number in range(150)]

    assert taken == 9
    assert len(await read_key_set(json.dumps({"keys": many}).encode())) == 100


async def test_compressed_key_set_is_not_unpacked() -> None:
    """A small answer must not become one that does not fit into memory."""
    bomb = gzip.compress(b'{"keys": []}' + b" " * 50_000_000)
    tracemalloc.start()

    with pytest.raises(IssuerUnusableError, match="compressed"):
        await read_key_set(bomb, **{"Content-Encoding": "gzip"})

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2_000_000
