"""Rules carried from one installation to another by the console script."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest

from tests.support.console import Console, Ended
from tests.support.service import ADMIN_KEY, VIP_RULES

NIGHT = {"id": "night", "when": {"fact": "caller.status", "op": "is", "value": "unknown"}, "then": {"no_change": True}}


@dataclass(frozen=True, slots=True)
class Installation:
    """A running demo, and the shell beside it."""

    console: Console
    folder: Path
    url: str

    def rules(self, command: str, *arguments: str, key: str = ADMIN_KEY) -> Ended:
        """Run a command about the rules of this installation."""
        return self.console.run(self.folder, "rules", command, self.url, *arguments, SMART_ROUTING_KEY=key)

    def write(self, **changes: Any) -> str:
        """Pull what is live, change it, and return the file."""
        file = self.folder / "rules.json"
        assert self.rules("pull", "--output", str(file)).status == 0
        document = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(document | changes), encoding="utf-8")
        return str(file)


@pytest.fixture
def installation(console: Console, tmp_path: Path) -> Iterator[Installation]:
    """Serve the demo at an address that the command line names."""
    keys = json.dumps({"me": {"key": ADMIN_KEY, "role": "Voice Admin User"}})
    settings = {"SMARTROUTING_DEMO": "1", "SMARTROUTING_ADMIN__API_KEYS": keys, "SMARTROUTING_PORT": "1"}
    with console.start(tmp_path, "serve", "--host", "127.0.0.1", "--port", "0", **settings) as running:
        yield Installation(console, tmp_path, running.read_until("Try it out").split()[-1].removesuffix("/docs"))
        running.send_signal(SIGTERM)
        assert running.wait(30) == 0


def test_rules_are_pulled_compared_pushed_and_published(installation: Installation) -> None:
    """What is live is compared with a file, becomes a draft with the same checks, and is published."""
    file = installation.write()
    same = installation.rules("diff", file)
    rules = json.loads(installation.rules("pull").out)["rules"]
    file = installation.write(rules=[*rules, NIGHT])

    differs = installation.rules("diff", file)
    pushed = installation.rules("push", file)
    rehearsed = installation.rules("publish", file, "--comment", "Night", "--dry-run")
    published = installation.rules("publish", file, "--comment", "Night")

    assert (same.status, same.out) == (0, "no difference\n")
    assert (differs.status, differs.out.splitlines()[0]) == (1, f"added rule night (/rules/{len(rules)})")
    assert (pushed.status, pushed.out.split()[0], rehearsed.status) == (0, "draft", 0)
    assert (published.status, published.out.splitlines()[0]) == (0, "revision 2 is live")
    assert installation.rules("diff", file).status == 0


def test_what_the_installation_refuses_is_one_line(installation: Installation) -> None:
    """A publish check, a wrong key and an address of something else end with status 1 and say why."""
    lost = [{"id": "lost", "then": {"redirect": "vip-quue"}}]
    file = installation.write(rules=lost, tests=[])

    refused = installation.rules("publish", file, "--comment", "x")
    unknown = installation.rules("pull", key="nobody's key")
    plain = installation.console.run(installation.folder, "rules", "pull", "http://example.com", "--key", "k")

    assert (refused.status, unknown.status, plain.status) == (1, 1, 1)
    assert "vip-queue" in refused.out + refused.err
    assert unknown.err.startswith("smartrouting: 401: ")
    assert "must start with https://" in plain.err


def test_scripts_read_json_and_versions(console: Console, tmp_path: Path) -> None:
    """`--json` on what answers in lines, `--version`, and the exit statuses in the help."""
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"rules": [{"id": "a", "then": {"redirect": "nowhere"}}]}), encoding="utf-8")

    linted = console.run(tmp_path, "rules", "lint", str(file), "--json")
    file.write_text(json.dumps(VIP_RULES), encoding="utf-8")
    tested = console.run(tmp_path, "rules", "test", str(file), "--json")
    checked = console.run(tmp_path, "check", "--json", SMARTROUTING_DEMO="1")
    version = console.run(tmp_path, "--version")
    helped = console.run(tmp_path, "check", "--help")

    assert (linted.status, json.loads(linted.out)["errors"]) == (1, 1)
    assert (tested.status, json.loads(tested.out)) == (1, {"passed": 0, "failed": 0, "tests": []})
    assert (checked.status, json.loads(checked.out)["ready"]) == (0, True)
    assert version.out.startswith("smartrouting ")
    assert "Exit status: 0" in helped.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "pwsh"])
def test_every_shell_completes(console: Console, tmp_path: Path, shell: str) -> None:
    """The script that a shell reads comes from the command itself."""
    ended = console.run(tmp_path, _SMARTROUTING_COMPLETE=f"source_{shell}")

    assert (ended.status, "smartrouting" in ended.out) == (0, True)


@pytest.mark.parametrize(
    ("host", "says"), [("192.0.2.1", "SMARTROUTING_HOST"), ("nowhere.invalid", "SMARTROUTING_HOST")]
)
def test_an_address_of_another_machine_is_no_busy_port(console: Console, tmp_path: Path, host: str, says: str) -> None:
    """Who names a wrong address is told of the address, not of the port."""
    ended = console.run(tmp_path, "serve", "--host", host, "--port", "0", SMARTROUTING_DEMO="0", **MINIMAL)

    assert ended.status == 1
    assert says in ended.err


MINIMAL = {
    "SMARTROUTING_WEBHOOK__API_KEYS": '{"a": "a-webhook-key-of-24-chars"}',
    "SMARTROUTING_DATAVERSE__URL": "http://127.0.0.1:9",
    "SMARTROUTING_DATAVERSE__AUTH": "token",
    "SMARTROUTING_DATAVERSE__TOKEN": "t",
}
