"""The console in a real Chromium, and everything a browser noticed that must not happen."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Request, expect, sync_playwright

__all__ = ["Visit", "find_chromium", "launch_chromium", "visit"]

_TIMEOUT_MILLISECONDS = 30_000
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ALONE = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""What keeps Chromium from asking hosts of its own."""
_NOTE_VIOLATIONS = """
addEventListener("securitypolicyviolation",
    (event) => console.error(`content policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


def find_chromium() -> str:
    """Return the path of Chromium; where there is none the test is skipped, or fails with REQUIRE_CHROMIUM=1."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        reason = "there is no Chromium: the console's pages are not tried in a browser"
        if os.environ.get("REQUIRE_CHROMIUM") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextmanager
def launch_chromium(path: str) -> Iterator[Browser]:
    """Run a browser without windows; as root it has no sandbox."""
    expect.set_options(timeout=_TIMEOUT_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=[*_ALONE], chromium_sandbox=os.geteuid() != 0, timeout=120_000
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True, slots=True)
class Visit:
    """One tab on the console."""

    page: Page
    url: str
    """Where the service is."""
    noticed: list[str] = field(default_factory=list)
    """Errors of the page, violations of its content policy, and requests to other hosts."""

    def open(self, place: str = "", language: str = "en") -> None:
        """Open a screen by its address, such as `#calls?outcome=redirect`."""
        self.page.goto(f"{self.url}/console?language={language}{place}")

    def sign_in(self, key: str) -> None:
        """Type an API key, and wait until it is accepted."""
        self.page.locator("input[type=password]").fill(key)
        self.page.keyboard.press("Enter")
        self.page.locator("#sign-out").wait_for()

    def sees(self, text: str) -> Locator:
        """Wait for a text inside the screen, and return where it is."""
        found = self.page.locator("main").get_by_text(text).first
        found.wait_for()
        return found

    def judge_accessibility(self) -> list[str]:
        """Name each rule of axe that this screen breaks, and where."""
        found = Axe().run(self.page).response["violations"]
        return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


@contextmanager
def visit(browser: Browser, url: str, **options: object) -> Iterator[Visit]:
    """Open a tab of its own; at the end nothing may have been noticed. `options` are those of a browser context."""
    context = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(_TIMEOUT_MILLISECONDS)
    context.add_init_script(_NOTE_VIOLATIONS)
    opened = Visit(context.new_page(), url)

    def note_request(request: Request) -> None:
        if urlsplit(request.url.removeprefix("blob:")).netloc != urlsplit(url).netloc:
            opened.noticed.append(f"request to {request.url}")

    context.on("request", note_request)
    opened.page.on("pageerror", lambda error: opened.noticed.append(f"error: {error}"))
    opened.page.on("console", lambda line: opened.noticed.append(line.text) if line.type == "error" else None)
    try:
        yield opened
    finally:
        context.close()
    assert opened.noticed == [], opened.noticed
