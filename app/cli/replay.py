"""`smartrouting rules replay FILE`: what would a ruleset have done with the calls in the store?"""

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.bootstrap.stores import open_stores
from app.cli.shell import keep_files_private
from app.configurator.settings.live_settings import LiveSettings
from app.observability.logging import configure_logging
from app.routing.compiled import compile_ruleset
from app.routing.ruleset import Ruleset, read_ruleset
from app.rulesets.live_data import LiveRuleData
from app.rulesets.publish import read_ruleset_file
from app.rulesets.replay.replayer import Replayer
from app.rulesets.replay.result import PlaceNames, ReplayPlan, ReplayResult, run_replay
from app.rulesets.repository import CURRENT, RulesetRepository
from app.settings import Settings, read_settings
from app.store.upgrade import upgrade
from app.web.limits import HeavyWork

__all__ = ["replay"]

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
Moment = Annotated[datetime | None, typer.Option(formats=_FORMATS, help="In UTC.")]


def replay(
    file: Annotated[Path, typer.Argument(help="Ruleset file (JSON).", show_default=False)],
    since: Moment = None,
    until: Moment = None,
    queue: Annotated[str | None, typer.Option(help="Calls in this queue only, by its id.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many calls, spread evenly, the same each time.")] = None,
) -> None:
    """Decide the calls in the store again by a ruleset file, with the facts as they were, and say what changes."""
    ruleset = read_ruleset(read_ruleset_file(file))
    settings = read_settings()
    configure_logging("error", "console")
    keep_files_private()
    plan = ReplayPlan(since=_read(since), until=_read(until), queue_id=queue, sample=sample)
    result = asyncio.run(_replay(settings, ruleset, plan))
    sys.stdout.write(f"{result['summary']}\n")
    for name, calls in result["missing_facts"].items():
        sys.stdout.write(f"{name} was not read from the CRM at the time of {calls:,} calls\n")


async def _replay(settings: Settings, ruleset: Ruleset, plan: ReplayPlan) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        stores = open_stores(settings, stack)
        await upgrade(stores.database)
        live = await RulesetRepository(rulesets=stores.rulesets, heavy_work=HeavyWork()).read(CURRENT)
        live_data = LiveRuleData(
            switches=stores.switches, tables=stores.rule_tables, folder=settings.store.journal, heavy_work=HeavyWork()
        )
        await live_data.refresh()
        live_settings = LiveSettings(base=settings, store=stores.documents)
        await live_settings.refresh()
        rules = compile_ruleset(ruleset, revision=None)
        replayer = Replayer(rules, live_settings.find_profile, live_data.current)
        result = ReplayResult(PlaceNames(ruleset, live))
        total = await plan.count(stores.decisions)
        bar = stack.enter_context(_make_bar())
        task = bar.add_task("calls", total=total)

        async def report(done: int) -> bool:
            bar.update(task, completed=done)
            return True

        await run_replay(replayer, plan, result, decisions=stores.decisions, report=report)
        return result.document()


def _make_bar() -> Progress:
    columns = (TextColumn("Replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _read(moment: datetime | None) -> float | None:
    return None if moment is None else moment.replace(tzinfo=UTC).timestamp()
