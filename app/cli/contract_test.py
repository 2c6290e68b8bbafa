"""`smartrouting contract-test URL`: does a webhook answer as the queue expects, asked from here?"""

import asyncio
import sys
from typing import Annotated

import httpx
import typer

from app.errors import InvalidInputError
from app.operations.golive.contract_test import SLOWEST_DEADLINE, ContractTest, ShapeResult, list_shapes
from app.settings.base import require_https

__all__ = ["contract_test"]

_TIMEOUT = 30.0


def contract_test(
    url: Annotated[str, typer.Argument(help="Of the webhook, like https://voice.example.com/smartrouting.")],
    key: Annotated[
        str,
        typer.Option(prompt=True, hide_input=True, envvar="WEBHOOK_KEY", help="Of the webhook; else it is asked for."),
    ],
    user: Annotated[str | None, typer.Option(help="Of HTTP Basic, whose password the key then is.")] = None,
    target: Annotated[list[str] | None, typer.Option(help="A target id; may be repeated.")] = None,
) -> None:
    """Post every shape of request to a webhook, and say what is not answered as the contract says.

    The calls come from numbers that nobody has, and the service counts them nowhere.
    """
    try:
        require_https(url)
    except ValueError as error:
        raise InvalidInputError(f"the URL {error}: the key must not travel in plain text") from error
    results = asyncio.run(_play_all(url, (user, key), target or []))
    wrong = sum(result.verdict == "wrong" for result in results)
    sys.stdout.write(f"{len(results)} requests, {wrong} of them not answered as the contract says\n")
    raise typer.Exit(1 if wrong else 0)


async def _play_all(url: str, credential: tuple[str | None, str], target_ids: list[str]) -> list[ShapeResult]:
    results = []
    async with httpx.AsyncClient(timeout=_TIMEOUT) as http:
        test = ContractTest(http=http, url=url, credential=credential, deadline=SLOWEST_DEADLINE)
        for shape in list_shapes(target_ids):
            result = await test.play(shape)
            results.append(result)
            head = f"{result.verdict:<5}  {result.status or '---'}  {result.seconds:6.3f} s"
            sys.stdout.write(f"{head}  {result.name}: {result.detail}\n")
            sys.stdout.flush()
    return results
