"""The silence alert."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from app.operations.alert_rules import FiringAlert
from app.operations.silence import SilenceWatch

MONDAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
IsOpen = Callable[[datetime], bool]


class Times:
    """The calls of one queue."""

    def __init__(self, *times: datetime, queue: str = "SALES") -> None:
        self.queue = queue
        self.times = [time.timestamp() for time in times]
        self.reads = 0

    async def list_queues(self, since: float) -> list[str]:
        """List the queue."""
        return [self.queue] if any(time >= since for time in self.times) else []

    async def list_latest(self, queue_id: str, *, since: float, limit: int) -> list[float]:
        """List its calls, newest first."""
        assert queue_id == self.queue
        self.reads += 1
        return sorted((time for time in self.times if time >= since), reverse=True)[:limit]


def every(minutes: float, *, since: datetime, until: datetime) -> list[datetime]:
    """List moments at even intervals."""
    count = int((until - since) / timedelta(minutes=minutes))
    return [since + timedelta(minutes=minutes * index) for index in range(count + 1)]


async def find(times: Times, now: datetime, *calendars: IsOpen) -> Sequence[FiringAlert]:
    """Look for silence at one moment."""
    return await SilenceWatch(times=times, read_hours=lambda: calendars, clock=now.timestamp).find()


def office(moment: datetime) -> bool:
    """Open from 8 to 16 on weekdays."""
    return moment.weekday() < 5 and 8 <= moment.hour < 16


async def test_queue_is_silent_after_three_times_its_usual_gap() -> None:
    """A queue that calls every ten minutes is missed after half an hour, and not before."""
    times = Times(*every(10, since=MONDAY - timedelta(hours=4), until=MONDAY))
    assert await find(times, MONDAY + timedelta(minutes=29), office) == []
    found = await find(times, MONDAY + timedelta(minutes=31), office)
    assert [(alert.subject, alert.facts) for alert in found] == [
        ("SALES", {"queue_id": "SALES", "silent_seconds": 1860, "usual_gap_seconds": 600})
    ]
    assert found[0].message == (
        "The queue SALES has not called for 31 minutes of opening hours; it usually calls at least every 10 minutes."
    )


async def test_number_in_the_place_of_a_queue_is_masked() -> None:
    """An alert is listed, and sent to others, without what may be somebody's number."""
    times = Times(*every(10, since=MONDAY - timedelta(hours=4), until=MONDAY), queue="+358501234567")

    [alert] = await find(times, MONDAY + timedelta(minutes=31), office)

    assert (alert.subject, alert.facts["queue_id"]) == ("+35850*****67", "+35850*****67")
    assert "501234567" not in alert.message


async def test_nights_and_weekends_are_no_silence() -> None:
    """Only the time in which a calendar is open counts, before and now."""
    friday_evening = datetime(2026, 3, 6, 15, 55, tzinfo=UTC)
    times = Times(*every(10, since=friday_evening - timedelta(hours=7), until=friday_evening))
    assert await find(times, friday_evening + timedelta(days=1), office) == []
    monday_morning = datetime(2026, 3, 9, 8, 20, tzinfo=UTC)
    assert await find(times, monday_morning, office) == []
    assert len(await find(times, monday_morning + timedelta(minutes=15), office)) == 1


async def test_busy_queue_is_given_five_minutes() -> None:
    """A queue that calls every few seconds is not missed for a minute."""
    times = Times(*every(0.1, since=MONDAY - timedelta(minutes=30), until=MONDAY))
    assert await find(times, MONDAY + timedelta(minutes=4), office) == []
    assert len(await find(times, MONDAY + timedelta(minutes=6), office)) == 1


async def test_queue_that_called_seldom_is_not_judged() -> None:
    """Without twenty gaps nobody knows what is usual."""
    times = Times(*every(10, since=MONDAY - timedelta(minutes=150), until=MONDAY))
    assert await find(times, MONDAY + timedelta(hours=3), office) == []


async def test_without_calendars_the_hours_are_learned() -> None:
    """Hours of the week in which the queue never called are closed."""
    days = [MONDAY - timedelta(days=7), MONDAY]
    moments = [moment for day in days for moment in every(10, since=day - timedelta(hours=4), until=day)]
    assert await find(Times(*moments), MONDAY + timedelta(hours=8)) == []
    assert len(await find(Times(*moments[:-9]), MONDAY)) == 1


async def test_habits_are_learned_once_an_hour() -> None:
    """Between two lessons only the latest call is read."""
    times = Times(*every(10, since=MONDAY - timedelta(hours=4), until=MONDAY))
    watch = SilenceWatch(times=times, read_hours=lambda: [office], clock=MONDAY.timestamp)
    await watch.find()
    await watch.find()
    assert times.reads == 3
