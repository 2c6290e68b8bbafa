"""Signing in to the console with a work account, in a real browser and at a provider of OpenID Connect."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser

from tests.console.conftest import SETTINGS
from tests.support.browser import Visit, find_chromium, visit
from tests.support.console import Console
from tests.support.issuer import AUDIENCE, Issuer, serve_issuer

CLIENT = "console-of-contoso"


@dataclass(frozen=True, slots=True)
class Place:
    """A service whose people have accounts, a tab on its console, and their provider."""

    issuer: Issuer
    seen: Visit

    def list_hosts(self) -> set[str]:
        """Take what the browser asked of other hosts, by the last part of the address; nothing else was noticed."""
        noticed = [each.partition("?")[0].removeprefix(f"request to {self.issuer.url}/") for each in self.seen.noticed]
        self.seen.noticed.clear()
        return set(noticed)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """The provider."""
    with serve_issuer(tmp_path_factory.mktemp("issuer")) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def served_with_accounts(console: Console, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service that trusts the provider."""
    find_chromium()
    folder = tmp_path_factory.mktemp("served")
    issuer.ca.cert_pem.write_to_path(str(folder / "authority.pem"))
    settings = {
        "SSL_CERT_FILE": str(folder / "authority.pem"),
        "SMARTROUTING_ADMIN__OIDC_ISSUER": issuer.url,
        "SMARTROUTING_ADMIN__OIDC_AUDIENCE": AUDIENCE,
        "SMARTROUTING_ADMIN__OIDC_CLIENT_ID": CLIENT,
        "SMARTROUTING_ADMIN__OIDC_SCOPES": json.dumps(["openid", f"{AUDIENCE}/access"]),
    }
    with console.serve_demo(folder, **SETTINGS, **settings) as (url, _):
        yield url


@pytest.fixture
def place(browser: Browser, issuer: Issuer, served_with_accounts: str) -> Iterator[Place]:
    """Open the console."""
    issuer.asked, issuer.refusal, issuer.claims = [], {}, {}
    with visit(browser, served_with_accounts, ignore_https_errors=True) as seen:
        yield Place(issuer, seen)


def test_work_account_signs_in_where_the_page_was_left(place: Place) -> None:
    """The provider gets a challenge and no secret, the page is the one that was open, and the address tells nothing."""
    place.seen.open("#rules", language="fi")
    place.seen.page.get_by_role("button", name="Kirjaudu työtilillä").click()
    place.seen.page.locator("#sign-out").wait_for()

    assert place.seen.page.url == f"{place.seen.url}/console?language=fi#rules"
    assert place.seen.page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]
    [asked] = place.issuer.asked
    assert {name: asked[name] for name in ("client_id", "redirect_uri", "scope", "code_challenge_method")} == {
        "client_id": CLIENT,
        "redirect_uri": f"{place.seen.url}/console",
        "scope": f"openid {AUDIENCE}/access",
        "code_challenge_method": "S256",
    }
    assert place.seen.judge_accessibility() == []
    assert place.list_hosts() == {"auth", "token"}


def test_account_sees_what_its_role_may(place: Place) -> None:
    """A Voice User gets in and is told which role it would need."""
    place.issuer.claims = {"roles": ["Voice User"]}
    place.seen.open()
    place.seen.page.get_by_role("button", name="Sign in with your work account").click()

    place.seen.sees("Voice User")
    assert place.list_hosts() == {"auth", "token"}


def test_refused_account_is_told_why(place: Place) -> None:
    """What the provider says is shown, and the key can be used all the same."""
    place.issuer.refusal = {"error": "access_denied", "error_description": "<b>Not</b> in this tenant"}
    place.seen.open()
    place.seen.page.get_by_role("button", name="Sign in with your work account").click()

    place.seen.page.get_by_text("<b>Not</b> in this tenant").wait_for()
    assert place.seen.page.locator("input[type=password]").is_visible()
    assert place.list_hosts() == {"auth"}


def test_answer_to_nobodys_question_signs_nobody_in(place: Place) -> None:
    """A code that somebody else slips into the address is not used."""
    place.seen.page.goto(f"{place.seen.url}/console?code=code-1&state=made-up")

    place.seen.page.get_by_text("This sign-in was not begun here").wait_for()
    assert place.seen.page.url == f"{place.seen.url}/console"
    assert place.list_hosts() == set()
