"""Tokens are fetched one at a time and early, and a dead token endpoint is left alone for a while."""

import asyncio
import threading
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from app.dataverse.errors import DataverseError, Facts, TokenUnavailableError
from app.dataverse.tokens import Token, TokenSource

LIFE = 3600.0


@dataclass
class Issuer:
    """An endpoint that issues numbered tokens by a clock that only the test moves."""

    now: float = 1_000_000.0
    fetches: int = 0
    life: float = LIFE
    failure: DataverseError | None = None
    open: threading.Event = field(default_factory=threading.Event)
    pauses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.open.set()

    def clock(self) -> float:
        return self.now

    def fetch(self) -> Token:
        self.open.wait(5)
        self.fetches += 1
        if self.failure is not None:
            raise self.failure
        return Token(f"token-{self.fetches}", self.now, self.now + self.life)

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once; after ten pauses the night is over."""
        self.pauses.append(seconds)
        self.now += seconds
        if len(self.pauses) == 10:
            raise asyncio.CancelledError

    def source(self) -> TokenSource:
        return TokenSource(fetch=self.fetch, clock=self.clock, sleep=self.sleep)


async def test_a_token_is_used_until_shortly_before_it_expires() -> None:
    """One fetch serves until ten seconds before the end of the token."""
    issuer = Issuer()
    source = issuer.source()

    first = await source.get()
    issuer.now += LIFE - 11
    still = await source.get()
    issuer.now += 2
    second = await source.get()

    assert (first, still, second) == ("token-1", "token-1", "token-2")


async def test_a_burst_is_one_fetch_and_giving_up_does_not_stop_it() -> None:
    """Parallel callers share one fetch; one whose deadline passes leaves it to the others."""
    issuer = Issuer()
    issuer.open.clear()
    source = issuer.source()

    callers = [asyncio.create_task(source.get()) for _ in range(50)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await source.get()
    issuer.open.set()

    assert set(await asyncio.gather(*callers)) == {"token-1"}
    assert issuer.fetches == 1


async def test_a_failure_is_remembered_longer_each_time() -> None:
    """After a failed fetch callers get the same error at once, for 1, 2, 4 … seconds."""
    issuer = Issuer(failure=TokenUnavailableError("no token: dead", facts=Facts(http_status=503)))
    source = issuer.source()

    async def fail() -> int:
        with pytest.raises(TokenUnavailableError, match="no token: dead") as caught:
            await source.get()
        assert caught.value.facts.http_status == 503
        return issuer.fetches

    assert [await fail() for _ in range(3)] == [1, 1, 1]
    issuer.now += 1
    assert [await fail() for _ in range(3)] == [2, 2, 2]
    issuer.now += 1
    assert await fail() == 2
    issuer.now += 1
    issuer.failure = None
    assert await source.get() == "token-3"


async def test_the_wait_the_endpoint_asks_for_is_kept() -> None:
    """Retry-After outweighs our own shorter pause."""
    issuer = Issuer(failure=TokenUnavailableError("busy", facts=Facts(retry_after=30.0)))
    source = issuer.source()

    for step in (0, 29):
        issuer.now += step
        with pytest.raises(TokenUnavailableError):
            await source.get()
    assert issuer.fetches == 1

    issuer.now += 1
    with pytest.raises(TokenUnavailableError):
        await source.get()
    assert issuer.fetches == 2


async def test_rejections_at_once_are_one_renewal() -> None:
    """A hundred calls whose token was rejected wait for one new token; late ones get it without asking."""
    issuer = Issuer()
    source = issuer.source()
    old = await source.get()
    issuer.open.clear()

    callers = [asyncio.create_task(source.renew(old)) for _ in range(100)]
    await asyncio.sleep(0)
    issuer.open.set()

    assert set(await asyncio.gather(*callers)) == {"token-2"}
    assert await source.renew(old) == "token-2"
    assert issuer.fetches == 2


async def test_a_new_token_that_is_rejected_too_is_not_renewed_at_once() -> None:
    """An organisation that rejects every token costs one fetch in half a minute."""
    issuer = Issuer()
    source = issuer.source()

    token = await source.get()
    for _ in range(20):
        token = await source.renew(token)
    assert (token, issuer.fetches) == ("token-2", 2)

    issuer.now += 30
    assert await source.renew(token) == "token-3"


async def test_the_token_is_renewed_before_anybody_needs_it() -> None:
    """The background task fetches ten minutes before the end, so no caller waits for it."""
    issuer = Issuer(life=900)
    source = issuer.source()

    with pytest.raises(asyncio.CancelledError):
        await source.keep_fresh()

    assert issuer.pauses == [60.0] * 7 + [30.0] + [60.0] * 2
    assert issuer.fetches == 2


async def test_the_old_token_serves_while_its_renewal_fails() -> None:
    """A failed renewal in the background is logged, and the old token stays until it really expires."""
    issuer = Issuer()
    source = issuer.source()
    await source.get()
    issuer.failure = TokenUnavailableError("no token: dead")
    issuer.now += LIFE - 500

    with capture_logs() as logs, pytest.raises(asyncio.CancelledError):
        await source.keep_fresh()

    assert await source.get() == "token-1"
    assert issuer.pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]
    assert logs[0] == {
        "event": "dataverse.token_refresh_failed",
        "log_level": "warning",
        "failures": 1,
        "error": "dataverse-token-unavailable",
    }


async def test_a_token_does_not_show_itself() -> None:
    """The text of a token stays out of its representation."""
    assert "secret" not in repr(Token("secret", 0, 1))
