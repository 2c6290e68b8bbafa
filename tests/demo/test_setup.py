"""The demo: a complete little world, in which anything set explicitly wins."""

import json
import os
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.bootstrap.upstreams import Upstreams
from app.demo.setup import prepare_demo
from app.emulators.dataverse import DataFileError
from app.routing.lint import lint_ruleset
from app.routing.rule_tests import run_tests
from app.routing.ruleset import read_ruleset
from app.routing.wire import ResponseProfile
from app.settings import Settings, SettingsError, read_settings
from tests.support.console import Console
from tests.support.service import ADMIN_KEY, WEBHOOK_KEY


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """Work in an empty folder, as the demo keeps its keys in the working directory."""
    with chdir(tmp_path):
        yield tmp_path


def make_settings(**variables: str) -> Settings:
    """Read settings as the console script does."""
    return read_settings({"SMARTROUTING_DEMO": "1"} | {f"SMARTROUTING_{k}": v for k, v in variables.items()})


def list_keys(settings: Settings) -> list[str]:
    """List the keys of webhook and administrator."""
    keys: list[SecretStr] = [*settings.webhook.api_keys.values(), *(e.key for e in settings.admin.api_keys.values())]
    return [key.get_secret_value() for key in keys]


def test_keys_are_made_once(folder: Path) -> None:
    """Keys are drawn at random, kept for the next start, and readable for their owner only."""
    first = list_keys(prepare_demo(make_settings(), Upstreams()).settings)
    second = list_keys(prepare_demo(make_settings(), Upstreams()).settings)

    assert first == second
    assert len(set(first)) == 2
    assert all(len(key) >= 16 for key in first)
    assert oct((folder / "data" / "demo-keys.json").stat().st_mode)[-3:] == "600"


def test_explicit_keys_win(folder: Path) -> None:
    """Keys that are set are used, and nothing is written."""
    admin = json.dumps({"me": {"key": ADMIN_KEY, "role": "Voice Admin User"}})
    settings = make_settings(WEBHOOK__API_KEYS=json.dumps({"queue": WEBHOOK_KEY}), ADMIN__API_KEYS=admin)

    assert list_keys(prepare_demo(settings, Upstreams()).settings) == [WEBHOOK_KEY, ADMIN_KEY]
    assert list(folder.iterdir()) == []


def test_basic_users_are_credentials_too() -> None:
    """With a Basic user set, no key is made for the webhook."""
    settings = make_settings(WEBHOOK__BASIC_USERS='{"enreach": "password"}')

    assert prepare_demo(settings, Upstreams()).settings.webhook.api_keys == {}


@pytest.mark.parametrize("content", ["{", "[]", '{"webhook": "x"}', "\xff"])
def test_spoilt_keys_are_told(folder: Path, content: str) -> None:
    """A file of keys that cannot be used is told with its name."""
    (folder / "data").mkdir()
    (folder / "data" / "demo-keys.json").write_bytes(content.encode("latin-1"))

    with pytest.raises(SettingsError, match=r"demo-keys\.json"):
        prepare_demo(make_settings(), Upstreams())


def test_keys_that_cannot_be_kept_are_told(folder: Path) -> None:
    """A data folder that cannot be made is told."""
    (folder / "data").write_text("in the way", encoding="utf-8")

    with pytest.raises(SettingsError, match="data"):
        prepare_demo(make_settings(), Upstreams())


async def test_embedded_dataverse_shows_own_tables(folder: Path) -> None:
    """Tables from a file take the place of the sample organisation."""
    file = folder / "tables.json"
    file.write_text(json.dumps({"contacts": [{"fullname": "Ann Example"}]}), encoding="utf-8")
    demo = prepare_demo(make_settings(DATAVERSE__EMULATOR_DATA=str(file)), Upstreams())
    assert demo.settings.dataverse.token is not None
    headers = {"Authorization": f"Bearer {demo.settings.dataverse.token.get_secret_value()}"}

    async with httpx.AsyncClient(
        transport=demo.upstreams.dataverse, base_url=str(demo.settings.dataverse.url)
    ) as client:
        answer = await client.get("/api/data/v9.2/contacts?$select=fullname", headers=headers)

    assert [row["fullname"] for row in answer.json()["value"]] == ["Ann Example"]


