"""Whether the documents tell the truth."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.cli.settings import write_settings_table
from app.routing.registry import FACTS, FAMILIES
from app.routing.rule import Action, Operator, Rule
from app.settings import read_settings
from tests.support.console import Console

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
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


@pytest.mark.parametrize("path", DOCUMENTS)
def test_links_lead_somewhere(path: str) -> None:
    """Every relative link of a document names a file or folder of the project."""
    document = ROOT / path

    dead = [
        link for link in _LINK.findall(document.read_text(encoding="utf-8")) if not (document.parent / link).exists()
    ]

    assert dead == []


def test_files_of_the_architecture_exist() -> None:
    """Every file that the page about the architecture names is there."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", text))

    assert {file for file in named if not (ROOT / "app" / file).exists()} == set()


@pytest.mark.parametrize("path", DOCUMENTS)
def test_json_examples_are_json(path: str) -> None:
    """Every JSON example of a document can be read."""
    for example in _JSON.findall((ROOT / path).read_text(encoding="utf-8")):
        json.loads(example)


@pytest.fixture(scope="module")
def demo(console: Console, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the demo as a user starts it, with the key of the README; give its base URL."""
    keys = {"SMARTROUTING_WEBHOOK__API_KEYS": '{"demo": "not-a-real-webhook-key"}'}
    with console.serve_demo(tmp_path_factory.mktemp("demo"), **keys) as (url, _):
        yield url


@pytest.mark.parametrize("name", ["vip", "nobody", "wrong key"])
def test_readme_examples_print_what_they_say(name: str, demo: str) -> None:
    """The curl lines of the README give the output printed below them."""
    examples = {e["name"]: e for e in _EXAMPLE.finditer((ROOT / "README.md").read_text(encoding="utf-8"))}

    assert _curl(examples[name]["line"], demo) == examples[name]["output"]


def test_check_prints_what_the_document_says(console: Console, tmp_path: Path) -> None:
    """The lines of the check in the demo are those of the document."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    output = text.partition("$ SMARTROUTING_DEMO=1 smartrouting check\n")[2].partition("```")[0]

    ended = console.run(tmp_path, "check", SMARTROUTING_DEMO="1")

    assert (ended.out, ended.status) == (output, 0)


def test_first_ruleset_of_the_readme_works(console: Console, tmp_path: Path) -> None:
    """The ruleset an integrator starts with is sound, but for the id it asks for, and its test passes."""
    [text] = _JSON.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    (tmp_path / "rules.json").write_text(text, encoding="utf-8")

    ended = [console.run(tmp_path, "rules", command, "rules.json") for command in ("lint", "test")]

    assert [(each.status, each.out.splitlines()[-1]) for each in ended] == [
        (0, "0 errors, 0 warnings"),
        (0, "1 passed, 0 failed"),
    ]


@pytest.mark.parametrize(("place", "tests"), [(0, 3), (1, 2)], ids=["whole", "tables"])
def test_rulesets_of_the_language_work(console: Console, tmp_path: Path, place: int, tests: int) -> None:
    """The rulesets that show what a file can say are sound, and their tests pass."""
    examples = _JSON.findall((ROOT / "docs/rule-language.md").read_text(encoding="utf-8"))
    assert len(examples) == 2
    (tmp_path / "rules.json").write_text(examples[place], encoding="utf-8")

    ended = [console.run(tmp_path, "rules", command, "rules.json") for command in ("lint", "test")]

    assert [(each.status, each.out.splitlines()[-1]) for each in ended] == [
        (0, "0 errors, 0 warnings"),
        (0, f"{tests} passed, 0 failed"),
    ]


def test_words_of_the_language_are_complete() -> None:
    """Every fact, with its meaning, every operator and every key of a rule and its action is in the document."""
    text = (ROOT / "docs/rule-language.md").read_text(encoding="utf-8")
    specs = {**FACTS, **{f"{prefix}<name>": spec for prefix, spec in FAMILIES.items()}}
    values = {name: ", ".join(f"`{value}`" for value in spec.values) or spec.type for name, spec in specs.items()}
    rows = "".join(f"| `{name}` | {values[name]} | {spec.description} |\n" for name, spec in specs.items())

    assert rows in text
    assert [word for word in (*Operator, *Rule.model_fields, *Action.model_fields) if f"`{word}`" not in text] == []


def test_first_settings_of_the_readme_are_accepted(tmp_path: Path) -> None:
    """The least `.env` of the README, with the blanks filled in, is a complete deployment."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^ +(SMARTROUTING_\w+=.*)$", text, re.MULTILINE)
    file = tmp_path / ".env"
    file.write_text("\n".join(re.sub(r"<[\w ]+>", "a-long-random-something", line) for line in lines), encoding="utf-8")

    settings = read_settings({}, env_file=file)

    assert len(lines) == 7
    assert str(settings.dataverse.url) == "https://a-long-random-something.crm4.dynamics.com"
    assert (list(settings.webhook.api_keys), list(settings.admin.api_keys)) == (["enreach"], ["ops"])


def test_attacks_name_tests_that_exist() -> None:
    """Every row of the table of attacks leads to the test that shows the expectation."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)

    rows = [line for line in text.splitlines() if line.startswith("| ") and "tests/" in line]
    assert len(rows) >= 20
    assert [test for test in named if f"def {test[1]}" not in (ROOT / test[0]).read_text(encoding="utf-8")] == []


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
