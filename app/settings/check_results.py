"""Answers to one question: is this deployment set up right?"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

__all__ = ["CheckResult", "collect"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found about one thing. Holds no secret and nothing personal."""

    name: str
    ok: bool | None
    """`None` when it is not configured, so that there is nothing to ask."""
    detail: str
    hint: str = ""
    """What to do; a result that is fine may carry one too."""


async def collect(name: str, results: AsyncIterator[CheckResult], *, seconds: float) -> list[CheckResult]:
    """Gather the results of one system; what is not answered in time is one more result, under its name."""
    found: list[CheckResult] = []
    try:
        async with asyncio.timeout(seconds):
            async for result in results:
                found.append(result)  # noqa: PERF401 - what came in time must survive
    except TimeoutError:
        found.append(CheckResult(name, ok=False, detail=f"no complete answer within {seconds:g} seconds"))
    return found
