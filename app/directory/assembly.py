"""Puts the parts of a directory together."""

from collections.abc import Callable

from app.directory.breaker import CircuitBreaker
from app.directory.cached import CachedDirectory
from app.directory.limits import DirectoryLimits
from app.directory.lookup import Directory
from app.directory.protected import DirectoryMetrics, ProtectedDirectory
from app.directory.snapshots import CallerSnapshots, Snapshots

__all__ = ["build_directory"]


def build_directory(
    directory: Directory,
    *,
    snapshots: CallerSnapshots,
    limits: DirectoryLimits,
    metrics: DirectoryMetrics,
    monotonic: Callable[[], float],
) -> CachedDirectory:
    """Surround a directory with protection and memory.

    `monotonic` must run with the clock of the event loop: `time.monotonic` does.
    """
    breaker = CircuitBreaker(limits=limits.breaker, monotonic=monotonic)
    return CachedDirectory(
        directory=ProtectedDirectory(
            directory=directory, breaker=breaker, limits=limits, monotonic=monotonic, metrics=metrics
        ),
        breaker=breaker,
        snapshots=Snapshots(store=snapshots, limits=limits, monotonic=monotonic),
        limits=limits,
        monotonic=monotonic,
    )
