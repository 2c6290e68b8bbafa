"""When each webhook credential was last used, so that a retired key can be told from one still in use."""

from collections.abc import Mapping

__all__ = ["KeyUse"]


class KeyUse:
    """Remembers last uses in memory, at the cost of one dictionary write a call; a store persists them in batches.

    Times are seconds since 1970-01-01 UTC.
    """

    def __init__(self, last_used: Mapping[str, float]) -> None:
        """Start from what was persisted before."""
        self._persisted = dict(last_used)
        self._changed: dict[str, float] = {}

    def touch(self, label: str, now: float) -> None:
        """Note that the credential of this label was used."""
        self._changed[label] = now

    def take_changes(self) -> dict[str, float]:
        """Return the uses noted since the last time this was asked, for a store to persist."""
        changed, self._changed = self._changed, {}
        self._persisted.update(changed)
        return changed

    @property
    def last_used(self) -> dict[str, float]:
        """The last use of every label ever seen, persisted or not."""
        return self._persisted | self._changed
