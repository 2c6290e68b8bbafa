"""The clients of others, as `make clients` installs them, and what is written about them in docs/compatibility.md."""

import json
import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

__all__ = ["CLIENTS", "DATAVERSE_NPM", "DATAVERSE_PYTHON", "INSTALLED", "SOURCES", "run", "write_report"]

ROOT = Path(__file__).parents[2]
SOURCES = Path(__file__).parent / "clients"
CLIENTS = ROOT / ".venv/clients"
INSTALLED = pytest.mark.skipif(
    not (ROOT / ".venv/.clients").exists() or shutil.which("node") is None,
    reason="`make clients` installs the clients of others",
)

_WORKS, _NOT_EMULATED, _REFUSED = 200, 501, 400
DATAVERSE_PYTHON = {
    "create a record": _WORKS,
    "create several (CreateMultiple)": _WORKS,
    "retrieve": _WORKS,
    "update": _WORKS,
    "update several (UpdateMultiple)": _WORKS,
    "list": _WORKS,
    "list pages": _WORKS,
    "expand": _WORKS,
    "query builder": _WORKS,
    "list tables": _WORKS,
    "describe a table": _WORKS,
    "list columns": _WORKS,
    "batch": _WORKS,
    "batch that goes on after errors": _WORKS,
    "delete": _WORKS,
    "upsert by an alternate key that is none": _REFUSED,
    "SQL": _NOT_EMULATED,
    "FetchXML": _NOT_EMULATED,
    "change set": _NOT_EMULATED,
    "delete several (BulkDelete)": _NOT_EMULATED,
    "create a table": _NOT_EMULATED,
}
DATAVERSE_NPM = {
    "create": _WORKS,
    "retrieve": _WORKS,
    "update": _WORKS,
    "updateSingleProperty": _WORKS,
    "retrieveMultiple": _WORKS,
    "retrieveAll": _WORKS,
    "count": _WORKS,
    "upsert": _WORKS,
    "associateSingleValued": _WORKS,
    "disassociateSingleValued": _WORKS,
    "callFunction": _WORKS,
    "retrieveEntities": _WORKS,
    "retrieveAttributes": _WORKS,
    "executeBatch": _WORKS,
    "deleteRecord of a property": _WORKS,
    "deleteRecord": _WORKS,
    "fetch": _NOT_EMULATED,
    "callAction": _NOT_EMULATED,
    "executeBatch with a change set": _NOT_EMULATED,
}
_WORDS = {_WORKS: "works", _NOT_EMULATED: "501, says that it is not emulated", _REFUSED: "400, as Dataverse does"}


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    """Run a program of others to its end and return what it prints; fails with what it says when it fails."""
    ended = subprocess.run(  # noqa: S603 - programs that make installed
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def write_report() -> str:
    """Write docs/compatibility.md from the pinned versions and the tables the tests hold."""
    npm = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))["dependencies"]
    python = dict(
        line.split("==") for line in (SOURCES / "requirements.txt").read_text(encoding="utf-8").split() if "==" in line
    )
    validator = metadata.version("openapi-spec-validator")
    rows = [
        f"| openapi-spec-validator | {validator} | `openapi.yaml` is valid 3.1, the connector of Power Platform 2.0 |",
        f"| @redocly/cli | {npm['@redocly/cli']} | `redocly lint` of it: no error, no warning |",
        f"| kubernetes-validate | {python['kubernetes-validate']} | the manifests in `deploy/kubernetes`, strictly |",
        f"| openapi-python-client | {python['openapi-python-client']} | every operation; what it writes compiles |",
        f"| openapi-typescript | {npm['openapi-typescript']} | generates every operation |",
        f"| openapi-fetch | {npm['openapi-fetch']} | with it a rule is published, a call made, its decision read |",
        f"| TypeScript | {npm['typescript']} | the generated types and that client pass `tsc --strict` |",
        f"| powerplatform-dataverse-client | {python['powerplatform-dataverse-client']} | the emulator, below |",
        f"| dynamics-web-api | {npm['dynamics-web-api']} | the emulator, below |",
    ]
    return "\n".join(
        [
            "# Compatibility",
            "",
            "What clients, validators and generators of others were tried with, and what each proved. Written by",
            "`python -m tests.interface.others` from what tests run; `make clients` installs them.",
            "",
            "| tool | version | what it proved |",
            "|---|---|---|",
            *rows,
            "",
            "`openapi-python-client` needs to be told that CSV is bytes:",
            '`content_type_overrides: {"text/csv": "application/octet-stream"}`; `openapi-typescript`, that members',
            "with a default may be left out: `--default-non-nullable false`.",
            "",
            *_list("Microsoft's client for Python", DATAVERSE_PYTHON),
            *_list("dynamics-web-api, at v9.0, v9.1 and v9.2", DATAVERSE_NPM)[:-1],
            "",
        ]
    )


def _list(title: str, results: dict[str, int]) -> list[str]:
    rows = [f"| {name} | {_WORDS[status]} |" for name, status in results.items()]
    head = f"## {title}, against `smartrouting emulate dataverse --tls`"
    return [head, "", "| operation | result |", "|---|---|", *rows, ""]


if __name__ == "__main__":
    (ROOT / "docs/compatibility.md").write_text(write_report(), encoding="utf-8")
