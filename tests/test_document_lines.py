"""Whether the shell lines of the documents work, one after the other, against the demo and an emulator."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.console import Console

ROOT = Path(__file__).parent.parent
_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_OF_THE_READER = re.compile(r"^(?:BASE|KEY|HOOK|EMULATOR)=.*\n", re.MULTILINE)
_MIN_ERROR = 400
_WATCH = """
curl() { command curl "$@" -w '%{stderr}%{http_code} %{method} %{url_effective}\\n'; }
"""
"""Tells the status of every answer, which the lines themselves do not look at."""


def list_documents() -> list[str]:
    """List the documents that hold lines for a shell."""
    files = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    return [str(file.relative_to(ROOT)) for file in files if _BLOCK.search(file.read_text(encoding="utf-8"))]


@pytest.fixture
def demo(console: Console, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Serve the demo and an emulator, and give what a reader sets first."""
    emulate = ("emulate", "dataverse", "--port", "0")
    with console.serve_demo(tmp_path) as (url, _), console.start(tmp_path, *emulate) as emulator:
        keys = json.loads((tmp_path / "data" / "demo-keys.json").read_text(encoding="utf-8"))
        place = emulator.read_until("Emulated").split()[-1]
        yield {"BASE": url, "KEY": keys["admin"], "HOOK": keys["webhook"], "EMULATOR": f"{place}/_emulator"}


def test_documents_are_found() -> None:
    """The guides for administrators are among the documents with lines to try."""
    assert set(list_documents()) >= {"docs/operations.md", "docs/users.md", "docs/rules.md", "docs/sign-in.md"}


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "jq"))), reason="the lines need bash, curl and jq")
@pytest.mark.parametrize("document", list_documents())
def test_lines_work_as_they_are(document: str, demo: dict[str, str], tmp_path: Path) -> None:
    """Pasted in order, every line succeeds and every request is answered without an error."""
    text = (ROOT / document).read_text(encoding="utf-8")
    # Nobody leaves this machine: what asks a real provider finds nobody here.
    lines = _OF_THE_READER.sub("", "\n".join(_BLOCK.findall(text))).replace("login.example", "127.0.0.1:9")

    ended = subprocess.run(  # noqa: S603 - the lines are meant to be pasted
        ["/usr/bin/env", "bash", "-e", "-o", "pipefail", "-c", _WATCH + lines],
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **demo},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    answers = [line for line in ended.stderr.splitlines() if re.match(r"\d{3} ", line)]
    assert (ended.returncode, [line for line in answers if int(line[:3]) >= _MIN_ERROR]) == (0, []), ended.stderr
    assert len(answers) >= lines.count("$BASE")
