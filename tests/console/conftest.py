"""A service, and a browser to look at its console."""

import json
import time
from collections.abc import Iterator
from typing import Any, Self

import httpx
import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, find_chromium, launch_chromium, visit
from tests.support.console import Console
from tests.support.service import ADMIN_KEY, PROGRAM_KEY, USER_KEY, WEBHOOK_KEY

__all__ = ["RETIRING_KEY", "SECOND_ADMIN_KEY", "SETTINGS", "Desk"]

RETIRING_KEY = "webhook-key-that-retires"
SECOND_ADMIN_KEY = "key-of-a-second-administrator"
_TIMEOUT_SECONDS = 120.0
SETTINGS = {
    "SMARTROUTING_ADMIN__API_KEYS": json.dumps(
        {
            "anna": {"key": ADMIN_KEY, "role": "Voice Admin User"},
            "cara": {"key": SECOND_ADMIN_KEY, "role": "Voice Admin User"},
            "script": {"key": PROGRAM_KEY, "role": "Voice ApiUser"},
            "bob": {"key": USER_KEY, "role": "Voice User"},
        }
    ),
    "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": WEBHOOK_KEY, "old": RETIRING_KEY}),
    "SMARTROUTING_WEBHOOK__RETIRING": json.dumps({"old": "2026-01-01"}),
    "SMARTROUTING_WEBHOOK__DEADLINE_MS": "4900",
}


class Desk(httpx.Client):
    """What an administrator and a queue do without the console."""

    @classmethod
    def ask_as(cls, url: str, key: str = ADMIN_KEY) -> Self:
        """Ask a service as the holder of a key."""
        return cls(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60)

    def call(self, *, key: str = WEBHOOK_KEY, **members: object) -> httpx.Response:
        """Let the queue ask about a call."""
        payload = {"anum": "+358501234567", "bnum": "+358912345678", **members}
        answer = self.post("/smartrouting", json=payload, headers={"X-Benemen-APIKey": key})
        return answer.raise_for_status()

    def decide(self, **members: object) -> Any:
        """Return what the queue is told about a call; `None` for no change."""
        answer = self.call(**members)
        return answer.json() if answer.content else None

    def publish(self, ref: str) -> None:
        """Publish a draft over whatever is live."""
        live = int(self.get("/admin/rulesets/current").json()["ref"])
        version = self.get(f"/admin/rulesets/{ref}").headers["ETag"]
        body = {"comment": "without the console", "expected_revision": live}
        self.post(f"/admin/rulesets/{ref}/publish", json=body, headers={"If-Match": version}).raise_for_status()

    def wait_for_calls(self, count: int, **query: Any) -> None:
        """Wait until so many calls have reached the decision log."""
        self.wait_for("/admin/decisions", count, **query)

    def wait_for(self, path: str, count: int, **query: Any) -> list[dict[str, Any]]:
        """Return the items of a list as soon as there are so many; fails when they do not come."""
        end = time.monotonic() + _TIMEOUT_SECONDS
        while time.monotonic() < end:
            items: list[dict[str, Any]] = self.get(path, params=query).json()["items"]
            if len(items) >= count:
                return items
        raise TimeoutError(f"{path} has fewer than {count}")


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
    with Desk.ask_as(served) as desk:
        yield desk


@pytest.fixture
def seen(browser: Browser, served: str) -> Iterator[Visit]:
    """A tab on the console of that service."""
    with visit(browser, served) as seen:
        yield seen
