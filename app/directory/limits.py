"""How long callers are remembered, and how much Dataverse is asked."""

from dataclasses import dataclass, field

__all__ = ["BreakerLimits", "DirectoryLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """When the circuit breaker opens and for how long."""

    consecutive_failures: int = 5
    """Failures in a row that open it (1 to 100)."""
    failure_ratio: float = 0.5
    """Share of failures within the window that opens it (0.05 to 1)."""
    window_seconds: float = 30.0
    """Length of the window (1 to 600)."""
    window_minimum: int = 20
    """Outcomes the window must hold before the ratio counts (1 to 1,000)."""
    open_seconds: float = 5.0
    """Time without a request after it opened, before one trial (0.1 to 300)."""
    max_retry_after_seconds: float = 3600.0
    """Cap on what a Retry-After may demand (300 to 86,400); the windows of Dataverse are 300 s long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryLimits:
    """Lifetimes, sizes and protection of the directory. All times in seconds."""

    fresh_seconds: float = 60.0
    """A caller younger than this is answered without asking (0 to 3,600)."""
    stale_seconds: float = 86_400.0
    """A caller younger than this is still remembered (from `fresh_seconds` to 604,800)."""
    negative_seconds: float = 30.0
    """`Nobody has this number` is believed this long, and no longer (0 to 3,600)."""
    size: int = 50_000
    """Numbers remembered; as many again that nobody has (100 to 1,000,000)."""
    snapshot_reserve_seconds: float = 0.15
    """Kept back from a call's time to read the store when Dataverse hangs (0 to 1); at most half of the time left."""
    look_up_seconds: float = 4.0
    """Total time of one look-up, also when nobody waits any more (0.5 to 30)."""
    look_ups_at_once: int = 22
    """Look-ups under way together (1 to 100); each makes two requests at once. Dataverse publishes a limit of 52."""
    queue_seconds: float = 4.0
    """How long a look-up waits for its turn (0 to 5), also when nobody waits for it any more."""
    numbers_per_look_up: int = 8
    """Numbers that share a look-up when they have to wait for their turn (1 to 8)."""
    queue_length: int = 1_000
    """Look-ups that may wait for their turn (0 to 10,000)."""
    background_look_ups: int = 50
    """Look-ups that may go on when nobody waits for them any more (0 to 1,000)."""
    snapshot_buffer: int = 10_000
    """Callers on their way to the store (100 to 1,000,000); beyond it the oldest are dropped."""
    snapshot_batch: int = 500
    """Callers written to the store at once (1 to 5,000)."""
    snapshot_flush_seconds: float = 1.0
    """Longest pause before they are written (0.01 to 60), and between tries when the store is away."""
    close_seconds: float = 2.0
    """Time for the last write when the service ends (0 to 30)."""
    breaker: BreakerLimits = field(default_factory=BreakerLimits)
