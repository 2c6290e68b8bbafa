"""The console script `smartrouting`."""

import sys
from importlib import metadata
from typing import Annotated

import typer

from app.cli.app_registration import app_registration
from app.cli.calls import calls
from app.cli.check import check
from app.cli.contract_test import contract_test
from app.cli.demo_traffic import demo_traffic
from app.cli.emulate import emulate
from app.cli.numbers import numbers
from app.cli.openapi import openapi
from app.cli.plugins import plugins
from app.cli.reports import reports
from app.cli.rules import rules
from app.cli.serve import serve
from app.cli.settings import settings
from app.cli.shell import describe_error
from app.cli.simulate import simulate
from app.cli.upgrade_notes import upgrade_notes
from app.errors import AppError

__all__ = ["main"]


_STATUSES = "Exit status: 0 done, 1 something is wrong or refused, 2 used wrongly."


def _tell_version(wanted: bool) -> None:  # noqa: FBT001 - the library calls it so
    if wanted:
        sys.stdout.write(f"smartrouting {metadata.version('smartrouting')}\n")
        raise typer.Exit


def make_cli() -> typer.Typer:
    """Put the commands together."""
    cli = typer.Typer(
        name="smartrouting",
        no_args_is_help=True,
        epilog=_STATUSES,
        pretty_exceptions_enable=False,
    )
    for command in (serve, check, contract_test, simulate, settings, upgrade_notes, openapi, demo_traffic):
        cli.command(epilog=_STATUSES)(command)
    for group in (rules, app_registration, calls, numbers, plugins, reports, emulate):
        cli.add_typer(group, epilog=_STATUSES)
    cli.callback()(_take_version)
    return cli


def _take_version(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Decides, for every call an Enreach Voice queue receives, where the call should go."""


def main() -> None:
    """Run a command; a refusal is one line for each thing that is wrong, on standard error, and exit status 1."""
    try:
        make_cli()()
    except AppError as error:
        sys.stderr.write(f"smartrouting: {describe_error(error)}\n")
        sys.exit(1)
