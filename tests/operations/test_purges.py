"""Retention."""

from app.operations.retention import Purge, Retention
from app.store.errors import StoreUnavailableError

DAY = 86_400.0


def note(seen: list[float], count: int) -> Purge:
    """Make a purge that notes its limit."""

    async def purge(before: float) -> int:
        seen.append(before)
        return count

    return purge


async def away(_before: float) -> int:
    """Fail."""
    raise StoreUnavailableError("away")


async def lead() -> bool:
    """Lead."""
    return True


async def follow() -> bool:
    """Do not lead."""
    return False


async def test_everything_older_than_the_days_is_deleted() -> None:
    """Each kind is purged with the same limit, and what fails keeps nothing else."""
    seen: list[float] = []
    purges = {"decisions": note(seen, 7), "broken": away, "callers": note(seen, 2)}
    retention = Retention(purges=purges, days=90, lead=lead, clock=lambda: 100 * DAY)
    assert await retention.run() == {"decisions": 7, "broken": 0, "callers": 2}
    assert seen == [10 * DAY, 10 * DAY]


async def test_only_the_leader_deletes() -> None:
    """Other processes leave it alone, and so does one that cannot tell."""
    seen: list[float] = []
    for role in (follow, lambda: away(0.0)):
        retention = Retention(purges={"decisions": note(seen, 1)}, days=1, lead=role, clock=lambda: 0.0)  # type: ignore[arg-type]
        assert await retention.run() == {}
    assert seen == []
