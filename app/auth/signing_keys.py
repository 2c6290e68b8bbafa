"""Keeps the issuer's keys at hand through rotations, outages and floods of made-up key ids."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
import structlog

from app.auth.issuer import IssuerError, IssuerMetadata, SigningKey, fetch_metadata, fetch_signing_keys
from app.single_flight import SingleFlight

__all__ = ["KeySetOptions", "SigningKeys"]

log = structlog.get_logger()

_KEYS = "keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySetOptions:
    """How often the issuer is asked. All in seconds."""

    between: float = 2.0
    """Least time between two requests, however many unknown key ids are presented."""
    fresh: float = 600.0
    """After this the keys are renewed beside the requests, so that a withdrawn key stops working."""
    longest: float = 86_400.0
    """After this, without an answer of the issuer, no key is trusted any more."""


class SigningKeys:
    """Finds a key by its id.

    An unknown id asks the issuer again, once for all who wait, at most every few seconds: what comes too early waits
    for the next time, so that a rotation costs no request its answer. A failure is remembered as long.
    """

    def __init__(
        self,
        *,
        http: httpx.AsyncClient,
        issuer: str,
        monotonic: Callable[[], float],
        options: KeySetOptions | None = None,
    ) -> None:
        self._http = http
        self._issuer = issuer
        self._monotonic = monotonic
        self._options = options or KeySetOptions()
        self._keys: Mapping[str, SigningKey] = {}
        self._metadata: IssuerMetadata | None = None
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._failure: IssuerError | None = None
        self._single_flight: SingleFlight[None] = SingleFlight()

    @property
    def metadata(self) -> IssuerMetadata | None:
        """What the issuer said last about itself; `None` before it first answered."""
        return self._metadata

    async def find(self, key_id: str | None) -> SigningKey | None:
        """Return the key, or `None` for an id the issuer does not know either.

        A token that names no key has the only one of the issuer (RFC 7517, section 4.5); of several, none is tried.

        Raises IssuerError when the issuer had to be asked and did not answer.
        """
        arrived = self._monotonic()
        age = arrived - self._fetched_at
        known = self._pick(key_id)
        if known is not None and age < self._options.longest:
            if age > self._options.fresh and arrived - self._asked_at > self._options.between:
                self._single_flight.start(_KEYS, lambda _: self._fetch())
            return known
        if arrived - self._asked_at < self._options.between:
            # Fail fast while the issuer is known to be away, instead of holding every request up.
            self._raise_failure()
        for _ in range(2):
            await self.refresh()
            if self._pick(key_id) is not None or self._asked_at >= arrived:
                break
        return self._pick(key_id)

    def _pick(self, key_id: str | None) -> SigningKey | None:
        if key_id is not None:
            return self._keys.get(key_id)
        return next(iter(self._keys.values())) if len(self._keys) == 1 else None

    async def refresh(self) -> None:
        """Ask the issuer now, or as soon as the minimum pause allows; raises IssuerError."""
        await self._single_flight.run(_KEYS, self._fetch)
        self._raise_failure()

    async def warm_up(self) -> None:
        """Ask until the issuer has answered once; for a task at the start."""
        while self._metadata is None:
            try:
                await self.refresh()
            except IssuerError:
                await asyncio.sleep(self._options.between)

    async def aclose(self) -> None:
        """Stop asking."""
        await self._single_flight.aclose()

    async def _fetch(self) -> None:
        await asyncio.sleep(max(0.0, self._asked_at + self._options.between - self._monotonic()))
        self._asked_at = self._monotonic()
        try:
            metadata = await fetch_metadata(self._http, self._issuer)
            keys = await fetch_signing_keys(self._http, metadata.jwks_uri)
        except IssuerError as error:
            self._failure = error
            log.warning("oidc.keys_not_fetched", error=error.code)
            return
        self._metadata, self._keys, self._failure = metadata, keys, None
        self._fetched_at = self._monotonic()
        log.info("oidc.keys_fetched", keys=len(keys))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(self._failure.detail)
