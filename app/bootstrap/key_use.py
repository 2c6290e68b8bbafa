"""Carries the last uses of webhook credentials to the database."""

import structlog

from app.bootstrap.components import Components
from app.store.errors import StoreError

__all__ = ["save_key_use"]

log = structlog.get_logger()


async def save_key_use(parts: Components) -> None:
    """Save the uses noted since the last time; what the database does not take is noted again, for the next time."""
    uses = parts.key_use.take_changes()
    try:
        await parts.stores.key_uses.save(uses)
    except StoreError as error:
        log.warning("key_use.not_saved", error=error.code)
        latest = parts.key_use.last_used
        for label in uses:
            parts.key_use.touch(label, latest[label])
