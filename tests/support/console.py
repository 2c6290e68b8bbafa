"""Runs the console script in processes of its own, which share one import of the application."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.support.process import clean_environment

__all__ = ["Console", "Ended", "Running", "open_console"]

_PRELOADED = """
import json, os, socket, sys
import app.cli

def start(folder, environment, arguments, out, err):
    child = os.fork()
    if child:
        return child
    channel.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in ((0, os.open(os.devnull, os.O_RDWR)), (1, out), (2, err)):
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["smartrouting", *arguments]
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

channel = socket.socket(fileno=int(sys.argv[1]))
while True:
    message, files, _, _ = socket.recv_fds(channel, 1 << 20, 2)
    if not message:
        break
    order = json.loads(message)
    if "wait" in order:
        answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
    else:
        answer = start(**order, out=files[0], err=files[1])
        for file in files:
            os.close(file)
    channel.send(str(answer).encode())
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


@dataclass(slots=True)
class Running:
    """A command that goes on until it is stopped."""

    pid: int
    stderr: IO[str]
    _channel: socket.socket
    _asked: bool = False
    _status: int | None = None

    def read_until(self, word: str) -> str:
        """Read what it says on standard error until a line holds the word, and return that line."""
        said = []
        for line in self.stderr:
            said.append(line)
            if word in line:
                return line
        raise AssertionError(f"it ended and said: {''.join(said)}")

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless its end has been noticed."""
        if self._status is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float) -> int:
        """Wait until it has ended, and return its exit status; raises TimeoutError after so many seconds."""
        if not self._asked:
            self._channel.send(json.dumps({"wait": self.pid}).encode())
            self._asked = True
        if self._status is None:
            if not select.select([self._channel], [], [], timeout)[0]:
                raise TimeoutError(f"{self.pid} runs on")
            self._status = int(self._channel.recv(64))
        return self._status


class Console:
    """A process that has imported the application and forks for every command."""

    def __init__(self, channel: socket.socket, folder: Path) -> None:
        self._channel = channel
        self._folder = folder

    def run(self, folder: Path, *arguments: str, **settings: str) -> Ended:
        """Run `smartrouting` with these arguments and settings in a folder, to its end."""
        out, err = self._folder / "out", self._folder / "err"
        with out.open("wb") as out_file, err.open("wb") as err_file:
            pid = self._fork(folder, arguments, settings, out_file.fileno(), err_file.fileno())
        self._channel.send(json.dumps({"wait": pid}).encode())
        status = int(self._channel.recv(64))
        return Ended(status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    @contextmanager
    def start(self, folder: Path, *arguments: str, **settings: str) -> Iterator[Running]:
        """Run `smartrouting` beside the test, which reads its standard error; kill it if it still runs at the end."""
        reader, writer = os.pipe()
        try:
            with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no path of ours
                pid = self._fork(folder, arguments, settings, nothing.fileno(), writer)
        finally:
            os.close(writer)
        with open(reader, encoding="utf-8") as stderr:  # noqa: PTH123 - a pipe has no path
            running = Running(pid, stderr, self._channel)
            try:
                yield running
            finally:
                running.send_signal(signal.SIGKILL)
                running.wait(10)

    @contextmanager
    def serve_demo(self, folder: Path, **settings: str) -> Iterator[tuple[str, Running]]:
        """Run `smartrouting serve` as a demo on a free port, unless one is set; give its base URL, too."""
        place = {"SMARTROUTING_DEMO": "1", "SMARTROUTING_PORT": "0"}
        with self.start(folder, "serve", **{**place, **settings}) as running:
            yield running.read_until("Webhook").split()[-1].removesuffix("/smartrouting"), running

    def _fork(self, folder: Path, arguments: tuple[str, ...], settings: Mapping[str, str], out: int, err: int) -> int:
        order = {"folder": str(folder), "environment": clean_environment(settings), "arguments": arguments}
        socket.send_fds(self._channel, [json.dumps(order).encode()], [out, err])
        return int(self._channel.recv(64))


@contextmanager
def open_console(folder: Path) -> Iterator[Console]:
    """Start the process; `folder` takes what the commands write."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with (
        ours,
        subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", _PRELOADED, str(theirs.fileno())],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            pass_fds=[theirs.fileno()],
        ),
    ):
        theirs.close()
        try:
            yield Console(ours, folder)
        finally:
            ours.shutdown(socket.SHUT_RDWR)
