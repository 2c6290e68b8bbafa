"""A month of calls synchronised to the emulated systems: requests for a thousand calls, and our own time."""

import asyncio
import tempfile
import time
from argparse import ArgumentParser
from datetime import date
from pathlib import Path

import httpx

from app.observability.logging import configure_logging
from bench.output import write
from tests.support.enterprise_calls import Clock, Systems, open_world
from tests.support.month import Month
from tests.support.month_run import list_written, live, read_settings

__all__ = ["main"]

_DAYS = 37
"""From the day before the clocks of Morocco go back until the day after they go forward."""
_REST_SECONDS = 10.0
"""In which is measured what the service does by the clock whether calls are synchronised or not."""
_ZONE = "Africa/Casablanca"


class Meter(httpx.AsyncBaseTransport):
    """Counts the requests to an emulated system, and the processor time it takes."""

    def __init__(self, network: httpx.AsyncBaseTransport) -> None:
        self.requests = 0
        self.seconds = 0.0
        self._network = network

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry out a request."""
        started = time.thread_time()
        response = await self._network.handle_async_request(request)
        self.requests += 1
        self.seconds += time.thread_time() - started
        return response


def main(arguments: list[str]) -> None:
    """Measure with `--calls` (60,000 unless said); takes some minutes."""
    parser = ArgumentParser(prog="python -m bench enterprise_calls")
    parser.add_argument("--calls", type=int, default=60_000)
    parser.add_argument("--days", type=int, default=_DAYS)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder), options.calls, options.days))


async def _measure(folder: Path, calls: int, days: int) -> None:
    month = Month(first=date(2026, 2, 14), days=days, users=200, calls=calls, contacts=3000, zone=_ZONE)
    systems = Systems.make(Clock(month.start), tables=month.list_tables())
    meters: list[Meter] = []

    def measure(network: httpx.AsyncBaseTransport) -> Meter:
        meters.append(Meter(network))
        return meters[-1]

    configure_logging("error", "console")
    async with open_world(folder, systems, sync=read_settings(month), through=measure) as world:
        processor = time.process_time()
        await asyncio.sleep(_REST_SECONDS)
        rest = (time.process_time() - processor) / _REST_SECONDS
        started, processor = time.perf_counter(), time.process_time()
        served = sum(meter.seconds for meter in meters)
        await live(world, month)
        elapsed, processor = time.perf_counter() - started, time.process_time() - processor
    written, wanted = list_written(systems), month.expect()
    emulators = sum(meter.seconds for meter in meters) - served
    idle = rest * elapsed
    write(f"{calls} calls in {days} days: {len(written)} activities, {len(wanted)} wanted, equal: {written == wanted}")
    for name, meter in zip(("Dataverse", "Enreach"), meters, strict=True):
        write(f"{name}: {meter.requests} requests, {meter.requests / calls * 1000:.1f} for 1,000 calls")
    own = processor - emulators - idle
    write(f"processor: {own:.0f} s of the synchronisation, {emulators:.0f} s of the emulators, {idle:.0f} s at rest")
    write(f"in all: {elapsed:.0f} s")
