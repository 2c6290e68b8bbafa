"""`smartrouting reports rebuild`."""

import asyncio
import sys
from contextlib import AsyncExitStack

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.bootstrap.stores import open_stores
from app.cli.shell import keep_files_private
from app.observability.logging import configure_logging
from app.reports.rollup import SLOT_SECONDS
from app.settings import Settings, read_settings
from app.store.upgrade import upgrade

__all__ = ["reports"]

reports = typer.Typer(name="reports", help="Figures of what happened to the calls.", no_args_is_help=True)


@reports.callback()
def _group() -> None:
    """Keep `rebuild` a command of its own, though it is the only one."""


@reports.command()
def rebuild() -> None:
    """Make the figures of reports anew from the decision log, beside a running service too.

    A half-hour keeps the figures it has when the log no longer holds all its decisions and the calls of the day before.
    """
    settings = read_settings()
    configure_logging("error", "console")
    keep_files_private()
    calls, left = asyncio.run(_rebuild(settings))
    sys.stdout.write(f"{calls:,} calls are added up\n")
    if left:
        sys.stdout.write(f"{left:,} half-hours keep their figures: the log no longer has all that they tell\n")


async def _rebuild(settings: Settings) -> tuple[int, int]:
    """Return how many calls were added up, and how many half-hours were left as they are."""
    async with AsyncExitStack() as stack:
        stores = open_stores(settings, stack)
        await upgrade(stores.database)
        bounds = await stores.rollup.find_bounds()
        slots = range(bounds[0], bounds[1] + 1, SLOT_SECONDS) if bounds else range(0)
        columns = (TextColumn("Adding up"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        bar = stack.enter_context(Progress(*columns, console=Console(stderr=True), transient=True))
        rebuilt = [await stores.rollup.rebuild(slot) for slot in bar.track(slots)]
        return sum(calls for calls in rebuilt if calls is not None), rebuilt.count(None)
