"""Forgetting: one caller who asks for it, and everybody after so many days."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from app.errors import AppError, InvalidInputError
from app.observability.redaction import redact_number
from app.routing.numbers import PhoneNumber
from app.store.audit import AuditStore

__all__ = ["Erase", "Erasure", "Purge", "Retention"]

log = structlog.get_logger()

_DAY = 86_400.0

Erase = Callable[[str], Awaitable[int]]
"""Removes what is known about an E.164 number and returns how many entries; raises StoreError or OSError."""
Purge = Callable[[float], Awaitable[int]]
"""Deletes what is from before that time (seconds since the epoch) and returns how many; may raise AppError."""


class JournalStuckError(AppError):
    """Decisions on disk could not be moved to the database, where they could be erased."""

    status = 503
    code = "journal-stuck"
    title = "Journal not movable"


class Erasure:
    """Removes a number from everywhere, leaving an audit record that does not name it in full."""

    def __init__(
        self,
        *,
        read_number: Callable[[object], PhoneNumber],
        drain: Callable[[], Awaitable[bool]],
        places: Mapping[str, Erase],
        forget: Callable[[str | None], Awaitable[int]],
        forget_old_pages: Callable[[], Awaitable[None]],
        audit: AuditStore,
        clock: Callable[[], float],
    ) -> None:
        """`drain` moves what the journal holds to the database; `places` are erased by name, in order, after it.

        `forget` drops the remembered caller of one number, or all callers, and returns how many; `forget_old_pages`
        removes what the database keeps of rows as they were.
        """
        self._read_number = read_number
        self._drain = drain
        self._places = dict(places)
        self._forget = forget
        self._forget_old_pages = forget_old_pages
        self._audit = audit
        self._clock = clock

    async def erase(self, number: str, *, who: str) -> tuple[str, dict[str, int]]:
        """Forget a caller; returns the masked number and how many entries are gone from where.

        Raises InvalidInputError for what is no full number, JournalStuckError and StoreError. Doing it again is
        harmless, so a failure half-way is mended by doing it again.
        """
        e164 = self._require_number(number)
        if not await self._drain():
            raise JournalStuckError(
                "decisions could not be moved to the database; try again when it is back, and when every file of the "
                "journal can be read (the log names those that cannot)"
            )
        erased = {name: await erase(e164) for name, erase in self._places.items()}
        erased["callers"] = await self._forget(e164)
        await self._forget_old_pages()
        await self._note("caller.erased", who, f"caller/{redact_number(e164)}", erased)
        return redact_number(e164), erased

    async def purge(self, number: str | None, *, who: str) -> int:
        """Let a caller, or all of them (`None`), be looked up anew; returns how many entries are gone.

        Raises InvalidInputError and StoreError.
        """
        e164 = None if number is None else self._require_number(number)
        purged = await self._forget(e164)
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


class Retention:
    """Deletes decisions, callers, alerts and the like that are older than the settings allow."""

    def __init__(
        self,
        *,
        purges: Mapping[str, Purge],
        read_days: Callable[[str], int],
        forget_old_pages: Callable[[], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        """`purges` by what they delete; `read_days` tells how long that is kept now (1 to 3650).

        `forget_old_pages` removes what the database keeps of rows as they were.
        """
        self._purges = dict(purges)
        self._read_days = read_days
        self._forget_old_pages = forget_old_pages
        self._clock = clock

    async def run(self) -> dict[str, int]:
        """Delete, and return how much of what.

        One kind that fails does not keep the others; the last failure (AppError or OSError) is raised after them.
        """
        now = self._clock()
        purged: dict[str, int] = {}
        failure: Exception | None = None
        for name, purge in self._purges.items():
            try:
                purged[name] = await purge(now - self._read_days(name) * _DAY)
            except (AppError, OSError) as error:
                failure = error
        await self._forget_old_pages()
        log.info("retention.done", **purged)
        if failure is not None:
            raise failure
        return purged
