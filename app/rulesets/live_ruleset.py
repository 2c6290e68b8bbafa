"""Knows which ruleset is live in this process, takes over another one that is published, and keeps it on disk."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import structlog

from app.errors import AppError
from app.routing.compiled import CompiledRuleset, compile_ruleset
from app.routing.ruleset import Ruleset
from app.rulesets.repository import load_rules
from app.rulesets.store import Document, RulesetStore
from app.store.json_text import dump, load
from app.store.private_file import replace_file
from app.web.limits import HeavyWork

__all__ = ["LiveRuleset", "RevisionFile"]

log = structlog.get_logger()

_LARGE_RULES = 300


class LiveRuleset:
    """Holds the compiled ruleset. A call keeps the one it started with; the next call gets the new one."""

    def __init__(
        self, *, store: RulesetStore, on_change: Callable[[CompiledRuleset], None], heavy_work: HeavyWork
    ) -> None:
        self._store = store
        self._on_change = on_change
        self._heavy_work = heavy_work
        self._current = compile_ruleset(Ruleset(), revision=None)
        self._fingerprint: tuple[int, str] | None = None
        self._unreadable: tuple[int, str] | None = None

    def current(self) -> CompiledRuleset:
        """Return the live ruleset; before the first publishing an empty one, which changes nothing."""
        return self._current

    async def refresh(self) -> bool:
        """Take over the newest revision; tell whether it is another one. Raises StoreError.

        A revision this version of the program cannot read is refused and logged; the present one stays live.
        """
        newest = await self._store.current_fingerprint()
        if newest is None or newest in {self._fingerprint, self._unreadable}:
            return False
        number = newest[0]
        revision = await self._store.revision(number)
        try:
            compiled = await self._heavy_work.run_for_calls(load_rules, revision.document, revision=number)
        except AppError as error:
            self._unreadable = newest
            log.error("live_ruleset.revision_unreadable", revision=number, error=error.code)  # noqa: TRY400 - expected
            return False
        if number < (self._current.revision or 0):
            return False
        self._current, self._fingerprint = compiled, (number, revision.head.checksum)
        if len(compiled.ruleset.rules) >= _LARGE_RULES:
            # Looking through it for reference cycles would stop every thread for tenths of a second, time and again.
            gc.freeze()
        self._on_change(compiled)
        log.info("live_ruleset.revision_live", revision=number, rules=len(compiled.ruleset.rules))
        return True

    def start_with(self, rules: CompiledRuleset) -> None:
        """Begin with a revision that was live before, while the store is away."""
        self._current = rules
        self._on_change(rules)
        log.warning("live_ruleset.started_from_disk", revision=rules.revision, rules=len(rules.ruleset.rules))


class RevisionFile:
    """Keeps a file in step with the live ruleset, so that a start without the database answers calls by it."""

    def __init__(self, path: Path, *, live_ruleset: LiveRuleset, store: RulesetStore) -> None:
        self._path = path
        self._live_ruleset = live_ruleset
        self._store = store
        self._saved: CompiledRuleset | None = None

    async def follow(self) -> None:
        """Take over what was published, and save it when it is new; raises StoreError and OSError."""
        await self._live_ruleset.refresh()
        current = self._live_ruleset.current()
        if current.revision is None or (current is self._saved and self._path.exists()):
            return
        document = (await self._store.revision(current.revision)).document
        await asyncio.to_thread(self._write, current.revision, document)
        self._saved = current

    async def load(self) -> None:
        """Make the saved revision the live one, if there is one that can be read."""
        try:
            number, document = await asyncio.to_thread(self._read)
            self._saved = await asyncio.to_thread(load_rules, document, revision=number)
        except FileNotFoundError:
            log.warning("live_ruleset.no_revision_on_disk")
        except (AppError, OSError, ValueError, KeyError, TypeError) as error:
            log.error("live_ruleset.revision_on_disk_unreadable", error=type(error).__name__)  # noqa: TRY400 - expected
        else:
            self._live_ruleset.start_with(self._saved)

    def _write(self, number: int, document: Document) -> None:
        replace_file(self._path, dump({"number": number, "document": document}))

    def _read(self) -> tuple[int, Document]:
        kept = load(self._path.read_bytes())
        return int(kept["number"]), kept["document"]
