"""Go-live readiness: questions, asked at once within ten seconds, each with an answer that says what to do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from app.errors import AppError

__all__ = [
    "Answer",
    "Item",
    "Question",
    "Readiness",
    "ReadinessState",
    "is_ready",
    "not_needed",
    "ok",
    "unknown",
    "wrong",
]

log = structlog.get_logger()

_SECONDS: Final = 9.0
"""For each question of a running service; all together are promised within ten."""


class ReadinessState(StrEnum):
    """What was found."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It could not be found out."""
    NOT_NEEDED = "not-needed"
    """This deployment does not use it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, why it is so judged, and what to do; holds no secret and nothing personal."""

    state: ReadinessState
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the list."""

    id: str
    state: ReadinessState
    reason: str
    remedy: str
    """What to do; empty when nothing is."""
    looked_at: float
    """Seconds since the epoch."""


Question = Callable[[], Awaitable[Answer]]


def ok(reason: str) -> Answer:
    """Say that it is right."""
    return Answer(ReadinessState.OK, reason)


def wrong(reason: str, remedy: str) -> Answer:
    """Say what is wrong and what to do."""
    return Answer(ReadinessState.WRONG, reason, remedy)


def unknown(reason: str, remedy: str) -> Answer:
    """Say why it could not be found out, and how it can."""
    return Answer(ReadinessState.UNKNOWN, reason, remedy)


def not_needed(reason: str) -> Answer:
    """Say why nobody needs it."""
    return Answer(ReadinessState.NOT_NEEDED, reason)


class Readiness:
    """Asks every question at once; one that fails or is late is unknown, and the others do not notice."""

    def __init__(
        self, *, questions: Mapping[str, Question], clock: Callable[[], float], seconds: float = _SECONDS
    ) -> None:
        """`questions` go by the ids of their items and have so many `seconds` each.

        `clock` gives seconds since the epoch.
        """
        self._questions = questions
        self._clock = clock
        self._seconds = seconds

    async def inspect(self) -> tuple[Item, ...]:
        """Return what was found, in the order of the questions."""
        return tuple(await asyncio.gather(*(self._ask(name, each) for name, each in self._questions.items())))

    async def _ask(self, name: str, question: Question) -> Item:
        answer = await self._settle(name, question)
        return Item(id=name, state=answer.state, reason=answer.reason, remedy=answer.remedy, looked_at=self._clock())

    async def _settle(self, name: str, question: Question) -> Answer:
        again = "look again; if it stays so, the log tells more"
        try:
            async with asyncio.timeout(self._seconds):
                return await question()
        except TimeoutError:
            return unknown(f"no answer within {self._seconds:g} seconds", again)
        except AppError as error:
            return unknown(error.detail, again)
        except Exception:  # the boundary: one broken question must not hide the answers to the others
            log.exception("readiness.question_broken", item=name)
            return unknown("something went wrong here", again)


def is_ready(items: tuple[Item, ...]) -> bool:
    """Tell whether nothing is wrong, and nothing unknown."""
    return all(item.state in {ReadinessState.OK, ReadinessState.NOT_NEEDED} for item in items)