def test_unusable_tables_are_told(folder: Path) -> None:
    """A file of tables that cannot be used is told with its name."""
    file = folder / "tables.json"
    file.write_text("{", encoding="utf-8")

    with pytest.raises(DataFileError, match=r"tables\.json"):
        prepare_demo(make_settings(DATAVERSE__EMULATOR_DATA=str(file)), Upstreams())


def test_real_systems_win() -> None:
    """With a URL the demo asks the real organisation over the network."""
    demo = prepare_demo(
        make_settings(
            DATAVERSE__URL="https://contoso.crm4.dynamics.com", DATAVERSE__AUTH="token", DATAVERSE__TOKEN="x"
        ),
        Upstreams(),
    )

    assert (demo.upstreams.dataverse, str(demo.settings.dataverse.url)) == (None, "https://contoso.crm4.dynamics.com")
    assert demo.upstreams.enreach is not None


def test_sample_rules_are_sound() -> None:
    """The sample ruleset has no errors, and its tests pass."""
    demo = prepare_demo(make_settings(), Upstreams())
    ruleset = read_ruleset(demo.ruleset)

    assert [f for f in lint_ruleset(ruleset, ResponseProfile(), region="FI") if f.severity == "error"] == []
    assert {result.passed for result in run_tests(ruleset)} == {True}


def test_own_rules_win(folder: Path) -> None:
    """With a ruleset file there is no sample."""
    (folder / "rules.json").write_text("{}", encoding="utf-8")

    assert prepare_demo(make_settings(RULES__FILE="rules.json"), Upstreams()).ruleset is None


def test_demo_never_listens_to_others() -> None:
    """The demo is for this machine, unless the container image says otherwise, and never on by default."""
    with pytest.raises(SettingsError, match="loopback"):
        make_settings(HOST="0.0.0.0")  # noqa: S104 - that is the point
    assert make_settings(HOST="0.0.0.0", DEMO_ANY_HOST="1").host == "0.0.0.0"  # noqa: S104 - as the image has it
    assert Settings.model_fields["demo"].default is False
    assert Settings.model_fields["demo_any_host"].default is False
    assert os.environ.get("SMARTROUTING_DEMO") is None


async def test_a_row_of_the_demo_fails_and_the_others_work(console: Console, folder: Path) -> None:
    """The failure is there to look at, and stays away once it is deleted, also after a restart."""
    with console.serve_demo(folder) as (url, _):
        trace = (await run_event(folder, url))["trace"]
        await ask(folder, url, "DELETE", "/admin/events/call-incoming/plugins/50")
    with console.serve_demo(folder) as (url, _):
        later = (await run_event(folder, url))["trace"]

    assert [(row["number"], row["changed"], row["error"] is not None) for row in trace] == [
        (50, [], True),
        (51, ["customer"], False),
        (52, ["results"], False),
        (53, ["results"], False),
    ]
    assert "private" in trace[0]["error"]
    assert [(row["number"], row["error"]) for row in later] == [(51, None), (52, None), (53, None)]


async def run_event(folder: Path, url: str) -> dict[str, Any]:
    """Have a call come in."""
    keys = json.loads((folder / "data" / "demo-keys.json").read_text(encoding="utf-8"))
    async with httpx.AsyncClient(base_url=url, headers={"X-Benemen-APIKey": keys["webhook"]}, timeout=30.0) as client:
        answer = await client.post("/events/call-incoming", json={"phoneNumber": "+358501234567"})
        shown: dict[str, Any] = answer.json()
        return shown


async def ask(folder: Path, url: str, method: str, path: str) -> None:
    """Send something as the administrator."""
    keys = json.loads((folder / "data" / "demo-keys.json").read_text(encoding="utf-8"))
    headers = {"Authorization": f"Bearer {keys['admin']}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30.0) as client:
        (await client.request(method, path)).raise_for_status()
