"""Runs the console script in processes of its own, which share one import of the application."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.support.process import clean_environment

__all__ = ["Console", "Ended", "open_console"]

_PRELOADED = """
import json, os, sys
import app.cli

for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        for number, name in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
        sys.argv = ["smartrouting", *order["arguments"]]
        status = 0
        try:
            app.cli.main()
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            status = 70
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


class Console:
    """A process that has imported the application and forks for every command."""

    def __init__(self, orders: IO[str], answers: IO[str], folder: Path) -> None:
        self._orders = orders
        self._answers = answers
        self._folder = folder

    def run(self, folder: Path, *arguments: str, **settings: str) -> Ended:
        """Run `smartrouting` with these arguments and settings in a folder, to its end."""
        out, err = self._folder / "out", self._folder / "err"
        order = {
            "folder": str(folder),
            "environment": clean_environment(settings),
            "out": str(out),
            "err": str(err),
            "arguments": arguments,
        }
        self._orders.write(json.dumps(order) + "\n")
        self._orders.flush()
        status = int(self._answers.readline())
        return Ended(status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


@contextmanager
def open_console(folder: Path) -> Iterator[Console]:
    """Start the process; `folder` takes what the commands write."""
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", _PRELOADED],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Console(process.stdin, process.stdout, folder)
        process.stdin.close()
