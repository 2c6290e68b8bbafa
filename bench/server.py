"""A server in its own process, pinned to one core and stopped with the measurement."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CLIENT_CORE", "SERVER_CORE", "Running", "measure_processor", "serve", "serve_process", "settle"]

SERVER_CORE = 0
CLIENT_CORE = 1
_START_SECONDS = 60.0
_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that runs."""

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def serve(command: list[str], ready: str, environment: Mapping[str, str], *, core: int = SERVER_CORE) -> Iterator[str]:
    """Run `python -m command...` on a free loopback port and give its base URL once `ready` answers."""
    with serve_process(command, ready, environment, core=core) as running:
        yield running.url


@contextmanager
def serve_process(
    command: list[str],
    ready: str,
    environment: Mapping[str, str],
    *,
    core: int = SERVER_CORE,
    seconds: float = _START_SECONDS,
) -> Iterator[Running]:
    """Do the same, and give the process too; it may be killed meanwhile. It gets so many seconds to start."""
    port = _find_port()
    arguments = [part.replace("{port}", str(port)) for part in command]
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, "-m", *arguments],
        env={**os.environ, **environment, "SMARTROUTING_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    os.sched_setaffinity(process.pid, {core})
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(process, url + ready, seconds)
        yield Running(url, process)
    finally:
        process.terminate()
        process.wait(timeout=20)


def measure_processor(process: int) -> float:
    """Return the processor time a process has used, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settle(processes: Sequence[int], *, seconds: float = 60.0) -> None:
    """Wait until the processes have done what a measurement left them to do, so that the next begins alike."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        before = sum(map(measure_processor, processes))
        time.sleep(_IDLE_SECONDS)
        if sum(map(measure_processor, processes)) - before <= _IDLE_SECONDS / 10:
            return
    raise SystemExit("the servers do not come to rest")


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if process.poll() is not None:
            said = process.stderr.read().decode() if process.stderr else ""
            raise SystemExit(f"the server ended with {process.returncode} before it was ready:\n{said}")
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - loopback
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not become ready")
