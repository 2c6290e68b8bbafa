"""`smartrouting check`: are the settings right, asked of the real systems?"""

import asyncio
import sys
from contextlib import AsyncExitStack

import typer

from app.assembly.organisation import connect_organisation
from app.assembly.outside import Outside
from app.dataverse.check import CheckResult, check_organisation
from app.demo.setup import prepare_demo
from app.observability.logging import configure_logging
from app.routing.compiled import compile_ruleset
from app.routing.matches import Selection
from app.rulesets.publication import read_ruleset_file, require_sound
from app.settings import Settings, read_settings
from app.terms import make_profile

__all__ = ["check"]


def check() -> None:
    """Check token, columns, privileges and rules against the real systems; exit status 1 when something is wrong."""
    settings = read_settings()
    configure_logging("error", "console")
    outside = Outside()
    if settings.demo:
        demo = prepare_demo(settings, outside)
        settings, outside = demo.settings, demo.outside
    results = asyncio.run(_inspect(settings, outside))
    for result in results:
        hint = f" ({result.hint})" if result.hint else ""
        sys.stdout.write(f"{'ok  ' if result.ok else 'FAIL'}  {result.name}: {result.detail}{hint}\n")
    raise typer.Exit(0 if all(result.ok for result in results) else 1)


async def _inspect(settings: Settings, outside: Outside) -> list[CheckResult]:
    async with AsyncExitStack() as stack:
        organisation = connect_organisation(settings, outside, stack)
        return await check_organisation(
            client=organisation.client,
            tokens=organisation.tokens,
            dataverse=settings.dataverse,
            vip=settings.vip,
            selection=_read_selection(settings),
        )


def _read_selection(settings: Settings) -> Selection:
    """Tell which columns the deployment's ruleset file reads; raises InvalidInputError for an unsound file."""
    if settings.rules.file is None:
        return Selection()
    document = read_ruleset_file(settings.rules.file)
    ruleset = require_sound(document, make_profile(settings.response), region=settings.phone.default_region)
    return compile_ruleset(ruleset, revision=None).selection
