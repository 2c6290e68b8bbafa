"""`smartrouting check`: are the settings right, asked of the real systems?"""

import asyncio
import sys

import typer

from app.bootstrap.upstreams import Upstreams
from app.cli.inspection import Inspection
from app.cli.private_files import keep_files_private
from app.demo.setup import prepare_demo
from app.observability.logging import configure_logging
from app.settings import read_settings

__all__ = ["check"]

_WORDS = {True: "ok", False: "wrong", None: "not configured"}
_WIDTH = max(map(len, _WORDS.values()))


def check() -> None:
    """Check the settings against the real systems, one line each; exit status 1 when something is wrong.

    Asked are the store, the ruleset, Dataverse (token, columns, roles, privileges), Enreach (key, queues, users) and
    the OpenID Connect issuer.
    """
    settings, upstreams, sample = read_settings(), Upstreams(), None
    keep_files_private()
    configure_logging("error", "console")
    if settings.demo:
        demo = prepare_demo(settings, upstreams)
        settings, upstreams, sample = demo.settings, demo.upstreams, demo.ruleset
    results = asyncio.run(Inspection(settings=settings, upstreams=upstreams, sample=sample).run())
    for result in results:
        hint = f" ({result.hint})" if result.hint else ""
        sys.stdout.write(f"{_WORDS[result.ok]:<{_WIDTH}}  {result.name}: {result.detail}{hint}\n")
    raise typer.Exit(1 if any(result.ok is False for result in results) else 0)
