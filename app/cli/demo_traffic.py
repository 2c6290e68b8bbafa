"""`smartrouting demo-traffic`: a day of calls in a minute, for the demo."""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.demo.traffic import TrafficCall, make_day
from app.errors import InvalidInputError

__all__ = ["demo_traffic"]

_KEYS = Path("data/demo-keys.json")
_MAX_AT_ONCE = 20
_OK, _MAX_SUCCESS = 200, 299


def demo_traffic(
    url: Annotated[str, typer.Option(help="Where the demo serves.")] = "http://127.0.0.1:8000",
    key: Annotated[str | None, typer.Option(help="Of the webhook; without it that of the demo in this folder.")] = None,
    calls: Annotated[int, typer.Option(help="How many calls the day has.", min=1, max=100_000)] = 600,
    seconds: Annotated[float, typer.Option(help="How long the day takes; 0 is as fast as it goes.", min=0)] = 60,
    seed: Annotated[int, typer.Option(help="Another seed is another day.")] = 1,
) -> None:
    """Post a plausible day of calls to the demo, so that its reports have something to tell.

    All calls count for now: the day is in how many call, who they are and how often, not in the hour.
    """
    answers = asyncio.run(_post_day(url.rstrip("/"), key or _read_key(), make_day(calls, seed=seed), seconds))
    moved = answers.pop(_OK, 0)
    sys.stdout.write(f"{calls:,} calls: {moved:,} got instructions, {answers.total():,} stay where they are\n")
    sys.stdout.write(f"What became of them: {url.rstrip('/')}/admin/reports/calls\n")


def _read_key() -> str:
    try:
        key: str = json.loads(_KEYS.read_bytes())["webhook"]
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInputError(
            f"there is no key of a demo in {_KEYS}: start the demo with `make run` in this folder, or give --key"
        ) from error
    return key


async def _post_day(url: str, key: str, day: list[TrafficCall], seconds: float) -> Counter[int]:
    """Post every call at its time of the day and count the answers by status."""
    answers: Counter[int] = Counter()
    places = asyncio.Semaphore(_MAX_AT_ONCE)
    columns = (TextColumn("Calling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    async with httpx.AsyncClient(headers={"X-Benemen-APIKey": key}, timeout=10.0) as http:
        await _try_key(http, url)
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("calls", total=len(day))
            started = time.monotonic()

            async def post(call: TrafficCall) -> None:
                async with places:
                    answers[(await http.post(f"{url}/smartrouting", json=call.payload)).status_code] += 1
                bar.advance(task)

            try:
                async with asyncio.TaskGroup() as group:
                    for call in day:
                        await asyncio.sleep(max(0.0, call.at * seconds - (time.monotonic() - started)))
                        group.create_task(post(call))
            except* httpx.HTTPError as errors:
                raise InvalidInputError(f"{url} stopped answering: {type(errors.exceptions[0]).__name__}") from errors
    return answers


async def _try_key(http: httpx.AsyncClient, url: str) -> None:
    """Find out before the day begins whether somebody answers and knows the key."""
    try:
        status = (await http.post(f"{url}/smartrouting", json={"anum": "anonymous"})).status_code
    except httpx.HTTPError as error:
        raise InvalidInputError(f"nobody answers at {url}: start the demo with `make run`, or give --url") from error
    if status > _MAX_SUCCESS:
        raise InvalidInputError(f"{url} refuses the key ({status}): give that of the webhook with --key")
