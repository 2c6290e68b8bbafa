"""The waiting room: time kept back for answers, and calls turned away when there would be none left."""

import asyncio

import pytest

from app.directory.load_shedding import LoadShedding, SheddingLimits
from app.directory.lookup import LookupResult, Source
from app.routing.callers import CallerStatus, Cause
from tests.directory.scripted import ANNA, NUMBER
from tests.directory.wired import by

LIMITS = SheddingLimits(deadline=1.5, base=0.05, per_waiting_call=0.016, most_share=0.6)


class HangingDirectory:
    """Knows Anna from before and otherwise answers at the last moment."""

    def __init__(self) -> None:
        self.until: list[float] = []

    def recall(self, e164: str) -> LookupResult | None:
        """Know one number freshly."""
        return LookupResult(ANNA, Source.FRESH) if e164 == NUMBER else None

    def recall_old(self, e164: str) -> LookupResult | None:
        """Know another one from before."""
        return LookupResult(ANNA, Source.STALE) if e164 == "+358401" else None

    async def find(self, _e164: str, *, until: float) -> LookupResult:
        """Take all the time there is."""
        self.until.append(until)
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        return LookupResult(ANNA, Source.LIVE)


def open_room(directory: HangingDirectory, shed: list[int]) -> LoadShedding:
    """Make a waiting room that counts whom it turns away."""
    return LoadShedding(directory=directory, limits=LIMITS, on_shed=lambda: shed.append(1))


async def test_call_that_is_alone_keeps_a_little_time_back() -> None:
    """A look-up ends early enough for rules, record and sending."""
    room = open_room(HangingDirectory(), [])
    deadline = by(1.5)
    await room.find("+35840", until=deadline)
    assert asyncio.get_running_loop().time() == pytest.approx(deadline - 0.05)
    assert room.waiting == 0


async def test_crowd_gets_less_time_each_and_then_none() -> None:
    """The more calls wait the less time the next one gets; beyond the share they are decided at once."""
    directory, shed = HangingDirectory(), list[int]()
    room = open_room(directory, shed)
    deadline = by(1.5)
    found = await asyncio.gather(*(room.find(f"+35850{index}", until=deadline) for index in range(200)))
    turned_away = [result for result in found if result.source is Source.NONE]
    assert len(directory.until) == 54
    assert (max(directory.until), min(directory.until)) == pytest.approx((deadline - 0.05, deadline - 0.898))
    assert len(turned_away) == len(shed) == 146
    assert {(away.caller.status, away.caller.cause) for away in turned_away} == {
        (CallerStatus.UNAVAILABLE, Cause.TIMEOUT)
    }
    assert turned_away[0].caller.detail == "Overload: too many calls wait for Dataverse already"


async def test_known_callers_are_served_in_a_crowd() -> None:
    """A fresh caller never waits, and an older one is answered when there is no time to ask."""
    room = open_room(HangingDirectory(), [])
    waiting = [asyncio.create_task(room.find(f"+35850{index}", until=by(1.5))) for index in range(200)]
    await asyncio.sleep(0)
    assert room.recall(NUMBER) == LookupResult(ANNA, Source.FRESH)
    assert await room.find("+358401", until=by(1.5)) == LookupResult(ANNA, Source.STALE)
    await asyncio.gather(*waiting)


async def test_tiny_deadline_leaves_most_of_it_to_the_look_up() -> None:
    """What is kept back never exceeds a fifth of the deadline for a call that is alone."""
    room = LoadShedding(directory=HangingDirectory(), limits=SheddingLimits(deadline=0.05), on_shed=lambda: None)
    assert room.reserve == pytest.approx(0.01)
