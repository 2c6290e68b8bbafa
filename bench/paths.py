"""Counts the files of the service that one request runs through on the event loop, over the network, when it is warm.

A reader who follows the request with the code open opens as many files. What runs in threads beside it, such as lint,
does not count, nor do the emulators, which stand for other systems.
"""

import io
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

import app
from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import (
    AGENT_EMAIL_COLUMN,
    AGENT_ID_COLUMN,
    CLIENT_ID,
    DataverseEmulator,
    create_dataverse_emulator,
)
from app.emulators.dataverse.application import read_utc_clock
from app.emulators.enreach import create_enreach_emulator
from app.main import create_app
from app.observability.logging import configure_logging
from app.settings import Settings
from bench.output import write
from bench.world import serve_app

__all__ = ["main"]

_APP = f"{Path(app.__file__).parent}/"
_EMULATORS = _APP + "emulators/"
_LIMITS = {"a fresh call": 20, "a looked-up call": 38, "enabling a user": 35, "publishing a ruleset": 25}
_TOKEN, _KEY = "bench-token-of-the-emulator", "bench-key-of-this-machine"
_CALLER, _STRANGERS = "+358501234567", "+3584000000"
_USER = "50000000-0000-4000-8000-000000000013"
"""A sample user who is in Enreach and in a profile, and has neither the role nor the id."""
_FILES: ContextVar["RequestFiles | None"] = ContextVar("path", default=None)


def main(arguments: list[str]) -> None:
    """Print how many files each request runs through, with `files` which ones; end with 1 above a limit."""
    configure_logging("info", "json", stream=io.BytesIO())
    threading.setprofile(_note)
    with tempfile.TemporaryDirectory() as folder, _serve(Path(folder)) as (client, counted):
        found = dict(_count_all(client, counted))
    threading.setprofile(None)
    for name, files in found.items():
        write(f"{name:24} {len(files):3} files   at most {_LIMITS[name]}")
        for file in sorted(files) if "files" in arguments else ():
            write(f"    {file}")
    if any(len(files) > _LIMITS[name] for name, files in found.items()):
        raise SystemExit(1)


def _note(frame: FrameType, event: str, _: Any) -> None:
    if event == "call" and (path := _FILES.get()) is not None and path.thread == threading.get_ident():
        path.files.add(frame.f_code.co_filename)


@dataclass(frozen=True, slots=True)
class RequestFiles:
    """The files that one request has run through."""

    thread: int
    """That of the event loop."""
    files: set[str] = field(default_factory=set)


class Counted:
    """Notes the files that each request it passes on runs through, also in tasks that the request starts."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self._last = RequestFiles(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one connection on."""
        if scope["type"] == "http":
            self._last = RequestFiles(threading.get_ident())
            _FILES.set(self._last)
        await self._inner(scope, receive, send)

    def list_files(self) -> set[str]:
        """Return the files of the last request, relative to the package."""
        files = {file for file in self._last.files if file.startswith(_APP) and not file.startswith(_EMULATORS)}
        return {file.removeprefix(_APP) for file in files}


@contextmanager
def _serve(folder: Path) -> Iterator[tuple[httpx.Client, Counted]]:
    """Serve the sample organisation and the service on it."""
    dataverse: DataverseEmulator = create_dataverse_emulator(static_tokens={_TOKEN: CLIENT_ID})
    enreach = create_enreach_emulator(clock=read_utc_clock)
    with (
        serve_app(dataverse, lifespan="off") as (dataverse_url, _),
        serve_app(enreach, lifespan="off") as (enreach_url, _),
    ):
        settings = _make_settings(folder, dataverse_url, enreach_url)
        counted = Counted(create_app(settings, upstreams=Upstreams(clock=time.time)))
        with serve_app(counted, lifespan="on") as (url, _), httpx.Client(base_url=url, timeout=60) as client:
            yield client, counted


def _make_settings(folder: Path, dataverse: str, enreach: str) -> Settings:
    groups: dict[str, Any] = {
        "webhook": {"api_keys": {"bench": _KEY}},
        "admin": {"api_keys": {"bench": {"key": _KEY, "role": "Voice Admin User"}}},
        "dataverse": {
            "url": dataverse,
            "auth": "token",
            "token": _TOKEN,
            "agent_id_column": AGENT_ID_COLUMN,
            "agent_email_column": AGENT_EMAIL_COLUMN,
        },
        "enreach": {"url": enreach, "user": "voice.api@contoso.example", "secret": "demo-enreach-secret"},
        "store": {"url": f"sqlite:///{folder}/service.db", "journal": folder / "journal"},
        "log": {"format": "json"},
    }
    return Settings(**groups)


def _count_all(client: httpx.Client, counted: Counted) -> Iterator[tuple[str, set[str]]]:
    publish = partial(_publish, client, counted)
    publish(1)
    yield "publishing a ruleset", publish(2)
    for index in range(20):
        _call(client, f"{_STRANGERS}{index}")
    _call(client, _CALLER)
    yield "a looked-up call", counted.list_files()
    for _ in range(20):
        _call(client, _CALLER)
    _call(client, _CALLER)
    yield "a fresh call", counted.list_files()
    for verb in ("enable", "disable"):
        _change_user(client, verb)
    _change_user(client, "enable")
    yield "enabling a user", counted.list_files()


def _call(client: httpx.Client, number: str) -> None:
    payload = {"anum": number, "bnum": "+358912345678", "targetid": "SALES_QUEUE", "extradata": {"CallId": number}}
    client.post("/smartrouting", json=payload, headers={"X-Benemen-APIKey": _KEY}).raise_for_status()


def _change_user(client: httpx.Client, verb: str) -> None:
    client.post(f"/admin/users/{_USER}/{verb}", json={}, headers=_authorize()).raise_for_status()


def _publish(client: httpx.Client, counted: Counted, revision: int) -> set[str]:
    """Publish a ruleset as that revision, and return the files of the publishing alone."""
    document = {
        "destinations": {"overflow": {"kind": "number", "id": "+358401234567"}},
        "rules": [
            {
                "id": "vip",
                "when": {"fact": "caller.vip", "op": "is", "value": True},
                "then": {"redirect": "overflow"},
            }
        ],
        "tests": [
            {
                "name": f"a VIP, {revision}",
                "call": {"anum": _CALLER},
                "caller": {"vip": True},
                "expect": {"rule": "vip"},
            }
        ],
    }
    name = {"name": "bench", "document": document}
    draft = client.post("/admin/rulesets/drafts", json=name, headers=_authorize()).raise_for_status()
    client.post(
        f"/admin/rulesets/{draft.json()['ref']}/publish",
        json={"comment": "measured", "expected_revision": revision - 1 or None},
        headers={**_authorize(), "If-Match": draft.headers["ETag"]},
    ).raise_for_status()
    return counted.list_files()


def _authorize() -> dict[str, str]:
    return {"Authorization": f"Bearer {_KEY}"}
