"""A whole little world in this process: the service and an emulated organisation, each behind a real server."""

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import trustme
import uvicorn

from app.bootstrap.upstreams import Upstreams
from app.emulators.dataverse import (
    CLIENT_ID,
    CLIENT_SECRET,
    TENANT_ID,
    DataverseEmulator,
    create_dataverse_emulator,
    read_tables,
)
from app.main import create_app
from app.server.connections import BoundedHttpProtocol
from app.settings import Settings

__all__ = ["ANNA", "KEY", "World", "open_world", "serve_app"]

KEY = "bench-webhook-key"
ANNA = "+358501234567"
_ANNA_ROW = {
    "contactid": "a0000000-0000-0000-0000-000000000001",
    "fullname": "Anna",
    "mobilephone": ANNA,
    "modifiedon": "2026-01-01T00:00:00Z",
}
_VIP_QUEUE = "1a89fc22-517a-e611-80c9-00505689257e"
_RULES = {
    "destinations": {"vip-queue": {"kind": "queue", "id": _VIP_QUEUE}},
    "rules": [
        {
            "id": "vip",
            "when": {"fact": "caller.status", "op": "is", "value": "identified"},
            "then": {"redirect": "vip-queue"},
        }
    ],
}


class Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: Any = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.ready.set()


@contextmanager
def serve_app(app: Any, **options: Any) -> Iterator[tuple[str, Server]]:
    """Serve an ASGI application in a thread of its own until the block ends."""
    config = uvicorn.Config(
        app,
        port=0,
        http=BoundedHttpProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=5,
        **options,
    )
    server = Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    if not server.ready.wait(20):
        raise RuntimeError("the server did not start")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"{'https' if 'ssl_certfile' in options else 'http'}://localhost:{port}", server
    finally:
        server.should_exit = True
        thread.join(20)


@dataclass
class Clock:
    """The organisation's clock, which may differ from ours."""

    skew: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.skew


@dataclass
class World:
    """The organisation, and a way to run the service on it."""

    emulator: DataverseEmulator
    clock: Clock
    url: str
    authority: str
    folder: Path

    @contextmanager
    def run_service(self, folder: Path, settings: Mapping[str, Any]) -> Iterator[str]:
        """Run the service on a folder, which a later one may take over, and give its base URL."""
        app = create_app(self.make_settings(folder, settings), upstreams=Upstreams(clock=time.time))
        with serve_app(app, lifespan="on") as (url, _):
            yield url

    def make_settings(self, folder: Path, changes: Mapping[str, Any]) -> Settings:
        """Make the settings of a service on this organisation; `changes` by group."""
        folder.mkdir(parents=True, exist_ok=True)
        rules = folder / "rules.json"
        rules.write_bytes(orjson.dumps(_RULES))
        groups: dict[str, Any] = {
            "webhook": {"api_keys": {"bench": KEY}},
            "admin": {"api_keys": {"bench": {"key": "bench-key-of-an-administrator", "role": "Voice Admin User"}}},
            "dataverse": {
                "url": self.url,
                "auth": "client_secret",
                "tenant_id": TENANT_ID,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "authority": self.authority,
            },
            "store": {"url": f"sqlite:///{folder}/service.db", "journal": folder / "journal"},
            "rules": {"file": rules},
        }
        for name, group in changes.items():
            groups[name] = {**groups.get(name, {}), **group}
        return Settings(**groups)


@contextmanager
def open_world() -> Iterator[World]:
    """Open an organisation that knows Anna, its API over HTTP and its authority over TLS."""
    clock = Clock()
    emulator = create_dataverse_emulator(data=read_tables({"contacts": [_ANNA_ROW]}), clock=clock)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = trustme.CA()
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        before = os.environ.get("REQUESTS_CA_BUNDLE")
        os.environ["REQUESTS_CA_BUNDLE"] = str(folder / "ca.pem")
        try:
            with (
                serve_app(emulator, lifespan="off") as (url, _),
                serve_app(emulator, lifespan="off", ssl_certfile=str(folder / "server.pem")) as (token_url, _),
            ):
                yield World(emulator, clock, url, token_url, folder)
        finally:
            os.environ.pop("REQUESTS_CA_BUNDLE", None)
            if before is not None:
                os.environ["REQUESTS_CA_BUNDLE"] = before
