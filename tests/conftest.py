"""Fixtures shared by every test."""

import gc
from collections import Counter
from collections.abc import Iterator

import pytest
import structlog

from tests.support.console import Console, open_console

pytest_plugins = ["tests.support.databases"]


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, the loop the service runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Run commands quickly."""
    with open_console(tmp_path_factory.mktemp("console")) as opened:
        yield opened


def pytest_configure() -> None:
    """Print exceptions plainly: with all local variables it would take seconds, and show phone numbers."""
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


def pytest_collection_finish() -> None:
    """Leave what was collected alone: looking through it again and again would hold tests up by half a second."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once for each reason how many tests were skipped."""
    reasons = Counter(str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()))
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
