"""How far the mirror is, as this process knows it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from app.directory.mirror.store import Generation, GenerationState, MirrorStore

__all__ = ["WATCH_SECONDS", "MirrorReading", "MirrorState", "MirrorStatus"]

WATCH_SECONDS = 1.0
"""How often another process's writing is looked for; what is remembered of a changed record lives this long at most."""
_LONG_LOAD_SECONDS = 1800.0


class MirrorState(StrEnum):
    """What the index is worth now."""

    LOADING = "loading"
    """No index yet: calls are looked up live."""
    FOLLOWING = "following"
    BEHIND = "behind"
    """It answers, but changes of the last while are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorReading:
    """The state at one moment, for health, metrics and alerts."""

    state: MirrorState
    lag_seconds: float | None
    """Since when changes may be missing; `None` before the first load has ended."""
    late: bool
    """Whether somebody should look: it is behind, or the first load takes unusually long."""
    loaded_records: int | None
    """Records read so far by a load under way."""


class MirrorStatus:
    """Knows which generation of the index is live, and tells when it has changed."""

    def __init__(
        self, *, store: MirrorStore, clock: Callable[[], float], behind_seconds: float, max_age_seconds: float
    ) -> None:
        """An index `behind_seconds` old counts as behind; one older than `max_age_seconds` answers no more."""
        self._store = store
        self._clock = clock
        self._behind_seconds = behind_seconds
        self._max_age_seconds = max_age_seconds
        self._started_at = clock()
        self._live: Generation | None = None
        self._loading: Generation | None = None
        self._on_change: list[Callable[[], None]] = []

    @property
    def live(self) -> Generation | None:
        """The generation that answers; `None` while there is none, or none that is young enough."""
        live = self._live
        if live is None or live.synced_at is None or self._clock() - live.synced_at > self._max_age_seconds:
            return None
        return live

    def notify(self, on_change: Callable[[], None]) -> None:
        """Call this whenever the rows of the live generation, or the generation, have changed."""
        self._on_change.append(on_change)

    def read(self) -> MirrorReading:
        """Return the state at this moment."""
        synced_at = None if self._live is None else self._live.synced_at
        lag = None if synced_at is None else max(0.0, self._clock() - synced_at)
        if lag is None:
            state = MirrorState.LOADING
        else:
            state = MirrorState.BEHIND if lag > self._behind_seconds else MirrorState.FOLLOWING
        loading = self._loading
        late = state is MirrorState.BEHIND
        if state is MirrorState.LOADING:
            late = self._clock() - (self._started_at if loading is None else loading.started_at) > _LONG_LOAD_SECONDS
        records = None if loading is None else sum(position.records for position in loading.positions)
        return MirrorReading(state=state, lag_seconds=lag, late=late, loaded_records=records)

    async def refresh(self) -> None:
        """Read the state from the store; raises StoreError."""
        generations = await self._store.list_generations()
        before = self._live
        self._live = _find(generations, GenerationState.LIVE)
        self._loading = _find(generations, GenerationState.LOADING)
        if _tell_version(before) != _tell_version(self._live):
            for on_change in self._on_change:
                on_change()


def _find(generations: list[Generation], state: GenerationState) -> Generation | None:
    return next((generation for generation in reversed(generations) if generation.state is state), None)


def _tell_version(generation: Generation | None) -> tuple[int, int] | None:
    return None if generation is None else (generation.number, generation.changes)
