"""`smartrouting upgrade-notes`."""

import asyncio
import json
import sys
from importlib import metadata

from app.cli.shell import Json, keep_files_private
from app.observability.logging import configure_logging
from app.settings import read_settings
from app.store.database import open_database
from app.store.upgrade import UpgradePlan, plan_upgrade

__all__ = ["upgrade_notes"]


def upgrade_notes(*, as_json: Json = False) -> None:
    """Show what the next start would do to the database, and what to know beforehand; nothing is changed.

    Every start upgrades the database to the schema of its version; run this with the new one before its first start.
    """
    settings = read_settings()
    keep_files_private()
    configure_logging("error", "console")
    plan = asyncio.run(_plan(settings.store.url))
    if as_json:
        steps = [{"revision": revision, "note": note} for revision, note in plan.notes.items()]
        version = metadata.version("smartrouting")
        shown = {"version": version, "before": plan.before, "after": plan.after, "steps": steps}
        sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(f"{_describe(plan)}\n")
    for revision, note in plan.notes.items():
        sys.stdout.write(f"{revision}: {note}\n")


def _describe(plan: UpgradePlan) -> str:
    version = f"smartrouting {metadata.version('smartrouting')}"
    if plan.before is None:
        return f"The database is empty; the first start of {version} creates its tables at schema {plan.after}."
    if plan.before == plan.after:
        return f"The database is at schema {plan.before}; {version} changes nothing."
    return f"The database is at schema {plan.before}; the first start of {version} upgrades it to {plan.after}:"


async def _plan(url: str) -> UpgradePlan:
    database = open_database(url)
    try:
        return await plan_upgrade(database)
    finally:
        await database.close()
