"""`smartrouting plugins`: what a developer of a plugin sees of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dirty_equals import IsPositive, IsStr

from tests.configurator.test_event_plugins import EXAMPLE, install_example
from tests.support.console import Console

BUILT_IN = [
    "identify-customer",
    "open-cases",
    "vip-check",
    "routing-explanation",
    "create-phone-call",
    "signed-webhook",
    "https-hook",
]


def run_with_example(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `smartrouting plugins` where the example is installed."""
    with pytest.MonkeyPatch.context() as patch:
        install_example(folder / "packages", patch)
    root = Path(__file__).parents[2]
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "app.cli", "plugins", *arguments],
        cwd=folder,
        env={"PYTHONPATH": os.pathsep.join(map(str, (root, EXAMPLE, folder / "packages"))), "PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_list_shows_built_in_plugins_and_those_of_packages(console: Console, tmp_path: Path) -> None:
    """Each has its id, where it comes from and what it is for, for people and for programs."""
    ended = console.run(tmp_path, "plugins", "list")
    listed = run_with_example(tmp_path, "list", "--json")

    assert (ended.status, ended.err) == (0, "")
    assert [line.split()[0] for line in ended.out.splitlines()] == BUILT_IN
    items = json.loads(listed.stdout)["items"]
    assert [item["id"] for item in items] == [*BUILT_IN, "caller-country"]
    assert items[-1] == {"id": "caller-country", "built_in": False, "description": IsStr}


def test_a_plugin_is_tried_outside_the_service(tmp_path: Path) -> None:
    """It gets its parameters and a context, and what it changed is printed."""
    (tmp_path / "call.json").write_text('{"phoneNumber": "+46701234567"}', encoding="utf-8")
    arguments = ("test", "caller-country", "--context", "call.json", "--parameters", '{"home": "SE"}')

    ended = run_with_example(tmp_path, *arguments)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout) == {
        "changed": ["results"],
        "ms": IsPositive,
        "context": {
            "phoneNumber": "+46701234567",
            "results": {"caller-country": {"country": "SE", "abroad": False}},
        },
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--context", "odd.json"), "caller-country failed: the number is not in E.164"),
        (("--parameters", '{"tongue": 1}'), "/parameters/tongue"),
    ],
)
def test_a_plugin_that_fails_says_why(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    """Its own message, or the parameter that is wrong, is one line with status 1."""
    (tmp_path / "odd.json").write_text('{"phoneNumber": "x"}', encoding="utf-8")

    ended = run_with_example(tmp_path, "test", "caller-country", *arguments)

    assert (ended.returncode, ended.stdout, told in ended.stderr) == (1, "", True), ended.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("caller-county",), "no such plugin is installed"),
        (("vip-check",), "needs the service"),
    ],
)
def test_what_cannot_be_tried_is_one_line(
    console: Console, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    """A plugin that is not there, and one that needs the service, end with status 1 and one sentence."""
    ended = console.run(tmp_path, "plugins", "test", *arguments)

    assert (ended.status, ended.out, told in ended.err, ended.err.count("\n")) == (1, "", True, 1), ended.err
