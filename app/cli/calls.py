"""`smartrouting calls why CALL_ID`: why is this call not in Dynamics?"""

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import Annotated

import typer

from app.bootstrap.stores import open_stores
from app.cli.shell import keep_files_private
from app.enterprise_calls.store import StoredCall
from app.errors import NotFoundError
from app.observability.logging import configure_logging
from app.settings import Settings, read_settings
from app.store.upgrade import upgrade

__all__ = ["calls"]

calls = typer.Typer(name="calls", help="Work calls and their activities in Dynamics.", no_args_is_help=True)


@calls.callback()
def _group() -> None:
    """Keep the one command a command of its own."""


@calls.command()
def why(call_id: Annotated[str, typer.Argument(help="Enreach's id of the call.", show_default=False)]) -> None:
    """Say what became of a work call, rule by rule, for each user who took part; exit status 1 for an unknown one."""
    settings = read_settings()
    configure_logging("error", "console")
    keep_files_private()
    for call in asyncio.run(_find(settings, call_id)):
        user = f"user {call.user_id}" if call.user_id else "a user whom Dynamics does not know"
        sys.stdout.write(f"{call.outcome} ({call.reason}): the part of {user}\n")
        for number, step in enumerate(call.steps, start=1):
            sys.stdout.write(f"{number:3} {'passed' if step.passed else 'ended '} {step.rule:14} {step.explanation}\n")


async def _find(settings: Settings, call_id: str) -> list[StoredCall]:
    async with AsyncExitStack() as stack:
        stores = open_stores(settings, stack)
        await upgrade(stores.database)
        found = await stores.enterprise_calls.find(call_id)
    if not found:
        raise NotFoundError("no work call with this id is known")
    return found
