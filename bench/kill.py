"""`kill -9` under load: what was answered and is missing from the log after a restart, and what is there twice."""

import asyncio
import random
import sqlite3
import tempfile
import uuid
from pathlib import Path

from bench.callers import Answer, Caller
from bench.cold import make_environment
from bench.crm import Crm
from bench.output import write
from bench.server import Running, serve_process
from bench.world import serve_app

__all__ = ["count_losses", "main"]

_ROUNDS = 50
_CALLERS = 16
_MAX_SECONDS = 1.0


def main(arguments: list[str]) -> None:
    """Print the counts after so many rounds (50, or the argument)."""
    rounds = int(arguments[0]) if arguments else _ROUNDS
    answered, missing, doubled = count_losses(rounds)
    write(f"kill -9 under load, {rounds} rounds: {answered} answered, {missing} missing, {doubled} doubled")
    if missing or doubled:
        raise SystemExit(1)


def count_losses(rounds: int) -> tuple[int, int, int]:
    """Kill and restart on one folder; return how many calls were answered, are missing, and are there twice."""
    answered: list[str] = []
    with tempfile.TemporaryDirectory() as name, serve_app(Crm(), lifespan="off") as (crm, _):
        folder = Path(name)
        environment = make_environment(folder, crm)
        for _ in range(rounds):
            with serve_process(["app.cli", "serve"], "/health/ready", environment) as running:
                answered += asyncio.run(_call_until_killed(running))
        with serve_process(["app.cli", "serve"], "/health/ready", environment):
            pass  # starts, takes over what the killed ones left, and ends in order
        kept = _read_request_ids(folder / "bench.db")
    return len(answered), len(set(answered) - set(kept)), len(kept) - len(set(kept))


async def _call_until_killed(running: Running) -> list[str]:
    rows = [asyncio.create_task(_call_in_a_row(running.url, index)) for index in range(_CALLERS)]
    await asyncio.sleep(random.uniform(0.05, _MAX_SECONDS))  # noqa: S311 - no secret
    running.process.kill()
    return [answer.request_id for row in await asyncio.gather(*rows) for answer in row if answer.status]


async def _call_in_a_row(url: str, index: int) -> list[Answer]:
    """Call until the connection breaks, with known callers and new ones."""
    answers: list[Answer] = []
    async with Caller(url) as caller:
        while not answers or answers[-1].status:
            number = f"+35840{index * 1000 + len(answers) % 50:07}"
            answers.append(await caller.call(number, f"kill-{uuid.uuid4()}"))
    return answers


def _read_request_ids(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return [row[0] for row in connection.execute("SELECT request_id FROM decisions")]
    finally:
        connection.close()
