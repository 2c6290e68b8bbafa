"""Tests in forked children of one process that has imported everything, and which functions each test runs through.

What was found is kept under `build/`, and found again for a file of tests that changed.
"""

import hashlib
import importlib
import json
import os
import pkgutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from bench.output import write

__all__ = ["Reached", "find_reach", "prepare", "run_forked"]

_PLUGINS = "anyio.pytest_plugin,pytest_socket,xdist.plugin,_hypothesis_pytestplugin"
_ROOT = f"{Path(__file__).parent.parent}/"
_APP = f"{_ROOT}app/"


class Reached(NamedTuple):
    """A test and what it runs through."""

    name: str
    """Without its parameters."""
    seconds: float
    functions: frozenset[tuple[str, str]]
    """File and qualified name."""


def prepare() -> None:
    """Import and make once what every child needs."""
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": _PLUGINS}
    for name in ("hypothesis", "pytest", "tests.support.samples", "tests.support.service"):
        importlib.import_module(name)
    for module in pkgutil.walk_packages([_APP], "app."):
        if not module.name.endswith(("__main__", "migrations.env")):
            importlib.import_module(module.name)
    samples = sys.modules["tests.support.samples"]
    with tempfile.TemporaryDirectory() as folder:
        samples.lay_database(f"sqlite:///{folder}/a.db")
    samples.make_tables(None)


def run_forked(
    tests: Sequence[str], *, seconds: float, begin: Callable[[], object], plugins: Sequence[object] = ()
) -> int | None:
    """Run tests in a child, after `begin` in the child; returns the exit status, `None` when they were ended."""
    child = os.fork()
    if not child:
        os._exit(_run(tests, begin, plugins))
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    with suppress(ProcessLookupError):  # it may not have begun
        os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def find_reach(root: Path, rooms: Sequence[str], ends: float) -> Sequence[Reached]:
    """Return the tests of these rooms; runs each file of tests whose ways are not known, until time is up."""
    kept = root / "build" / "mutants"
    kept.mkdir(parents=True, exist_ok=True)
    found: list[Reached] = []
    for file in sorted(path for room in rooms for path in (root / "tests" / room).rglob("test_*.py")):
        note = kept / f"{hashlib.sha256(file.read_bytes() + str(file).encode()).hexdigest()[:24]}.jsonl"
        if not note.exists():
            unfinished = note.with_suffix(".unfinished")
            unfinished.write_bytes(b"")
            status = run_forked(
                [str(file)], seconds=ends - time.monotonic(), begin=lambda: None, plugins=[_Follower(unfinished)]
            )
            if status is None:
                write(f"out of time, not known: {file.relative_to(root)}")
                continue
            unfinished.rename(note)
        found += _read(note)
    return found


def _run(tests: Sequence[str], begin: Callable[[], object], plugins: Sequence[object]) -> int:
    os.setpgrp()
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(silent, stream)
    import pytest  # noqa: PLC0415 - not before its plugins are named

    try:
        begin()
        with tempfile.TemporaryDirectory() as folder:
            options = ["-q", "-p", "no:cacheprovider", f"--basetemp={folder}/t", *([] if plugins else ["-x"])]
            return int(pytest.main([*options, *tests], plugins=list(plugins)))
    except BaseException:  # noqa: BLE001 - whatever happens here comes of the change
        return 1


def _read(note: Path) -> Iterator[Reached]:
    seconds: dict[str, float] = {}
    functions: dict[str, set[tuple[str, str]]] = {}
    for line in note.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        name = found["test"]
        seconds[name] = seconds.get(name, 0.0) + found["seconds"]
        functions.setdefault(name, set()).update((file, function) for file, function in found["functions"])
    for name, through in functions.items():
        yield Reached(name, seconds[name], frozenset(through))


class _Follower:
    """A plugin of pytest that writes a line about each test: its name, its seconds, what it ran through."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._found: set[tuple[str, str]] = set()
        self._started = 0.0

    def pytest_runtest_logstart(self) -> None:
        """Follow a test from its fixtures on."""
        self._found, self._started = set(), time.monotonic()
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write what was seen."""
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type] # as documented
        line = {
            "test": nodeid.partition("[")[0],
            "seconds": time.monotonic() - self._started,
            "functions": sorted((name.removeprefix(_ROOT), function) for name, function in self._found),
        }
        with self._target.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _trace(self, frame: FrameType, _event: str, _argument: Any) -> None:
        code = frame.f_code
        if code.co_filename.startswith(_APP):
            self._found.add((code.co_filename, code.co_qualname))
