"""How the things the service leans on are doing."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from app.errors import AppError

__all__ = ["Dependency", "Health", "State", "judge"]

State = Literal["ok", "degraded", "down"]
_TIMEOUT = 3.0
"""Seconds a dependency has to answer; whoever asks is waiting."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """One thing the service leans on, and its state."""

    name: str
    state: State
    detail: str = ""
    """What is wrong; empty when nothing is. Holds nothing personal."""


Check = Callable[[], Awaitable[Dependency]]


@dataclass(frozen=True, slots=True)
class Health:
    """The checks of all of them, each given by the part it concerns."""

    checks: tuple[Check, ...]

    async def inspect(self) -> tuple[Dependency, ...]:
        """Ask every dependency, one after the other; a failure is an answer."""
        return tuple([await check() for check in self.checks])


def judge(name: str, ping: Callable[[], Awaitable[object]]) -> Check:
    """Make a check of a call that raises AppError when the dependency is down; one that is silent counts as down."""

    async def check() -> Dependency:
        try:
            async with asyncio.timeout(_TIMEOUT):
                await ping()
        except TimeoutError:
            return Dependency(name, "down", f"no answer within {_TIMEOUT:g} seconds")
        except AppError as error:
            return Dependency(name, "down", error.detail)
        return Dependency(name, "ok")

    return check
