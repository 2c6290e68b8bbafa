"""`smartrouting numbers spell NUMBER`."""

import sys
from typing import Annotated

import typer

from app.errors import InvalidInputError
from app.routing.numbers import list_spellings, read_number
from app.settings import read_settings

__all__ = ["numbers"]

numbers = typer.Typer(name="numbers", help="Look at telephone numbers.", no_args_is_help=True)


@numbers.callback()
def _group() -> None:
    """Keep `spell` a command of its own, though it is the only one."""


@numbers.command()
def spell(
    number: Annotated[str, typer.Argument(help="A public number, as it is dialled or in E.164.", show_default=False)],
) -> None:
    """Print the notations in which Dataverse is asked for a number, in order, each with its source."""
    phone = read_settings(demo=True, host="127.0.0.1").phone
    e164 = read_number(number, phone.default_region).e164
    if e164 is None:
        raise InvalidInputError(
            f"this is no public number of {phone.default_region}: write it as it is dialled there, or with + and its "
            "country code"
        )
    spellings = list_spellings(e164, phone.patterns)
    width = max(map(len, spellings))
    for text, source in spellings.items():
        sys.stdout.write(f"{text:<{width}}  {source}\n")
