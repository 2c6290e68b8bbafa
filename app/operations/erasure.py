"""Forgetting one caller, or letting callers be looked up anew."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from app.errors import AppError, InvalidInputError
from app.observability.redaction import redact_number
from app.routing.numbers import PhoneNumber
from app.store.audit import AuditStore

__all__ = ["Erase", "Erasure"]

Erase = Callable[[str], Awaitable[int]]
"""Removes what is known about an E.164 number and returns how many entries; raises StoreError or OSError."""


class JournalStuckError(AppError):
    """Decisions on disk could not be moved to the database, where they could be erased."""

    status = 503
    code = "journal-stuck"
    title = "Journal not movable"


class Memory(Protocol):
    """What is remembered about callers."""

    async def purge(self, e164: str | None) -> int:
        """Forget one number or all; returns how many entries are gone."""


class Erasure:
    """Removes a number from everywhere, leaving an audit record that does not name it in full."""

    def __init__(
        self,
        *,
        read_number: Callable[[object], PhoneNumber],
        drain: Callable[[], Awaitable[bool]],
        places: Mapping[str, Erase],
        memory: Memory,
        audit: AuditStore,
        clock: Callable[[], float],
    ) -> None:
        """`drain` moves what the journal holds to the database; `places` are erased by name, in order, after it."""
        self._read_number = read_number
        self._drain = drain
        self._places = dict(places)
        self._memory = memory
        self._audit = audit
        self._clock = clock

    async def erase(self, number: str, *, who: str) -> tuple[str, dict[str, int]]:
        """Forget a caller; returns the masked number and how many entries are gone from where.

        Raises InvalidInputError for what is no full number, JournalStuckError and StoreError. Doing it again is
        harmless, so a failure half-way is mended by doing it again.
        """
        e164 = self._require_number(number)
        if not await self._drain():
            raise JournalStuckError("decisions could not be moved to the database; try again when it is back")
        erased = {name: await erase(e164) for name, erase in self._places.items()}
        erased["callers"] = await self._memory.purge(e164)
        await self._note("caller.erased", who, f"caller/{redact_number(e164)}", erased)
        return redact_number(e164), erased

    async def purge(self, number: str | None, *, who: str) -> int:
        """Let a caller, or all of them (`None`), be looked up anew; returns how many entries are gone.

        Raises InvalidInputError and StoreError.
        """
        e164 = None if number is None else self._require_number(number)
        purged = await self._memory.purge(e164)
        target = "caller/*" if e164 is None else f"caller/{redact_number(e164)}"
        await self._note("caller.purged", who, target, {"callers": purged})
        return purged

    def _require_number(self, number: str) -> str:
        e164 = self._read_number(number).e164
        if e164 is None:
            raise InvalidInputError("this is no full phone number; write it from + and the country code on")
        return e164

    async def _note(self, what: str, who: str, target: str, counts: Mapping[str, int]) -> None:
        await self._audit.add(at=self._clock(), who=who, what=what, target=target, after=dict(counts))
