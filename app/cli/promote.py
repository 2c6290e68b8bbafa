"""`smartrouting rules pull`, `diff`, `push` and `publish`: a ruleset between a file and an installation."""

import json
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Self

import httpx
import typer

from app.errors import AppError, Finding, InvalidInputError
from app.routing.diff import diff_rulesets
from app.routing.ruleset import Ruleset, read_ruleset
from app.rulesets.publish import read_ruleset_file
from app.settings.base import require_https

__all__ = ["InstallationError", "diff", "publish", "pull", "push"]

_KEY_VARIABLE = "SMART_ROUTING_KEY"
"""Not one of the service's own settings: it belongs to another installation."""
_TIMEOUT_SECONDS = 60.0

Url = Annotated[str, typer.Argument(help="Of the installation, e.g. https://routing.example.", show_default=False)]
File = Annotated[Path, typer.Argument(help="Ruleset file (JSON).", show_default=False)]
Output = Annotated[Path | None, typer.Option(help="File to write; else standard output.")]
Name = Annotated[str, typer.Option(help="Of the draft; else that of the file.")]
Key = Annotated[
    str,
    typer.Option(envvar=_KEY_VARIABLE, help="An administrator's key; better in the variable.", show_default=False),
]


class InstallationError(AppError):
    """The installation refuses, or is none."""

    code = "installation"
    title = "The installation refuses"


def pull(url: Url, key: Key, output: Output = None) -> None:
    """Fetch the ruleset that is live in an installation; exit status 1 when it is not to be had."""
    with _Installation(url, key) as installation:
        text = json.dumps(installation.read_live()["document"], indent=2, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


def diff(url: Url, file: File, key: Key) -> None:
    """Say what publishing the file would change in an installation; exit status 1 when it would change something."""
    wanted = read_ruleset(read_ruleset_file(file))
    with _Installation(url, key) as installation:
        live = installation.find_live()
    changes = diff_rulesets(Ruleset() if live is None else read_ruleset(live["document"]), wanted)
    for change in changes:
        sys.stdout.write(f"{change.kind} {change.part} {change.id} ({change.pointer})\n")
    sys.stdout.write("" if changes else "no difference\n")
    raise typer.Exit(1 if changes else 0)


def push(url: Url, file: File, key: Key, name: Name = "") -> None:
    """Make a draft of the file in an installation, and ask its publish checks; exit status 1 when one refuses it."""
    with _Installation(url, key) as installation:
        draft, _ = installation.make_draft(read_ruleset_file(file), name or file.stem)
        report = installation.send("POST", f"/{draft}/validate")
    sys.stdout.write(f"draft {draft}\n")
    _end(report)


def publish(
    url: Url,
    file: File,
    key: Key,
    comment: Annotated[str, typer.Option(help="Why; kept with the revision.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the publish checks say.")] = False,
) -> None:
    """Publish the file in an installation; exit status 1 when a publish check refuses, or somebody was faster."""
    with _Installation(url, key) as installation:
        live = installation.find_live()
        draft, etag = installation.make_draft(read_ruleset_file(file), file.stem)
        expected = None if live is None else live["revision"]["revision"]
        answer = installation.send(
            "POST",
            f"/{draft}/publish",
            {"comment": comment, "expected_revision": expected},
            headers={"If-Match": etag},
            params={"dry_run": dry_run},
        )
    if answer["published"]:
        sys.stdout.write(f"revision {answer['revision']['revision']} is live\n")
    _end(answer["gates"])


def _end(report: Mapping[str, Any]) -> None:
    for finding in report["findings"]:
        hint = f" ({finding['hint']})" if finding.get("hint") else ""
        sys.stdout.write(f"{finding['severity']}: {finding['pointer'] or '/'}: {finding['detail']}{hint}\n")
    raise typer.Exit(0 if report["publishable"] else 1)


class _Installation:
    """Speaks to the rulesets of an installation."""

    def __init__(self, url: str, key: str) -> None:
        """Raises InvalidInputError for anything but https, or http on this machine."""
        try:
            base = require_https(url)
        except ValueError as error:
            raise InvalidInputError(f"the URL {error}") from error
        self._http = httpx.Client(
            base_url=f"{base}/admin/rulesets", headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT_SECONDS
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def read_live(self) -> dict[str, Any]:
        """Return what is live; raises InstallationError when nothing was published yet."""
        return self.send("GET", "/current")

    def find_live(self) -> dict[str, Any] | None:
        """Return what is live, or `None` when nothing was published yet."""
        answer = self._ask("GET", "/current")
        return None if answer.status_code == HTTPStatus.NOT_FOUND else _read(answer)

    def make_draft(self, document: object, name: str) -> tuple[str, str]:
        """Make a draft of a whole ruleset, and return its id and ETag."""
        made = self.send("POST", "/drafts", {"name": name, "document": document})
        return made["ref"], made["draft"]["etag"]

    def send(self, method: str, path: str, body: object = None, **options: Any) -> dict[str, Any]:
        """Send a request and return what is answered; raises InstallationError for anything but success."""
        return _read(self._ask(method, path, body, **options))

    def _ask(self, method: str, path: str, body: object = None, **options: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body, **options)
        except httpx.HTTPError as error:
            raise InstallationError(f"the installation does not answer ({type(error).__name__})") from error


def _read(answer: httpx.Response) -> dict[str, Any]:
    try:
        document: object = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise InstallationError(f"{answer.status_code} without JSON: is this the address of the service?")
    if answer.is_error:
        findings = [
            Finding(code=item["code"], pointer=item["pointer"], message=item["detail"], hint=item.get("hint") or "")
            for item in document.get("errors", ())
        ]
        detail = document.get("detail") or document.get("title") or f"status {answer.status_code}"
        raise InstallationError(f"{answer.status_code}: {detail}", findings=findings)
    return document
