"""The live revision on disk, so that a start without the database answers calls by it."""

import asyncio
from pathlib import Path

import structlog

from app.errors import AppError
from app.routing.compiled import CompiledRuleset
from app.rulesets.live_ruleset import LiveRuleset
from app.rulesets.repository import load_rules
from app.rulesets.store import Document, RulesetStore
from app.store.json_text import dump, load
from app.store.private_file import replace_file

__all__ = ["RevisionFile"]

log = structlog.get_logger()


class RevisionFile:
    """Keeps a file in step with the live ruleset."""

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
