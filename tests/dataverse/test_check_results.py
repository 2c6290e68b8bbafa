"""Results are gathered until time is up."""

import asyncio
from collections.abc import AsyncIterator

from app.dataverse.check import CheckResult, collect

FIRST = CheckResult("address", ok=True, detail="answers")


async def test_silence_is_a_result() -> None:
    """What came in time is kept, and what did not is one line with the name of the system."""

    async def ask() -> AsyncIterator[CheckResult]:
        yield FIRST
        await asyncio.Event().wait()

    assert await collect("Dataverse", ask(), seconds=0.05) == [
        FIRST,
        CheckResult("Dataverse", ok=False, detail="no complete answer within 0.05 seconds"),
    ]
