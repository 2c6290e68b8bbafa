"""An emulated Enreach API and a client that talks to it."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import httpx
import pytest
import stamina
from pydantic import SecretStr

from app.emulators.enreach import EnreachEmulator, create_enreach_emulator
from app.enreach.client import EnreachClient

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
USER, SECRET = "voice.api@contoso.example", "demo-enreach-secret"


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    """Keep the attempts but not the pauses between them."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def emulator() -> EnreachEmulator:
    """The sample organisation."""
    return create_enreach_emulator(clock=lambda: NOW)


@pytest.fixture
async def http(emulator: EnreachEmulator) -> AsyncIterator[httpx.AsyncClient]:
    """Reach the emulator, whatever the host."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(emulator)) as client:
        yield client


@pytest.fixture
def client(http: httpx.AsyncClient) -> EnreachClient:
    """A client with the right key."""
    return EnreachClient(http=http, base_url="https://enreach.example/", user=USER, secret=SecretStr(SECRET))
