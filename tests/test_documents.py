"""Whether the documents tell the truth."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.commands.settings import write_settings_table
from app.settings import read_settings
from tests.support.process import running_demo

ROOT = Path(__file__).parent.parent
_EXAMPLE = re.compile(r"<!-- example: (?P<name>[\w ]+) -->\n```console\n\$ (?P<line>curl .+)\n(?P<output>(?:.+\n)*)```")
_JSON = re.compile(r"```json\n(.*?)```", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def test_settings_table_is_complete() -> None:
    """The table of settings is the one the program prints."""
    assert write_settings_table() in (ROOT / "docs/settings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("variable", ["SMARTROUTING_VIP__CRITERIA", "SMARTROUTING_RESPONSE__FIELDS"])
def test_settings_examples_are_accepted(variable: str, tmp_path: Path) -> None:
    """The JSON examples of the settings document are values the service takes."""
    examples = _JSON.findall((ROOT / "docs/settings.md").read_text(encoding="utf-8"))
    value = examples[0] if variable.endswith("CRITERIA") else examples[1]

    settings = read_settings({"SMARTROUTING_DEMO": "1", variable: value}, env_file=tmp_path / ".env")

    chosen = settings.vip.criteria if variable.endswith("CRITERIA") else settings.response.fields
    assert len(chosen) == len(json.loads(value))


@pytest.mark.parametrize(
    "path", sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
)
def test_links_lead_somewhere(path: str) -> None:
    """Every relative link of a document names a file or folder of the project."""
    document = ROOT / path

    dead = [
        link for link in _LINK.findall(document.read_text(encoding="utf-8")) if not (document.parent / link).exists()
    ]

    assert dead == []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the demo as a user starts it, with the key of the README."""
    keys = {"SMARTROUTING_WEBHOOK__API_KEYS": '{"demo": "not-a-real-webhook-key"}'}
    with running_demo(tmp_path_factory.mktemp("demo"), keys) as url:
        yield url


@pytest.mark.parametrize("name", ["vip", "nobody", "wrong key"])
def test_readme_examples_print_what_they_say(name: str, demo: str) -> None:
    """The curl lines of the README give the output printed below them."""
    examples = {e["name"]: e for e in _EXAMPLE.finditer((ROOT / "README.md").read_text(encoding="utf-8"))}

    assert _curl(examples[name]["line"], demo) == examples[name]["output"]


def _curl(line: str, demo: str) -> str:
    """Do what a curl line of the README does, as far as those go, against the demo's port."""
    words = iter(shlex.split(line)[1:])
    options: dict[str, list[str]] = {}
    for word in words:
        if word == "-s":
            continue
        options.setdefault(word if word.startswith("-") else "url", []).append(
            next(words) if word.startswith("-") else word
        )
    headers = dict(header.split(": ", 1) for header in options["-H"])
    url = options["url"][0].replace("http://127.0.0.1:8000", demo)
    response = httpx.post(url, headers=headers, content=options["-d"][0])
    body = "" if "-o" in options else response.text
    return body + options["-w"][0].replace("%{http_code}", str(response.status_code)).replace("\\n", "\n")
