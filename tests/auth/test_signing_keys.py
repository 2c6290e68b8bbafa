"""The issuer's keys at hand: pace, withdrawal, and how long they are trusted."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from app.auth.issuer import IssuerError
from app.auth.signing_keys import KeySetOptions, SigningKeys
from tests.support.issuer import Issuer, serve_issuer


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
