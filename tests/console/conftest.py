"""A service, and a browser to look at its console."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, find_chromium, launch_chromium, visit
from tests.support.console import Console
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, USER_KEY, WEBHOOK_KEY

__all__ = ["SETTINGS", "Desk"]

SETTINGS = {
    "SMARTROUTING_ADMIN__API_KEYS": json.dumps(
        {
            "anna": {"key": ADMIN_KEY, "role": "Voice Admin User"},
            "script": {"key": PROGRAM_KEY, "role": "Voice ApiUser"},
            "bob": {"key": USER_KEY, "role": "Voice User"},
        }
    ),
    "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": WEBHOOK_KEY}),
    "SMARTROUTING_WEBHOOK__DEADLINE_MS": "4900",
}


class Desk(httpx.Client):
    """What an administrator and a queue do without the console."""

    def call(self, **members: object) -> None:
        """Let the queue ask about a call."""
        payload = {"anum": "+358501234567", "bnum": "+358912345678", **members}
        self.post("/smartrouting", json=payload, headers={"X-Benemen-APIKey": WEBHOOK_KEY}).raise_for_status()

    def wait_for_calls(self, count: int, **query: Any) -> None:
        """Wait until so many calls have reached the decision log."""
        while len(self.get("/admin/decisions", params=query).json()["items"]) < count:
            pass


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; while it is there, the thread has a running event loop, which other modules must not meet."""
    with launch_chromium(find_chromium()) as browser:
        yield browser


@pytest.fixture(scope="session")
def served(console: Console, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a demo that all tests of a worker share."""
    find_chromium()
    with console.serve_demo(tmp_path_factory.mktemp("served"), **SETTINGS) as (url, _):
        yield url


@pytest.fixture
def desk(served: str) -> Iterator[Desk]:
    """The same service, asked without the console, as Voice Admin User."""
    with Desk(base_url=served, headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=60) as desk:
        yield desk


@pytest.fixture
def seen(browser: Browser, served: str) -> Iterator[Visit]:
    """A tab on the console of that service."""
    with visit(browser, served) as seen:
        yield seen
