"""A plugin of pytest that writes down which functions of the service each test runs through, for `bench.mutants`."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import app

__all__ = ["FOLDER"]

FOLDER = "MUTANTS_REACH"
"""The environment variable that names the folder to write into; one file of lines for each process."""
_ROOT = f"{Path(app.__file__).parent.parent}/"
_APP = f"{_ROOT}app/"


class _Reach:
    """Notes functions, as file and first line."""

    def __init__(self) -> None:
        self.found: set[tuple[str, int]] = set()

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        """Note the function that is called."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(_APP):
            self.found.add((code.co_filename, code.co_firstlineno))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Write a line about one test: its name, its seconds, what it ran through."""
    reach, started = _Reach(), time.monotonic()
    threading.setprofile(reach.note)
    sys.setprofile(reach.note)
    try:
        return (yield)  # type: ignore[misc] # what the inner hooks return
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type] # as documented
        line = {
            "test": item.nodeid.partition("[")[0],
            "seconds": time.monotonic() - started,
            "functions": sorted((name.removeprefix(_ROOT), first) for name, first in reach.found),
        }
        with (Path(os.environ[FOLDER]) / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
