"""Every fault the emulated Dataverse knows, against a cold caller, a stale one and one known before a restart."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from app.directory.cached import CachedDirectory
from app.directory.lookup import LookupResult, Source
from app.emulators.dataverse import DataverseEmulator, create_dataverse_emulator, read_tables
from app.emulators.faults import Fault
from app.routing.callers import Caller, CallerStatus, Cause
from tests.directory.scripted import NUMBER, SnapshotTable
from tests.directory.wired import ANNA_ROW, EndlessToken, by, open_directory

FAULTS = [
    ({"kind": "hang"}, Cause.TIMEOUT),
    ({"kind": "delay", "seconds": 2}, Cause.TIMEOUT),
    ({"kind": "reset"}, Cause.ERROR),
    ({"kind": "reset_mid_body"}, Cause.ERROR),
    ({"kind": "drip", "seconds": 1, "piece_bytes": 1}, Cause.TIMEOUT),
    ({"kind": "truncated"}, Cause.ERROR),
    ({"kind": "garbage"}, Cause.ERROR),
    ({"kind": "wrong_type"}, Cause.ERROR),
    ({"kind": "status", "status": 401}, Cause.ERROR),
    ({"kind": "status", "status": 403}, Cause.ERROR),
    ({"kind": "status", "status": 429, "retry_after_s": 10}, Cause.THROTTLED),
    ({"kind": "status", "status": 500}, Cause.ERROR),
    ({"kind": "status", "status": 503}, Cause.ERROR),
]
each_fault = pytest.mark.parametrize(
    ("fault", "cause"), [pytest.param(*case, id="-".join(map(str, case[0].values()))) for case in FAULTS]
)


def emulate() -> DataverseEmulator:
    """Build an organisation with one contact."""
    return create_dataverse_emulator(data=read_tables({"contacts": [ANNA_ROW]}))


def open_emulated(
    emulator: DataverseEmulator, *, store: SnapshotTable | None = None
) -> AbstractAsyncContextManager[CachedDirectory]:
    """Open a directory over the emulated organisation."""
    tokens = EndlessToken(emulator.issue_token())
    return open_directory(httpx.ASGITransport(emulator), tokens=tokens, store=store)


async def find_in_time(directory: CachedDirectory) -> LookupResult:
    """Find the caller and check that the answer is not late."""
    until = by(1.5)
    result = await directory.find(NUMBER, until=until)
    assert asyncio.get_running_loop().time() <= until + 0.001
    return result


async def test_emulated_organisation_is_asked_twice_for_a_thousand_calls() -> None:
    """A thousand simultaneous calls from one number are two requests to Dataverse."""
    emulator = emulate()
    async with open_emulated(emulator) as directory:
        found = await asyncio.gather(*(directory.find(NUMBER, until=by(1.5)) for _ in range(1000)))
        assert {(result.source, result.caller.name) for result in found} == {(Source.LIVE, "Anna Example")}
        assert [request.path.rpartition("/")[2] for request in emulator.requests] == ["contacts", "accounts"]


@each_fault
async def test_cold_caller_is_unavailable_in_time(fault: dict[str, Any], cause: Cause) -> None:
    """With nothing known, each fault is an unavailable caller with the right cause, within the deadline."""
    emulator = emulate()
    emulator.faults.add(Fault(**fault))
    async with open_emulated(emulator) as directory:
        found = await find_in_time(directory)
        assert (found.source, found.caller.status, found.caller.cause) == (Source.NONE, CallerStatus.UNAVAILABLE, cause)


@each_fault
async def test_stale_caller_is_answered_at_once(fault: dict[str, Any], cause: Cause) -> None:
    """A caller known from before is answered whatever the fault, and again after the look-up behind it failed."""
    del cause
    emulator = emulate()
    async with open_emulated(emulator) as directory:
        known = (await find_in_time(directory)).caller
        await asyncio.sleep(61)
        emulator.faults.add(Fault(**fault))
        assert await find_in_time(directory) == LookupResult(known, Source.STALE)
        await asyncio.sleep(1)
        assert await find_in_time(directory) == LookupResult(known, Source.STALE)


@each_fault
async def test_caller_known_before_a_restart_is_answered_in_time(fault: dict[str, Any], cause: Cause) -> None:
    """A new process answers yesterday's caller from the store and says why it is not live."""
    emulator = emulate()
    emulator.faults.add(Fault(**fault))
    table = SnapshotTable()
    table.rows[NUMBER] = Caller(status=CallerStatus.IDENTIFIED, name="Anna Example", as_of=1.0)
    async with open_directory(
        httpx.ASGITransport(emulator), tokens=EndlessToken(emulator.issue_token()), store=table
    ) as directory:
        found = await find_in_time(directory)
        assert (found.source, found.caller) == (Source.SNAPSHOT, table.rows[NUMBER])
        assert found.outage is not None
        assert found.outage.cause is cause
