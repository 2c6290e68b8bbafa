"""The service as its own process, the way a user starts it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["clean_environment", "running_demo"]

_PLACE = re.compile(r"Webhook\s+(http://\S+)/smartrouting")


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Make an environment with these settings of ours and no others."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("SMARTROUTING_")}
    return {**others, **settings}


@contextmanager
def running_demo(folder: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """Run `smartrouting serve` as a demo on a free port, with `folder` as working directory; give its base URL."""
    environment = clean_environment({"SMARTROUTING_DEMO": "1", "SMARTROUTING_PORT": "0", **settings})
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "serve"],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield _read_place(process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _read_place(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if found := _PLACE.search(line):
            return found[1]
    raise AssertionError(f"the service ended before it was ready: {''.join(seen)}")
