"""The console script `smartrouting`."""

import sys

import typer

from app.cli.calls import calls
from app.cli.check import check
from app.cli.emulate import emulate
from app.cli.numbers import numbers
from app.cli.openapi import openapi
from app.cli.rules import rules
from app.cli.serve import serve
from app.cli.settings import settings
from app.cli.shell import describe_error
from app.cli.simulate import simulate
from app.errors import AppError

__all__ = ["main"]


def make_cli() -> typer.Typer:
    """Put the commands together."""
    cli = typer.Typer(
        name="smartrouting",
        help="Decides, for every call an Enreach Voice queue receives, where the call should go.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for command in (serve, check, simulate, settings, openapi):
        cli.command()(command)
    cli.add_typer(rules)
    cli.add_typer(calls)
    cli.add_typer(numbers)
    cli.add_typer(emulate)
    return cli


def main() -> None:
    """Run a command; a refusal is one line for each thing that is wrong, on standard error, and exit status 1."""
    try:
        make_cli()()
    except AppError as error:
        sys.stderr.write(f"smartrouting: {describe_error(error)}\n")
        sys.exit(1)
