"""The product among clients, validators and generators that nobody here wrote."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM

import pytest

from tests.interface.others import CLIENTS, DATAVERSE_NPM, DATAVERSE_PYTHON, INSTALLED, ROOT, SOURCES, run, write_report
from tests.support.console import Console
from tests.support.document import read_document
from tests.support.service import ADMIN_KEY, WEBHOOK_KEY

MODULES = CLIENTS / "node_modules"
DOCUMENT = ROOT / "openapi.yaml"
OPERATIONS = {
    operation["operationId"] for members in read_document()["paths"].values() for operation in members.values()
}
CSV_IS_BYTES = {"text/csv": "application/octet-stream"}
ROWS = {
    "accounts": [{"accountid": "aaaa0000-0000-4000-8000-0000000000a1", "name": "Contoso"}],
    "contacts": [{"contactid": "aaaa0000-0000-4000-8000-000000000001", "firstname": "Anna", "lastname": "Virtanen"}],
}


def test_report_is_fresh() -> None:
    """What is written about the tools is what the tests run; `python -m tests.interface.others` writes it anew."""
    assert (ROOT / "docs/compatibility.md").read_text(encoding="utf-8") == write_report()


@contextmanager
def serve(console: Console, folder: Path) -> Iterator[tuple[str, str]]:
    """Serve the emulated Dataverse by https; give its address and the file of its certificate."""
    data = folder / "data.json"
    data.write_text(json.dumps(ROWS), encoding="utf-8")
    arguments = ("--tls", "--port", "0", "--data", str(data))
    with console.start(folder, "emulate", "dataverse", *arguments) as running:
        url = running.read_until("Emulated Dataverse").split()[-1]
        yield url, running.read_until("Its certificate").split()[-1]
        running.send_signal(SIGTERM)
        assert running.wait(30) == 0


@INSTALLED
def test_microsofts_python_client_runs_against_the_emulator(console: Console, tmp_path: Path) -> None:
    """Each of its operations does what it does on the real one, or is told that it is not emulated."""
    with serve(console, tmp_path) as (url, certificate):
        program = SOURCES / "dataverse_client.py"
        out = run(CLIENTS / "bin/python", program, url, folder=tmp_path, REQUESTS_CA_BUNDLE=certificate)

    assert dict(map(json.loads, out.splitlines())) == DATAVERSE_PYTHON


@INSTALLED
@pytest.mark.parametrize("version", ["9.0", "9.1", "9.2"])
def test_dynamics_web_api_runs_against_the_emulator(console: Console, tmp_path: Path, version: str) -> None:
    """The same for the client of the npm registry, at every version of the Web API."""
    program = shutil.copy(SOURCES / "dynamics-web-api.mjs", CLIENTS)
    with serve(console, tmp_path) as (url, certificate):
        out = run("node", program, url, version, folder=tmp_path, NODE_EXTRA_CA_CERTS=certificate)

    assert dict(map(json.loads, out.splitlines())) == DATAVERSE_NPM


@INSTALLED
def test_redocly_finds_nothing(tmp_path: Path) -> None:
    """No error and no warning, by its recommended rules."""
    redocly = MODULES / "@redocly/cli/bin/cli.js"
    out = run("node", redocly, "lint", DOCUMENT, "--format=json", folder=tmp_path)

    assert json.loads(out[out.index("{") :])["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}


@INSTALLED
def test_generated_python_client_has_every_operation(tmp_path: Path) -> None:
    """`openapi-python-client` leaves no operation and no answer out, and what it writes passes mypy."""
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"content_type_overrides": CSV_IS_BYTES, "post_hooks": []}))
    program = CLIENTS / "bin/openapi-python-client"
    options = ("--path", DOCUMENT, "--output-path", "made", "--meta", "none", "--config", config)
    out = run(program, "generate", *options, folder=tmp_path)
    types = ("--config-file", os.devnull, "--cache-dir", "types", "--python-executable", CLIENTS / "bin/python")
    run(sys.executable, "-m", "mypy", *types, "made", folder=tmp_path)
    made = {file.stem.replace("_", "") for file in (tmp_path / "made/api").rglob("*.py")}

    assert "WARNING" not in out, out
    assert {name.lower() for name in OPERATIONS} <= made


@INSTALLED
def test_generated_typescript_client_does_a_day_of_administration(console: Console, tmp_path: Path) -> None:
    """With nothing but the generated client a rule is published, the webhook called, and the decision read."""
    folder = CLIENTS / "integrator"
    folder.mkdir(exist_ok=True)
    made = (DOCUMENT, "-o", "api.d.ts", "--default-non-nullable", "false")
    run("node", MODULES / "openapi-typescript/bin/cli.js", *made, folder=folder)
    shutil.copy(SOURCES / "integrator.ts", folder)
    options = ("--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2022,dom")
    run("node", MODULES / "typescript/bin/tsc", *options, "integrator.ts", folder=folder)
    settings = {
        "SMARTROUTING_DEMO": "1",
        "SMARTROUTING_ADMIN__API_KEYS": json.dumps({"me": {"key": ADMIN_KEY, "role": "Voice Admin User"}}),
        "SMARTROUTING_WEBHOOK__API_KEYS": json.dumps({"queue": WEBHOOK_KEY}),
    }
    with console.start(tmp_path, "serve", "--port", "0", **settings) as running:
        url = running.read_until("Try it out").split()[-1].removesuffix("/docs")
        out = run("node", "integrator.js", url, ADMIN_KEY, WEBHOOK_KEY, folder=folder)
        running.send_signal(SIGTERM)
        assert running.wait(30) == 0

    generated = (folder / "api.d.ts").read_text(encoding="utf-8")
    assert [name for name in OPERATIONS if f" {name}: " not in generated] == []
    assert json.loads(out) == {"published": True, "rule": "new-line", "outcome": "redirect", "revision": 2}
