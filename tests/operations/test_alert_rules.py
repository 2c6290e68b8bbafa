"""Alert rules about one process."""

from app.operations.alert_rules import LateAnswers, find_backlog, find_open_breaker, find_unwritable_journal


class Counts:
    """Answers and late ones, and a clock."""

    def __init__(self) -> None:
        self.now, self.answers, self.late = 0.0, 0, 0
        self.watch = LateAnswers(
            count=lambda: (self.answers, self.late), read_percent=lambda: 1.0, monotonic=lambda: self.now
        )

    async def add(self, answers: int, late: int, *, seconds: float = 60) -> int | None:
        """Count some more and look; how many late ones fire."""
        self.now += seconds
        self.answers += answers
        self.late += late
        found = [alert.facts["late"] for alert in await self.watch.find()]
        return found[0] if found else None  # type: ignore[return-value]


async def test_share_of_late_answers_fires() -> None:
    """More than one in a hundred within five minutes is told, and forgotten when they have passed."""
    counts = Counts()
    assert await counts.add(1000, 0) is None
    assert await counts.add(100, 2) is None
    assert await counts.add(100, 1) == 3
    assert await counts.add(300, 0) is None
    assert [await counts.add(10, 0, seconds=100) for _ in range(4)][-1] is None


async def test_a_single_late_answer_is_none() -> None:
    """One hiccup of a quiet night wakes nobody."""
    counts = Counts()
    await counts.add(0, 0)
    assert await counts.add(2, 2) is None


async def test_states_are_told_with_their_facts() -> None:
    """An open breaker, a backlog and a journal that cannot be written fire; their opposites do not."""
    assert await find_open_breaker(lambda: "closed")() == ()
    assert [alert.facts for alert in await find_open_breaker(lambda: "half_open")()] == [{"breaker": "half_open"}]
    assert await find_backlog(lambda: 1000, lambda: 1000)() == ()
    assert [alert.facts for alert in await find_backlog(lambda: 1001, lambda: 1000)()] == [{"backlog": 1001}]
    assert await find_unwritable_journal(lambda: "")() == ()
    found = await find_unwritable_journal(lambda: "No space left on device")()
    assert [alert.message for alert in found] == [
        "Calls are answered, but decisions cannot be written to the journal: No space left on device."
    ]
