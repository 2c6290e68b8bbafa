"""Discovery and the exchange of a password for a key."""

import httpx
import pytest
from pydantic import SecretStr

from app.emulators.enreach import EnreachEmulator
from app.emulators.faults import Fault, FaultKind
from app.enreach.discovery import EnreachDiscovery
from app.enreach.errors import (
    EnreachNotConfiguredError,
    EnreachNotFoundError,
    EnreachServerFailedError,
    EnreachUnauthorizedError,
)

EMAIL = "voice.api@contoso.example"


async def test_discovery_finds_the_api_without_its_trailing_slash(http: httpx.AsyncClient) -> None:
    """The endpoint that is told with a slash is returned without."""
    discovery = EnreachDiscovery(http=http, url="https://discover.example/")

    assert (await discovery.list_silos(EMAIL)).rows[0].api_endpoint == "https://discover.example/"
    assert await discovery.find_api_url(EMAIL) == "https://discover.example"


async def test_unknown_user_has_no_api(http: httpx.AsyncClient) -> None:
    """An empty answer is said in words, without the address that was asked for."""
    with pytest.raises(EnreachNotFoundError) as caught:
        await EnreachDiscovery(http=http).find_api_url("nobody@contoso.example")

    assert "nobody" not in str(caught.value)


async def test_password_is_exchanged_for_a_key(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """The key and the user it belongs to come back, the key hidden."""
    key = await EnreachDiscovery(http=http).request_key(
        "https://enreach.example/", email=EMAIL, password=SecretStr("demo-password-not-a-secret")
    )

    own = next(row["Id"] for row in emulator.tables["users"] if row["UserName"] == EMAIL)
    assert (key.secret.get_secret_value(), key.user_id) == ("demo-enreach-secret", own)
    assert "demo-enreach-secret" not in repr(key)


async def test_wrong_password_is_unauthorized(http: httpx.AsyncClient) -> None:
    """A wrong password gives no key."""
    with pytest.raises(EnreachUnauthorizedError):
        await EnreachDiscovery(http=http).request_key("https://e.example", email=EMAIL, password=SecretStr("wrong"))


async def test_password_is_never_sent_in_the_clear(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """An endpoint without TLS is refused before anything is sent."""
    with pytest.raises(EnreachNotConfiguredError):
        await EnreachDiscovery(http=http).request_key("http://e.example", email=EMAIL, password=SecretStr("x"))

    assert not emulator.requests


async def test_posts_are_never_repeated(http: httpx.AsyncClient, emulator: EnreachEmulator) -> None:
    """A failed POST fails at once."""
    emulator.faults.add(Fault(kind=FaultKind.STATUS, status=503))

    with pytest.raises(EnreachServerFailedError):
        await EnreachDiscovery(http=http).list_silos(EMAIL)

    assert len(emulator.requests) == 1
